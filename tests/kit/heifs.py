"""AVIF and HEIC files, honest and lying: encoders write them, then tests change them in place."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pillow_heif
from PIL import Image

from packshot.core.codecs import bmff

UInt8 = npt.NDArray[np.uint8]


def as_avif(image: UInt8, **options: Any) -> bytes:
    out = io.BytesIO()
    settings = {"speed": 10, "quality": 100, "subsampling": "4:4:4", "max_threads": 1, **options}
    Image.fromarray(image).save(out, "AVIF", **settings)
    return out.getvalue()


def as_heic(image: UInt8, **options: Any) -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(image)).save(out, **{"quality": -1, "chroma": 444, **options})
    return out.getvalue()


def claiming(data: bytes, width: int, height: int) -> bytes:
    """The same file with another size in every box that states a size; the stream inside keeps the true size."""
    out, place = bytearray(data), data.find(b"ispe")
    while place >= 0:
        out[place + 8 : place + 16] = struct.pack(">II", width, height)
        place = data.find(b"ispe", place + 1)
    return bytes(out)


def with_primaries(data: bytes, primaries: int, transfer: int = 13) -> bytes:
    """The same file with other colour numbers (primaries, transfer)."""
    place = data.index(b"nclx") + 4
    return data[:place] + struct.pack(">HH", primaries, transfer) + data[place + 4 :]


@dataclass
class Part:
    """An item of a container. pieces: offset and length within its stream, if the item is not in one piece.

    properties: kind and body. refers: kind of reference and numbers of items, counted from 1.
    """

    kind: bytes
    stream: bytes = b""
    properties: Sequence[tuple[bytes, bytes]] = ()
    refers: Sequence[tuple[bytes, Sequence[int]]] = ()
    pieces: Sequence[tuple[int, int]] | None = None


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind: bytes, body: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags) + body)


def container(
    brand: bytes, parts: Sequence[Part], *, brands: bytes = b"mif1miaf", primary: int = 1, behind: bytes = b""
) -> bytes:
    """A file of these items. Properties that crop or turn are essential; equal streams are stored once."""
    known = list(dict.fromkeys(each for part in parts for each in part.properties))
    streams = dict.fromkeys(part.stream for part in parts)
    essential = {b"clap", b"irot", b"imir", b"av1C", b"hvcC", b"lsel", b"a1op"}
    infos, owners, references = b"", b"", b""
    for number, part in enumerate(parts, 1):
        infos += full(b"infe", struct.pack(">HH4sx", number, 0, part.kind), 2)
        own = [known.index(each) + 1 | 0x8000 * (each[0] in essential) for each in part.properties]
        owners += struct.pack(f">HB{len(own)}H", number, len(own), *own)
        for kind, others in part.refers:
            references += box(kind, struct.pack(f">HH{len(others)}H", number, len(others), *others))

    def meta(at: int) -> bytes:
        starts = {}
        for stream in streams:
            starts[stream], at = at, at + len(stream)
        table = struct.pack(">HH", 0x4400, len(parts))
        for number, part in enumerate(parts, 1):
            pieces = part.pieces if part.pieces is not None else [(0, len(part.stream))]
            table += struct.pack(">HHH", number, 0, len(pieces))
            table += b"".join(struct.pack(">II", starts[part.stream] + first, length) for first, length in pieces)
        return full(
            b"meta",
            full(b"hdlr", bytes(4) + b"pict" + bytes(13))
            + full(b"pitm", struct.pack(">H", primary))
            + full(b"iloc", table)
            + full(b"iinf", struct.pack(">H", len(parts)) + infos)
            + (full(b"iref", references) if references else b"")
            + box(
                b"iprp",
                box(b"ipco", b"".join(box(*each) for each in known))
                + full(b"ipma", struct.pack(">I", len(parts)) + owners, 0, 1),
            ),
        )

    start = box(b"ftyp", brand + bytes(4) + brands + brand)
    return start + meta(len(start) + len(meta(0)) + 8) + box(b"mdat", b"".join(streams)) + behind


def taken_apart(data: bytes) -> list[Part]:
    """The items of an honest file, the main picture first."""
    read = bmff.read(data)
    numbers = sorted(read.items, key=lambda number: number != read.primary)
    return [
        Part(
            item.kind,
            bytes(bmff.stored(data, item)),
            list(item.properties),
            [(kind, [numbers.index(other) + 1 for other in others]) for kind, others in item.points_to.items()],
        )
        for item in map(read.items.__getitem__, numbers)
    ]


def size_of(width: int, height: int) -> tuple[bytes, bytes]:
    return b"ispe", struct.pack(">III", 0, width, height)


def grid_of(columns: int, rows: int, width: int, height: int) -> bytes:
    """The body of a grid item."""
    return struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)


def clap(size: tuple[int, int], left: int, top: int, width: int, height: int) -> tuple[bytes, bytes]:
    """The property that crops a box from a picture of this size."""
    across, down = 2 * left + width - size[0], 2 * top + height - size[1]
    return b"clap", struct.pack(">8i", width, 1, height, 1, across, 2, down, 2)


def bits(*fields: tuple[int, int]) -> bytes:
    """Values with these bit lengths, one after the other, padded with zeros to a whole byte."""
    text = "".join(f"{value:0{width}b}" for value, width in fields if width)
    return int(text + "0" * (-len(text) % 8), 2).to_bytes((len(text) + 7) // 8, "big")


def obu(kind: int, body: bytes) -> bytes:
    """A unit (OBU) of an AV1 stream, up to 16,383 bytes."""
    return bytes([kind << 3 | 2, len(body) & 127 | 128, len(body) >> 7]) + body
