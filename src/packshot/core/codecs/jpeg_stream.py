"""The structure of a JPEG (ITU-T T.81, annex B): its segments, its frame and its scans, without any pixel."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from packshot.core.codecs.limits import damaged
from packshot.core.geometry import Size
from packshot.errors import UnsupportedDepth, UnsupportedFormat

EOI, SOS, APP0, APP1, APP2, APP14 = 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE
_DRI = 0xDD
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
# Start-of-frame markers: C0 to CF without C4, C8 and CC. The unreadable ones are lossless or hierarchical.
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_READABLE_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
_PROGRESSIVE, _ARITHMETIC = frozenset({0xC2, 0xCA}), frozenset({0xC9, 0xCA})
# Quantization and Huffman tables, arithmetic conditioning, restart interval.
_TABLES = frozenset({0xDB, 0xC4, 0xCC, _DRI})

# A camera writes 10 to 30 segments. A large profile or XMP block adds a few hundred.
_MAX_SEGMENTS = 2000
# Progressive encoders write about 10 scans, which make 5 passes over the whole picture. Encoders that search for the
# smallest file write up to 40 scans in 8 passes. At 50 megapixels a pass costs up to 0.2 s, or 0.8 s with arithmetic
# coding, where encoders write only the usual scans. Bytes do not show the cost: an empty scan takes ten bytes.
_MAX_SCANS = 100
_MAX_PASSES = {False: 16.0, True: 6.0}
_MAX_FILL = 1 << 20
_NOT_FILL = re.compile(rb"[^\xff]")  # any number of 0xff may precede a marker's code
# Inside a scan, 0 or a restart marker follows 0xff. Codes below C0 have no meaning: they are noise between intervals.
_SCAN_END = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")
_IN_SCAN = re.compile(rb"\xff+([\x01-\xbf\xd0-\xd7])")
_MAX_NOISE = 1000

# JFIF determines how colours are stored. libjpeg warns about unknown versions, so all become 1.01.
_JFIF = b"\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
# By number of channels: Adobe's valid colour transforms, and the one that libjpeg uses for any other (YCbCr, YCCK).
_ADOBE_TRANSFORMS = {3: (frozenset({0, 1}), 1), 4: (frozenset({0, 2}), 2)}


@dataclass(frozen=True)
class Segment:
    """A marker segment. start: offset of its marker. end: offset behind its body."""

    marker: int
    start: int
    end: int
    body: bytes


@dataclass(frozen=True)
class Component:
    """One colour channel. number: its index in the frame. name: not always unique. across, down: sampling factors."""

    number: int
    name: int
    across: int
    down: int
    table: int


@dataclass(frozen=True)
class Frame:
    """The frame header."""

    marker: int
    size: Size
    components: tuple[Component, ...]

    @property
    def progressive(self) -> bool:
        return self.marker in _PROGRESSIVE

    @property
    def arithmetic(self) -> bool:
        return self.marker in _ARITHMETIC

    def segment(self) -> bytes:
        """The header as a file stores it."""
        fields = (bytes([each.name, each.across << 4 | each.down, each.table]) for each in self.components)
        body = struct.pack(">BHHB", 8, self.size.height, self.size.width, len(self.components)) + b"".join(fields)
        return segment(self.marker, body)

    def mcus(self, components: Sequence[Component]) -> Size:
        """The number of MCUs (minimum coded units) across and down in a scan of these components (T.81, A.2)."""
        widest, tallest = (max(getattr(each, way) for each in self.components) for way in ("across", "down"))
        if len(components) > 1:
            return Size(-(-self.size.width // (8 * widest)), -(-self.size.height // (8 * tallest)))
        alone = components[0]
        width, height = (-(-self.size.width * alone.across // widest), -(-self.size.height * alone.down // tallest))
        return Size(-(-width // 8), -(-height // 8))


@dataclass(frozen=True)
class Scan:
    """One scan, ready to write again.

    tables: the segments before it. components: in the order of its header. restart_mcus: its restart interval; 0 for
    none. head: its header. coded: its entropy-coded bytes with restart markers.
    """

    tables: bytes
    components: tuple[Component, ...]
    restart_mcus: int
    head: bytes
    coded: bytes | memoryview


@dataclass(frozen=True)
class Stream:
    """The parts of a file that produce pixels, with harmless faults corrected.

    A broken profile or thumbnail must not cost the picture. Metadata is also the larger part of the attack surface.
    """

    frame: Frame
    scans: tuple[Scan, ...]

    def joined(self) -> bytes:
        """The cleaned file, always with an end marker."""
        head, *others = self.scans
        parts = [b"\xff\xd8", head.tables, self.frame.segment(), head.head, head.coded]
        for scan in others:
            parts += (scan.tables, scan.head, scan.coded)
        return b"".join([*parts, b"\xff\xd9"])

    def intervals(self, scan: Scan) -> list[bytes]:
        """The coded bytes of a scan, split at its restart markers, without the markers.

        Leaves out noise before a restart marker, from the first marker in the noise on, and repeated markers. Raises
        UnreadableImage if an interval is missing: the number of intervals is known, and markers are in order.
        """
        across, down = self.frame.mcus(scan.components)
        count = -(-across * down // scan.restart_mcus) if scan.restart_mcus else 1
        found, start, noise, inside = list[bytes](), 0, 0, True
        for marker in _IN_SCAN.finditer(scan.coded):
            if inside and (marker.start() > start or not found):
                found.append(bytes(scan.coded[start : marker.start()]))
            inside = len(found) < count and marker[1][0] == 0xD0 + (len(found) - 1) % 8
            start, noise = marker.end(), noise + (not inside)
            if len(found) == count or noise > _MAX_NOISE:
                break
        if inside and len(found) < count:
            found.append(bytes(scan.coded[start:]))
        if len(found) != count:
            raise damaged("JPEG", f"has {len(found):,} parts of its picture data, and {count:,} are needed")
        return found

    def with_intervals(self, intervals: Sequence[Sequence[bytes]]) -> Stream:
        """A copy with other coded bytes in each scan."""
        pairs = zip(self.scans, intervals, strict=True)
        return replace(self, scans=tuple(replace(scan, coded=with_restarts(parts)) for scan, parts in pairs))


def segment(marker: int, body: bytes) -> bytes:
    """The bytes of a segment."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_restarts(intervals: Sequence[bytes]) -> bytes:
    """Join intervals of coded bytes, with a restart marker between them."""
    parts = [part for number, each in enumerate(intervals) for part in (each, bytes([0xFF, 0xD0 + number % 8]))]
    return b"".join(parts[:-1])


