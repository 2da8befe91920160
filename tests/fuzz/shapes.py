"""Files that are all structure: many parts, counts and claims in few bytes, meant to keep a service busy with a header.

Each function draws another file of its format from a Random; few files hold a picture.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Mapping
from random import Random

from tests.fuzz.mutate import mutate as change
from tests.kit import files

Shape = Callable[[Random], bytes]

PART = 30_000  # bytes, for each of the three or four parts of a file that may be long
LONGEST = 4 * PART


def _many(random: Random, most: int) -> int:
    """1 to `most`; each order of magnitude is equally likely."""
    return round(math.exp(random.uniform(0, math.log(most))))


def _filler(random: Random, most: int) -> bytes:
    """Bytes that contain no end marker: zeros, ones, or random bytes."""
    length = _many(random, most)
    return random.choice((bytes(length), b"\xff" * length, b"\x80" * length, random.randbytes(length)))


def atom(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_atom(kind: bytes, body: bytes, version: int = 0, flags: int = 0) -> bytes:
    return atom(kind, bytes([version]) + flags.to_bytes(3, "big") + body)


def container(
    brand: bytes,
    kind: bytes,
    stream: bytes,
    *,
    main: bytes | None = None,
    items: int = 1,
    extents: int = 1,
    properties: tuple[bytes, ...] = (),
    associations: int = 0,
    references: tuple[bytes, int] = (b"auxl", 1),
    size: tuple[int, int] = (64, 48),
) -> bytes:
    """A HEIF file in which all items share the same bytes.

    kind: of all items. main: of the first item, if different. extents: pieces per item, each of them the whole stream.
    properties: additional ones. associations: how often each item names all of them. references: their kind, and the
    number of items that each item names. The stream comes before the boxes that describe it, so its place does not
    depend on them.
    """
    head = atom(b"ftyp", brand + bytes(4) + brand + b"mif1miaf")
    start = len(head) + 8
    entries = (
        full_atom(b"infe", struct.pack(">HH4s", i + 1, 0, kind if i else main or kind) + b"\0", 2) for i in range(items)
    )
    places = struct.pack(">II", start, len(stream)) * extents
    iloc = b"".join(struct.pack(">HHH", i + 1, 0, extents) + places for i in range(items))
    known = (full_atom(b"ispe", struct.pack(">II", *size)), *properties)
    named = (bytes(range(1, min(127, len(known)) + 1)) * (1 + associations))[:255]
    ipma = b"".join(struct.pack(">HB", i + 1, len(named)) + named for i in range(items))
    name, count = references
    others = struct.pack(f">{count}H", *(i % items + 1 for i in range(count)))
    first = 0 if name == b"dimg" else 1  # the main picture consists of others, and is no other's alpha
    iref = b"".join(atom(name, struct.pack(">HH", i + 1, count) + others) for i in range(first, items))
    inner = [
        full_atom(b"hdlr", bytes(4) + b"pict" + bytes(13)),
        full_atom(b"pitm", struct.pack(">H", 1)),
        full_atom(b"iloc", bytes([0x44, 0]) + struct.pack(">H", items) + iloc),
        full_atom(b"iinf", struct.pack(">H", items) + b"".join(entries)),
        atom(b"iprp", atom(b"ipco", b"".join(known)) + full_atom(b"ipma", struct.pack(">I", items) + ipma)),
        *([full_atom(b"iref", iref)] if iref else []),
    ]
    return head + atom(b"mdat", stream) + full_atom(b"meta", b"".join(inner))


def _leb128(number: int) -> bytes:
    """AV1's encoding of a length."""
    out = bytearray()
    while True:
        out.append(number & 127 | (128 if number > 127 else 0))
        number >>= 7
        if not number:
            return bytes(out)


def _unit(kind: int, body: bytes) -> bytes:
    return bytes([kind << 3 | 2]) + _leb128(len(body)) + body


