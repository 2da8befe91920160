"""Reads the EXIF tag Software, which names the program that made a file. The command line finds its own outputs by it.

Reads a few small pieces from the file's start and decodes nothing, so that it can check a whole folder of photos. The
amount read per file is limited, regardless of the file's claims.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from packshot.core.codecs import bmff
from packshot.core.codecs.formats import sniff
from packshot.core.codecs.ifd import TEXT, byte_order

PACKSHOT = "packshot"
"""The program name in outputs of the command line. Without a version, outputs stay the same between releases."""

Read = Callable[[int, int], bytes]
"""Reads bytes of a file: from an offset, at most a number of bytes; fewer at the file's end."""

_TAG = 0x0131
# Tags are sorted by number, so Software is among the first. A longer name is not packshot's.
_MAX_TAGS, _MAX_NAME_BYTES = 100, 64
# Segments of a JPEG, or chunks of a PNG or WebP, up to EXIF. packshot's own files have 1, 2 and at most 3.
_MAX_BLOCKS = 16
_META_BYTES = 4096  # of an AVIF, for the list of its parts; packshot's own files need 400
_PNG_SIGNATURE_BYTES, _RIFF_HEADER_BYTES = 8, 12


def read_software(read: Read) -> str | None:
    """The tag Software of a file in an output format; None without the tag, or for any other file.

    Reads the first KB to find the format, and then:
    JPEG: marker and length of up to 16 segments, up to the one with EXIF. PNG and WebP: name and length of up to 16
    chunks, in a PNG only before its pixels. TIFF: the first directory. AVIF: 4 KiB, for the list of its parts.
    EXIF block: its header, up to 100 tags of its first directory, and the name.
    """
    kind = sniff(read(0, 1024))
    find = _BLOCKS.get(kind.name) if kind else None
    if find is None:
        return None
    try:
        start = find(read)
        return None if start is None else _software(read, start)
    except (bmff.NotRead, LookupError, OverflowError, ValueError, struct.error):
        return None


def _jpeg(read: Read) -> int | None:
    position = 2
    for _ in range(_MAX_BLOCKS):
        head = read(position, 10)
        if head[:2] == b"\xff\xe1" and head[4:] == b"Exif\0\0":
            return position + 10
        if head[:1] != b"\xff" or head[1] in {0xD9, 0xDA}:
            return None
        position += 2 + max(2, int.from_bytes(head[2:4], "big"))
    return None


def _png(read: Read) -> int | None:
    position = _PNG_SIGNATURE_BYTES
    for _ in range(_MAX_BLOCKS):
        length, name = struct.unpack(">I4s", read(position, 8))
        if name == b"eXIf":
            return position + 8
        if name == b"IDAT":
            return None
        position += 12 + length
    return None


def _webp(read: Read) -> int | None:
    position = _RIFF_HEADER_BYTES
    for _ in range(_MAX_BLOCKS):
        name, length = struct.unpack("<4sI", read(position, 8))
        if name == b"EXIF":
            return position + 8
        position += 8 + length + length % 2
    return None


def _tiff(_read: Read) -> int | None:
    return 0


def _avif(read: Read) -> int | None:
    container = bmff.read(read(0, _META_BYTES))
    places = (item.extents[0][0] for item in container.items.values() if item.kind == b"Exif" and item.extents)
    place = next(places, None)
    return None if place is None else place + 4 + int.from_bytes(read(place, 4), "big")


_BLOCKS: dict[str, Callable[[Read], int | None]] = {
    "jpeg": _jpeg,
    "png": _png,
    "webp": _webp,
    "tiff": _tiff,
    "avif": _avif,
}


def _software(read: Read, start: int) -> str | None:
    """The tag in the block at offset `start` of the file. Raises struct.error if the block ends early."""
    head = read(start, 8)
    order = byte_order(head)
    if order is None:
        return None
    (first,) = struct.unpack_from(order + "I", head, 4)
    table = read(start + first, 2 + 12 * _MAX_TAGS)
    (count,) = struct.unpack_from(order + "H", table)
    for number in range(min(count, _MAX_TAGS)):
        tag, kind, length, place = struct.unpack_from(order + "HHII", table, 2 + 12 * number)
        if (tag, kind) == (_TAG, TEXT) and 4 < length <= _MAX_NAME_BYTES:
            name = read(start + place, length)
            return name.partition(b"\0")[0].decode("ascii", "replace")
    return None