def segments(data: bytes) -> Iterator[Segment]:
    """The segments up to and including the first start of scan; see `_segments_from`."""
    return _segments_from(data, 2, _MAX_SEGMENTS)


def _segments_from(data: bytes, position: int, most: int) -> Iterator[Segment]:
    """The segments up to and including the next start of scan or end marker. The file's end counts as an end marker.

    Skips bytes between segments, as libjpeg does. Raises UnreadableImage.
    """
    for _ in range(most):
        start = data.find(b"\xff", position)
        code = _NOT_FILL.search(data, start + 1, start + 1 + _MAX_FILL) if start >= 0 else None
        if code is None:
            yield Segment(EOI, len(data), len(data), b"")
            return
        marker, position = data[code.start()], code.end()
        if marker == 0 or marker in _STANDALONE:
            continue
        if marker == EOI:
            yield Segment(EOI, start, position, b"")
            return
        length = int.from_bytes(data[position : position + 2], "big")
        if length < 2 or position + length > len(data):
            raise damaged("JPEG", f"ends after {len(data):,} bytes, inside its header")
        yield Segment(marker, start, position + length, data[position + 2 : position + length])
        if marker == SOS:
            return
        position += length
    raise damaged("JPEG", f"has more than {_MAX_SEGMENTS:,} segments besides its picture data")


def read_frame(found: Segment) -> Frame:
    """Read and check a frame header. Raises UnreadableImage, UnsupportedFormat, UnsupportedDepth."""
    if len(found.body) < 6 or len(found.body) != 6 + 3 * found.body[5]:
        raise damaged("JPEG", "has a frame header of the wrong length")
    precision, height, width, count = struct.unpack_from(">BHHB", found.body)
    if found.marker not in _READABLE_FRAMES:
        raise UnsupportedFormat(
            f"This JPEG uses a rare coding (lossless or hierarchical, marker {found.marker:02X}).",
            hint="Save it as a baseline or progressive JPEG, or as a PNG.",
        )
    if precision != 8:
        raise UnsupportedDepth(
            f"This JPEG has {precision} bits per channel; only 8 are read.", hint="Save it with 8 bits per channel."
        )
    if count not in {1, 3, 4} or 0 in {width, height}:
        raise damaged("JPEG", f"claims {width}x{height} px in {count} colour channels")
    fields = (found.body[6 + 3 * number : 9 + 3 * number] for number in range(count))
    components = tuple(
        Component(number, name, factors >> 4, factors & 15, table)
        for number, (name, factors, table) in enumerate(fields)
    )
    if not all(0 < factor <= 4 for each in components for factor in (each.across, each.down)):
        raise damaged("JPEG", "has sampling factors outside 1 to 4")
    for way in ("across", "down"):
        factors = [getattr(each, way) for each in components]
        if any(max(factors) % factor for factor in factors):
            raise UnsupportedFormat(
                f"This JPEG has sampling factors of {min(factors)} to {max(factors)} {way}; "
                "colours are read at the full resolution, or 1/2, 1/3 or 1/4 of it.",
                hint="Save it as a baseline or progressive JPEG, or as a PNG.",
            )
    return Frame(found.marker, Size(width, height), components)


