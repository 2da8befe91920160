"""Facts about a file for the rules of marketplaces: the number of pictures, the colours, the bits per channel.

The facts come from the file's own blocks, never from a decoder. Each walk ends at the second picture, at the end of
the file, or after more blocks than any real file has. A file that cannot be walked counts as an ordinary one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from packshot.core.codecs import bmff, jpeg_stream
from packshot.core.codecs.formats import Header
from packshot.core.codecs.gif import palette_bytes
from packshot.core.codecs.ifd import byte_order, entries
from packshot.errors import UnreadableImage

_MAX_BLOCKS = 10_000
_MAX_PAGES = 100
_MAX_TAGS = 1000
# A GIF's data come in blocks of up to 255 bytes. All known encoders fill every block but the last of each frame.
_MIN_GIF_BLOCK = 32


@dataclass(frozen=True)
class FileFacts:
    """several: more than one frame or page. colours: "rgb", "gray" or "cmyk". bits: per channel.

    A palette counts as RGB with 8 bits.
    """

    several: bool = False
    colours: str = "rgb"
    bits: int = 8


def read_file_facts(data: bytes, header: Header) -> FileFacts:
    """Read the facts of a file with its header. Never raises."""
    read = _READERS.get(header.format)
    if read is None:
        return FileFacts()
    try:
        return read(data)
    except (ValueError, LookupError, struct.error, OverflowError, UnreadableImage):
        return FileFacts()


def _jpeg(data: bytes) -> FileFacts:
    """Components and precision from the frame header. Further pictures of a phone (MPF) do not count as frames."""
    frame = next((each for each in jpeg_stream.segments(data) if each.marker in jpeg_stream.FRAMES), None)
    if frame is None:
        return FileFacts()
    return FileFacts(colours={1: "gray", 4: "cmyk"}.get(frame.body[5], "rgb"), bits=frame.body[0])


def _png(data: bytes) -> FileFacts:
    """Facts from IHDR, and from acTL, which comes before the pixels of an animation."""
    bits, colour_type = data[24], data[25]
    several = any(name == b"acTL" and int.from_bytes(data[at : at + 4], "big") > 1 for name, at in _png_chunks(data))
    return FileFacts(several, "gray" if colour_type in {0, 4} else "rgb", 8 if colour_type == 3 else bits)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Name and body offset of each chunk before the pixels."""
    position = 8
    for _ in range(_MAX_BLOCKS):
        name = data[position + 4 : position + 8]
        if len(name) < 4 or name in {b"IDAT", b"IEND"}:
            return
        yield name, position + 8
        position += 12 + int.from_bytes(data[position : position + 4], "big")


def _gif(data: bytes) -> FileFacts:
    frames, position = 0, 13 + palette_bytes(data[10])
    blocks = _MAX_BLOCKS + len(data) // _MIN_GIF_BLOCK
    while position < len(data) and blocks > 0:
        kind = data[position]
        if kind == 0x2C:  # a frame: position and size, a palette, the code size
            frames += 1
            if frames > 1:
                return FileFacts(several=True)
            position += 11 + palette_bytes(data[position + 9])
        elif kind == 0x21:  # an extension, and its name
            position += 2
        elif kind == 0x3B:
            break
        else:  # stray bytes between blocks are skipped, as decoders do
            position, blocks = position + 1, blocks - 1
            continue
        while blocks > 0 and (length := data[position]):
            position, blocks = position + 1 + length, blocks - 1
        position, blocks = position + 1, blocks - 1
    return FileFacts()


def _webp(data: bytes) -> FileFacts:
    """Counts frames. Each is a separate chunk, and only extended files have them."""
    frames, position = 0, 12
    for _ in range(_MAX_BLOCKS if data[12:16] == b"VP8X" else 0):
        name = data[position : position + 4]
        frames += name == b"ANMF"
        if frames > 1 or len(name) < 4:
            break
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        position += 8 + length + length % 2
    return FileFacts(several=frames > 1)


def _tiff(data: bytes) -> FileFacts:
    order = byte_order(data)
    if order is None:
        return FileFacts()
    found = {entry.tag: entry.numbers(order) for entry in entries(data, order) if entry.tag in {258, 262}}
    kind = next(iter(found.get(262, ())), 2)
    colours = {0: "gray", 1: "gray", 5: "cmyk"}.get(kind, "rgb")
    return FileFacts(_pages(data, order) > 1, colours, 8 if kind == 3 else max(found.get(258, (1,))))


def _pages(data: bytes, order: str) -> int:
    """The number of pages, at most 2. Directories with a thumbnail or mask of another page do not count."""
    (start,) = struct.unpack_from(order + "I", data, 4)
    pages, seen = 0, set[int]()
    while 8 <= start < len(data) - 6 and start not in seen and len(seen) < _MAX_PAGES and pages < 2:
        seen.add(start)
        (count,) = struct.unpack_from(order + "H", data, start)
        places = range(start + 2, start + 2 + 12 * min(count, _MAX_TAGS), 12)
        is_picture, is_part = False, False
        for place in places:
            tag, kind = struct.unpack_from(order + "HH", data, place)
            is_picture |= tag == 256
            if tag == 254:
                (value,) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, place + 8)
                is_part = bool(value & 5)
        pages += is_picture and not is_part
        (start,) = struct.unpack_from(order + "I", data, start + 2 + 12 * count)
    return pages


def _heif(data: bytes) -> FileFacts:
    """Bits and colours from the coded pictures; frames from the tracks, if the file is also a film."""
    depths, grays = [], []
    for kind, body in _settings(data):
        if kind == b"av1C":
            depths.append(12 if body[2] & 0x20 else 10 if body[2] & 0x40 else 8)
            grays.append(bool(body[2] & 0x10))
        elif kind == b"hvcC":
            depths.append(8 + (body[17] & 7))
            grays.append(not body[16] & 3)
    gray = bool(grays) and all(grays)
    return FileFacts(_has_film(data), "gray" if gray else "rgb", max(depths, default=8))


def _settings(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The decoder settings of all pictures."""
    for meta in _inside(data, 0, len(data), b"meta"):
        for properties in _inside(data, meta.start + 4, meta.end, b"iprp"):
            for container in _inside(data, properties.start, properties.end, b"ipco"):
                for each in bmff.atoms(data, container.start, container.end):
                    yield each.kind, data[each.start : min(each.end, each.start + 32)]


def _has_film(data: bytes) -> bool:
    """Whether a track has more than one sample."""
    for movie in _inside(data, 0, len(data), b"moov"):
        for track in _inside(data, movie.start, movie.end, b"trak"):
            found = [track]
            for kind in (b"mdia", b"minf", b"stbl"):
                found = [inner for each in found for inner in _inside(data, each.start, each.end, kind)]
            for table in found:
                for sizes in bmff.atoms(data, table.start, table.end):
                    if (
                        sizes.kind in {b"stsz", b"stz2"}
                        and int.from_bytes(data[sizes.start + 8 : sizes.start + 12]) > 1
                    ):
                        return True
    return False


def _inside(data: bytes, start: int, end: int, kind: bytes) -> list[bmff.Atom]:
    return [atom for atom in bmff.atoms(data, start, end) if atom.kind == kind]


_READERS: Mapping[str, Callable[[bytes], FileFacts]] = {
    "jpeg": _jpeg,
    "png": _png,
    "gif": _gif,
    "webp": _webp,
    "tiff": _tiff,
    "avif": _heif,
    "heic": _heif,
}
