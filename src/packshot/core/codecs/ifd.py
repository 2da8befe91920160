"""TIFF's directories (TIFF 6.0, section 2): the tags of a TIFF file, and of the EXIF block of any other."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# Bytes of a value by its kind (TIFF 6.0, section 2; 129 is EXIF 3.0's UTF-8).
_KIND_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
TEXT, SHORT, LONG, UNDEFINED = 2, 3, 4, 7
_WHOLE = {1: "B", SHORT: "H", LONG: "I", 6: "b", 8: "h", 9: "i", 13: "I"}
# A camera writes about sixty; 65,535 fit.
_MAX_ENTRIES = 1000
_MAX_NUMBERS = 1_000_000  # the smallest tiles, 16 px, of 64 megapixels have 250,000 offsets


@dataclass(frozen=True)
class Entry:
    """One tag. value: its bytes, in the block's own byte order; `count` values of a `kind`."""

    tag: int
    kind: int
    count: int
    value: bytes

    def numbers(self, order: str) -> tuple[int, ...]:
        """The values of whole numbers; () where it holds other things, or more of them than any file needs."""
        letter = {1: "B", SHORT: "H", LONG: "I"}.get(self.kind)
        if letter is None or self.count > _MAX_NUMBERS:
            return ()
        return struct.unpack(f"{order}{self.count}{letter}", self.value)

    def whole(self, order: str) -> int | None:
        """The first of its whole numbers, of any width, signed or not; None where it holds other things."""
        letter = _WHOLE.get(self.kind)
        return None if letter is None else int(struct.unpack_from(order + letter, self.value)[0])


def byte_order(block: bytes) -> str | None:
    """struct's letter for the order in which a block that begins with a TIFF header is written, or None."""
    return {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])


def entries(block: bytes, order: str, start: int | None = None) -> Iterator[Entry]:
    """The tags of the directory at `start`, or of the first, without those whose value lies outside of the block.

    It ends where the values together are longer than the block: a thousand that all lie on the same megabytes, which
    each would be copied, are nobody's photo.

    Raises: struct.error where the directory ends early, after what came before.
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
    """Tags as a directory that will stand at `start`, the last of its block; values that do not fit in it follow it."""
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