def _sequence(width: int, height: int) -> bytes:
    """An honest sequence header of the short form (AV1, 5.5.1) up to the size, then arbitrary bytes."""
    bits = "000" + "11" + "00000" + f"{9:04b}{9:04b}{width - 1:010b}{height - 1:010b}"
    return int(bits.ljust(40, "0"), 2).to_bytes(5, "big") + bytes(8)


# Timing information, then a number of any length (AV1, 5.5.1 and 4.10.3): the number begins with zeros and needs a one.
_ENDLESS = int("00000" + "1" + f"{1:032b}" + f"{1:032b}" + "1" + "0", 2).to_bytes(9, "big")


def avif(random: Random) -> bytes:
    sequence = random.choice((_sequence(64, 48), _ENDLESS + _filler(random, PART)))
    stream = _unit(1, sequence) * random.choice((1, 1, min(500, PART // len(sequence) or 1)))
    stream += random.choice((b"", b"\x7a\0" * _many(random, PART // 2), _unit(3, _filler(random, 5_000))))
    conf = atom(b"av1C", b"\x81\x1f\x0c\0" + random.choice((b"", _filler(random, 5_000))))
    return _heif(random, b"avif", b"av01", stream, conf)


def _parameters(width: int, height: int) -> bytes:
    """An honest sequence parameter set (ITU-T H.265, 7.3.2.2) up to the size, then arbitrary bytes."""
    numbers = (f"{'0' * (number.bit_length() - 1)}{number:b}" for number in (1, 2, width + 1, height + 1))
    bits = "0" * (8 + 96) + "".join(numbers)
    return b"\x42\1" + int(bits.ljust(160, "1"), 2).to_bytes(20, "big")


def heic(random: Random) -> bytes:
    unit = random.choice((_parameters(64, 48), b"\x42\1\1" + _filler(random, 500)))
    arrays = b"".join(
        b"\x21" + struct.pack(">H", count) + (struct.pack(">H", len(unit)) + unit) * min(count, PART // len(unit))
        for count in [_many(random, 65_535) for _ in range(_many(random, 40))]
    )[:PART]
    conf = bytes(21) + bytes([random.choice((0, 3)), _many(random, 255)]) + arrays
    stream = (struct.pack(">I", len(unit)) + unit) * _many(random, 500) + random.choice((b"", bytes(PART)))
    return _heif(random, b"heic", b"hvc1", stream[:PART], atom(b"hvcC", conf))


def _heif(random: Random, brand: bytes, kind: bytes, stream: bytes, conf: bytes) -> bytes:
    items = _many(random, 1_000)
    grid = struct.pack(">BBBBHH", 0, 0, 15, 15, 64, 48)
    return container(
        brand,
        kind,
        random.choice((stream, stream, stream, grid)),
        main=random.choice((kind, kind, kind, b"grid", b"iden")),
        items=items,
        extents=_many(random, max(1, PART // (8 * items))),
        properties=(conf, *(atom(b"free", b"") for _ in range(random.choice((0, 100))))),
        associations=random.choice((0, 0, 200 if items * 255 < PART else 0)),
        references=(random.choice((b"auxl", b"dimg", b"thmb")), _many(random, max(1, PART // (2 * items)))),
    )


def tiff(random: Random) -> bytes:
    """Many strips or tiles, or many tags, possibly with values that share the same bytes."""
    count, shared = _many(random, LONGEST // 8), random.random() < 0.5
    side = max(1, round(math.sqrt(count)))
    tiled = random.random() < 0.3
    width, height = (16 * side, 16 * side) if tiled else (40, count)
    values: list[tuple[int, int, list[int]]] = [
        (256, 4, [width]), (257, 4, [height]), (258, 3, [8]), (259, 3, [random.choice((1, 5, 8))]), (262, 3, [1]),
        (277, 3, [1]), (324 if tiled else 273, 4, [8] * count), (325 if tiled else 279, 4, [1] * count),
        *([(322, 4, [16]), (323, 4, [16])] if tiled else [(278, 4, [1])]),
    ]  # fmt: skip
    values += [(40_000 + i, 4, [0] * count) for i in range(_many(random, 1_500))] if shared else []
    heap, body, table, placed = 8 + 2 + 12 * len(values) + 4, b"", b"", -1
    for tag, kind, each in sorted(values):
        raw = struct.pack(f"<{len(each)}{'H' if kind == 3 else 'I'}", *each)
        inside = raw.ljust(4, b"\0")
        if len(raw) > 4:
            placed = heap + len(body) if placed < 0 or tag < 40_000 else placed
            body += raw if placed == heap + len(body) else b""
            inside = struct.pack("<I", placed)
        table += struct.pack("<HHI", tag, kind, len(each)) + inside
    return b"II*\0" + struct.pack("<IH", 8, len(values)) + table + bytes(4) + body


def jpeg(random: Random) -> bytes:
    """Many segments, fill bytes, thumbnails in thumbnails; the frame header last."""
    kind, body = random.choice((0xE0, 0xE1, 0xE2, 0xFE, 0xDB, 0xC4)), _filler(random, 20)
    if random.random() < 0.3:
        body = b"ICC_PROFILE\0" + bytes([random.randrange(256), random.randrange(256)]) + body
    parts = (b"\xff" * random.choice((0, 0, 500)) + files.jpeg_segment(kind, body)) * _many(random, 5_000)
    frame = files.jpeg_segment(0xC0, struct.pack(">BHHB", 8, 48, 64, 1) + b"\1\x11\0")
    scan = files.jpeg_segment(0xDA, b"\1\1\0\0\x3f\0") + _filler(random, 20_000)
    return (b"\xff\xd8" + parts)[: 3 * PART] + frame + scan * _many(random, max(1, PART // len(scan)))


def png(random: Random) -> bytes:
    """Many chunks, and texts and profiles that inflate to far more than their size."""
    bomb = zlib.compress(bytes(_many(random, 20_000_000)), 9)
    name = random.choice((b"iCCP", b"zTXt", b"iTXt", b"tEXt", b"eXIf", b"IDAT", b"tRNS", b"PLTE", b"abCd"))
    intro = {b"iCCP": b"a\0\0", b"zTXt": b"Raw profile type exif\0\0", b"iTXt": b"a\0\1\0\0\0"}.get(name, b"")
    chunk = files.png_chunk(name, random.choice((b"", intro + bomb, intro + _filler(random, 200))))
    chunks = chunk * min(_many(random, 10_000), max(1, LONGEST // len(chunk)))
    header = files.png_header(64, 48, random.choice((0, 2, 3, 6)), 8, random.choice((0, 1)))
    return files.png_file(header, zlib.compress(bytes(10_000)), chunks)


def gif(random: Random) -> bytes:
    block = b"\x21\xfe" + b"\1a" * _many(random, 300) + b"\0"
    image = b"," + struct.pack("<HHHHB", 0, 0, 64, 48, 0) + b"\2" + b"\1\0" * _many(random, 300) + b"\0"
    return (b"GIF89a" + struct.pack("<HHBBB", 64, 48, 0, 0, 0) + random.choice((block, image)) * 5_000)[:LONGEST]


def webp(random: Random) -> bytes:
    part = random.choice((b"EXIF", b"ICCP", b"ANMF", b"ALPH", b"abcd")) + struct.pack("<I", 0)
    body = b"VP8X" + struct.pack("<I", 10) + b"\x3e\0\0\0" + struct.pack("<HBHB", 63, 0, 47, 0)
    body = b"WEBP" + body + part * _many(random, LONGEST // 8)
    return b"RIFF" + struct.pack("<I", len(body)) + body


SHAPES: Mapping[str, Shape] = {each.__name__: each for each in (avif, heic, tiff, jpeg, png, gif, webp)}
"""The functions by format name."""

SEEDS: Mapping[str, Callable[[], bytes]] = {
    f"{name}, shape {number}": (lambda shape=shape, number=number: shape(Random(number)))
    for name, shape in SHAPES.items()
    for number in range(4)
}


def mutate(data: bytes, random: Random) -> bytes:
    """Another shape, or a change of the given file."""
    if random.random() < 0.3:
        return random.choice(list(SHAPES.values()))(random)
    return change(data, random)
