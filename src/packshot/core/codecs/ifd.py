"""Reads and writes TIFF directories (TIFF 6.0, section 2): the tags of a TIFF file or of any file's EXIF block."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# Bytes of a value by its kind (TIFF 6.0, section 2; 129 is EXIF 3.0's UTF-8).
_KIND_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
TEXT, SHORT, LONG, UNDEFINED = 2, 3, 4, 7
_WHOLE = {1: "B", SHORT: "H", LONG: "I", 6: "b", 8: "h", 9: "i", 13: "I"}
# A camera writes about 60; a directory can hold 65,535.
_MAX_ENTRIES = 1000
_MAX_NUMBERS = 1_000_000  # 64 megapixels in the smallest tiles, 16 px, have 250,000 offsets


@dataclass(frozen=True)
class Entry:
    """One tag. value: the bytes of `count` values of type `kind`, in the block's byte order."""

    tag: int
    kind: int
    count: int
    value: bytes

    def numbers(self, order: str) -> tuple[int, ...]:
        """The values, if they are whole numbers; () for other types, or for more values than any file needs."""
        letter = {1: "B", SHORT: "H", LONG: "I"}.get(self.kind)
        if letter is None or self.count > _MAX_NUMBERS:
            return ()
        return struct.unpack(f"{order}{self.count}{letter}", self.value)

    def whole(self, order: str) -> int | None:
        """The first value, if it is a whole number of any width, signed or not; None for other types."""
        letter = _WHOLE.get(self.kind)
        return None if letter is None else int(struct.unpack_from(order + letter, self.value)[0])


def byte_order(block: bytes) -> str | None:
    """struct's letter for the byte order of a block that begins with a TIFF header; None for other blocks."""
    return {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])


def entries(block: bytes, order: str, start: int | None = None) -> Iterator[Entry]:
    """The tags of the directory at `start`, or of the first one, without tags whose value is outside the block.

    Stops when the values together are longer than the block. Otherwise a thousand values on the same megabytes would
    all be copied, and no photo has these.

    Raises struct.error if the directory ends early, after the tags before that point.
    """
    if start is None:
        (start,) = struct.unpack_from(order + "I", block, 4)
    (count,) = struct.unpack_from(order + "H", block, start)
    left = len(block)
    for number in range(min(count, _MAX_ENTRIES)):
        place = start + 2 + 12 * number
        tag, kind, values = struct.unpack_from(order + "HHI", block, place)
        length = _KIND_BYTES.get(kind, 0) * values
        (far,) = struct.unpack_from(order + "I", block, place + 8)
        begin = place + 8 if length <= 4 else far
        if 0 < length <= len(block) - begin:
            left -= length
            if left < 0:
                return
            yield Entry(tag, kind, values, block[begin : begin + length])


def directory(found: Mapping[int, Entry], order: str, start: int) -> bytes:
    """Encode tags as the last directory of a block, for offset `start`. Values that do not fit inside follow it."""
    table, values = struct.pack(order + "H", len(found)), b""
    heap = start + 2 + 12 * len(found) + 4
    for tag in sorted(found):
        entry = found[tag]
        place = struct.pack(order + "I", heap + len(values))
        inside = entry.value.ljust(4, b"\0") if len(entry.value) <= 4 else place
        if inside is place:
            values += entry.value + bytes(len(entry.value) % 2)
        table += struct.pack(order + "HHI", tag, entry.kind, entry.count) + inside
    return table + bytes(4) + values
