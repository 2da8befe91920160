"""Removes stray bytes from a JPEG's scans, after proving that no pixel needs them.

Cameras leave some before a restart marker or before the end; trailers without an end marker follow a scan. Damage also
leaves bytes over, because a decoder that loses its place may end early. This module tells the two cases apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import simplejpeg

from packshot.core.codecs.jpeg_stream import Stream, with_restarts
from packshot.core.codecs.limits import damaged
from packshot.core.geometry import Size
from packshot.core.picture import UInt8

_LEFT_OVER = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
# libjpeg holds up to 8 unused bytes that it does not count, without the 0 behind each 0xff.
_READ_AHEAD = 17
_MAX_SIDE_PX = 65_500
# Each try decodes at least one interval, in 40 us; 12 tries find its end. A webcam's picture has a few hundred
# intervals. At 10 ns per pixel, all tries take at most 6 s: enough for one interval of 50 megapixels.
_MAX_TRIES = 20_000
_MAX_PIXELS = 600_000_000
_FILL = 4


def without_strays(stream: Stream, space: str, fault: Exception) -> UInt8:
    """Decode a sequential, Huffman-coded picture without the stray bytes in its intervals.

    space: simplejpeg's colour space. fault: the error of decoding with these bytes. Returns the samples. Raises
    UnreadableImage.
    """
    tries = _Tries()
    intervals = [stream.intervals(scan) for scan in stream.scans]
    # A decoder may report one interval's bytes in the next. The first pass trims only the reported intervals. If
    # stray bytes remain, the second pass trims every interval.
    for every in (False, True):
        trimmed = [_trimmed(stream, number, parts, tries, every) for number, parts in enumerate(intervals)]
        try:
            return np.asarray(simplejpeg.decode_jpeg(stream.with_intervals(trimmed).joined(), space))
        except ValueError as error:
            fault = error
    raise damaged("JPEG", f"is damaged or cut off ({fault})") from fault


class _Tries:
    def __init__(self) -> None:
        self._left, self._pixels_left = _MAX_TRIES, _MAX_PIXELS

    def decode(self, data: bytes, size: Size) -> tuple[UInt8 | None, str]:
        """The samples and "", or None and the error."""
        self._left -= 1
        self._pixels_left -= size.width * size.height
        if min(self._left, self._pixels_left) < 0:
            raise damaged("JPEG", "is damaged in too many places")
        try:
            return np.asarray(simplejpeg.decode_jpeg(data)), ""
        except ValueError as error:
            return None, str(error)


def _trimmed(stream: Stream, number: int, parts: list[bytes], tries: _Tries, every: bool) -> list[bytes]:
    """The intervals of a scan without their stray bytes."""
    scan = stream.scans[number]
    if len(scan.components) not in {1, len(stream.frame.components)}:
        return parts  # a picture of two channels cannot be made
    across, down = stream.frame.mcus(scan.components)
    last = across * down - scan.restart_mcus * (len(parts) - 1)
    rest = _Intervals(stream, number, last, across, tries)
    if len(parts) == 1:
        return rest.trimmed(parts, every)
    return [
        *_Intervals(stream, number, scan.restart_mcus, across, tries).trimmed(parts[:-1], every),
        *rest.trimmed(parts[-1:], every),
    ]


class _Intervals:
    """Intervals of equal length as a separate picture, in which each interval fills some rows of MCUs.

    An interval depends on no other interval, and its bytes do not depend on the position of its MCUs.
    """

    def __init__(self, stream: Stream, number: int, mcus: int, across: int, tries: _Tries) -> None:
        frame, scan, self._tries = stream.frame, stream.scans[number], tries
        components = scan.components
        if len(components) == 1:
            components = (replace(components[0], across=1, down=1),)
        one = Size(*(8 * max(getattr(each, way) for each in components) for way in ("across", "down")))
        wide = mcus if mcus * one.width <= _MAX_SIDE_PX else across
        if mcus % wide:
            raise damaged("JPEG", "is damaged or cut off")
        self._frame = replace(frame, components=components)
        self._unit = Size(wide * one.width, mcus // wide * one.height)
        self._tables = b"".join(each.tables for each in stream.scans[: number + 1])
        self._head = scan.head

    def trimmed(self, parts: list[bytes], every: bool) -> list[bytes]:
        """The intervals without stray bytes. Raises UnreadableImage if one of them is damaged."""
        if not every and self._decode(parts)[0] is not None:
            return parts
        if len(parts) == 1:
            return [self._without_rest(parts[0])]
        half = len(parts) // 2
        return [*self.trimmed(parts[:half], every), *self.trimmed(parts[half:], every)]

    def _without_rest(self, part: bytes) -> bytes:
        # Extra bytes, so that the decoder reports even a single stray byte.
        _, fault = self._decode([part + bytes(2 * _READ_AHEAD)])
        named = _LEFT_OVER.search(fault)
        longest = len(part) + 2 * _READ_AHEAD - (int(named[1]) if named else 0)
        if named is None or (longest > len(part) and self._decode([part])[0] is None):
            raise damaged("JPEG", f"is damaged or cut off ({fault})")
        shortest, longest = max(-1, longest - _READ_AHEAD - 1), min(longest, len(part))
        while longest - shortest > 1:
            middle = (shortest + longest) // 2
            enough = self._decode([part[:middle]])[0] is not None
            shortest, longest = (shortest, middle) if enough else (middle, longest)
        used = part[:longest]
        if len(used) < len(part):
            self._check(used, part[longest])
        return used

    def _check(self, used: bytes, following: int) -> None:
        """Check that an interval ends at its encoder's end: all unused bits of its last byte are 1.

        Only 15 passed of 200 photos with 64 bytes of noise or zeros, whose decoding left bytes over. Zeros in place of
        missing data may also be valid codes. Raises UnreadableImage.
        """
        if not used or used[-_FILL:] == bytes([following]) * _FILL:
            raise damaged("JPEG", "is damaged or cut off: its picture data end in fill bytes")
        last = used[-1]
        zero = ~last & (last + 1)  # its lowest bit that is 0
        if used.endswith(b"\xff\0") or zero > 255:
            return
        other = used[:-1] + bytes([last | zero]).replace(b"\xff", b"\xff\0")
        (samples, _), (others, _) = self._decode([used]), self._decode([other])
        if samples is not None and others is not None and np.array_equal(samples, others):
            raise damaged("JPEG", "is damaged: a part of its picture data ends too early")

    def _decode(self, parts: Sequence[bytes]) -> tuple[UInt8 | None, str]:
        size = Size(self._unit.width, self._unit.height * len(parts))
        if max(size) > _MAX_SIDE_PX:
            return None, "too large"
        frame = replace(self._frame, size=size)
        coded = with_restarts([part.rstrip(b"\xff") for part in parts])
        stream = b"".join([b"\xff\xd8", self._tables, frame.segment(), self._head, coded, b"\xff\xd9"])
        return self._tries.decode(stream, size)