def read_stream(data: bytes, before: Sequence[Segment]) -> Stream:
    """Read the scans of a file. before: its segments up to and including the first start of scan.

    A picture that is not progressive ends with the scan of its last colour channel; later bytes are ignored. Raises
    UnreadableImage if a part is missing, or if the scans cost too much work.
    """
    frames = [each for each in before if each.marker in FRAMES]
    if before[-1].marker != SOS or len(frames) != 1:
        raise damaged("JPEG", "has two frame headers" if len(frames) > 1 else "ends before its picture data")
    frame = read_frame(frames[0])
    progress = _Progress(frame)
    scans, restart_mcus, left = list[Scan](), 0, _MAX_SEGMENTS
    while before[-1].marker == SOS:
        restart_mcus = _restart_mcus(before, restart_mcus)
        start = before[-1].end
        end = _SCAN_END.search(data, start)
        components, head = _scan_header(frame, before[-1].body)
        progress.add(components, head)
        coded = _coded(data, start, end.start() if end else len(data))
        tables = b"".join(_kept(each, len(frame.components)) for each in before[:-1])
        scans.append(Scan(tables, components, restart_mcus, segment(SOS, head), coded))
        left -= len(before)
        if progress.complete or end is None:
            break
        before = list(_segments_from(data, end.start(), left))
        if any(each.marker in FRAMES for each in before):
            raise damaged("JPEG", "has two frame headers")
    ended = before[-1].marker == EOI and before[-1].start < len(data)
    progress.check(ended=ended)
    return Stream(frame, tuple(scans))


class _Progress:
    """Tracks the coefficients that the scans have given so far, by component and bit (T.81, G.1.1.1)."""

    def __init__(self, frame: Frame) -> None:
        self._frame, self._scans, self._passes = frame, 0, 0.0
        self._missing_bits = [np.full(64, 16) for _ in frame.components]
        self._blocks = sum(each.across * each.down for each in frame.components)

    def add(self, components: tuple[Component, ...], head: bytes) -> None:
        first, last, bits = head[-3:]
        self._scans += 1
        self._passes += sum(each.across * each.down for each in components) / self._blocks
        if self._scans > _MAX_SCANS or self._passes > _MAX_PASSES[self._frame.arithmetic]:
            raise damaged("JPEG", f"has {self._scans} scans or more; real JPEGs have about 10")
        if last > 63 or first > last:
            raise damaged("JPEG", "has a scan of coefficients that do not exist")
        for each in components:
            missing = self._missing_bits[each.number]
            if not self._frame.progressive and not missing.any():
                raise damaged("JPEG", "has a colour channel twice")
            missing[first : last + 1] = bits & 15

    @property
    def complete(self) -> bool:
        """Whether no scan can follow. False for a progressive picture, which may always have one more."""
        return not self._frame.progressive and not any(each.any() for each in self._missing_bits)

    def check(self, *, ended: bool) -> None:
        """Raise UnreadableImage if something is missing."""
        if any(each.any() for each in self._missing_bits) or (self._frame.progressive and not ended):
            raise damaged("JPEG", f"is cut off: its picture data end after {self._scans} scans, and more must follow")


def _scan_header(frame: Frame, body: bytes) -> tuple[tuple[Component, ...], bytes]:
    """The components of a scan, and its header. Raises UnreadableImage.

    Outside progressive files the last three bytes have one valid value. It is set here, as some cameras get it wrong.
    """
    count = body[0] if body else 0
    chosen = list[Component]()
    for name in body[1 : 1 + 2 * count : 2]:
        # If all channels have the same name, they count in their order, as in libjpeg.
        chosen += [each for each in frame.components if each.name == name and each not in chosen][:1]
    if not 0 < count <= 4 or len(chosen) != count or len(body) < (4 if frame.progressive else 1) + 2 * count:
        raise damaged("JPEG", "has a broken scan header")
    return tuple(chosen), body[: 1 + 2 * count] + (body[1 + 2 * count :][:3] if frame.progressive else b"\0\x3f\0")


def _coded(data: bytes, start: int, end: int) -> bytes | memoryview:
    """The coded bytes of a scan. Usually not a copy, as they are nearly the whole file.

    Leaves out fill bytes at the end, and half of a two-byte code that was cut.
    """
    coded = memoryview(data)[start:end]
    return bytes(coded).rstrip(b"\xff") if data[end - 1] == 0xFF else coded


def _restart_mcus(before: Iterable[Segment], known: int) -> int:
    for each in before:
        if each.marker == _DRI and len(each.body) == 2:
            known = int.from_bytes(each.body, "big")
    return known


def _kept(found: Segment, channels: int) -> bytes:
    if found.marker == APP0 and found.body.startswith(b"JFIF\0"):
        return _JFIF
    if found.marker == APP14 and found.body.startswith(b"Adobe"):
        return _adobe(found.body, channels)
    return segment(found.marker, found.body) if found.marker in _TABLES else b""


def _adobe(body: bytes, channels: int) -> bytes:
    """Adobe's segment with a valid colour transform; empty if libjpeg would ignore the segment."""
    if len(body) < 12 or channels == 1:
        return b""
    known, usual = _ADOBE_TRANSFORMS[channels]
    return segment(APP14, body[:11] + bytes([body[11] if body[11] in known else usual]))
