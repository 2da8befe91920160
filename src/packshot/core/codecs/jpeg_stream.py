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
# Start-of-frame markers; C4, C8 and CC, which lie among them, are not. The rest is lossless or hierarchical.
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_READABLE_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
_PROGRESSIVE, _ARITHMETIC = frozenset({0xC2, 0xCA}), frozenset({0xC9, 0xCA})
# Quantization and Huffman tables, arithmetic conditioning, restart interval.
_TABLES = frozenset({0xDB, 0xC4, 0xCC, _DRI})

# A camera writes ten to thirty segments; a large profile or XMP block a few hundred.
_MAX_SEGMENTS = 2000
# Progressive encoders write about 10 scans, which pass over the whole picture 5 times; those that search for the
# smallest file up to 40, in 8. At 50 megapixels a pass costs up to 0.2 s, and of arithmetic coding 0.8 s, in which
# nobody writes more than the usual script. Bytes do not count: a scan of ten bytes can say that nothing changes.
_MAX_SCANS = 100
_MAX_PASSES = {False: 16.0, True: 6.0}
_MAX_FILL = 1 << 20
_NOT_FILL = re.compile(rb"[^\xff]")  # any number of 0xff may stand before a marker's code
# Inside a scan, 0xff is followed by 0 or by a restart marker. Codes below C0 mean nothing: noise between intervals.
_SCAN_END = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")
_IN_SCAN = re.compile(rb"\xff+([\x01-\xbf\xd0-\xd7])")
_MAX_NOISE = 1000

# JFIF decides how colours are stored. Versions that libjpeg does not know draw a warning: all become 1.01.
_JFIF = b"\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
# Adobe's numbers for how colours are stored, and the one that libjpeg takes any other for: YCbCr, YCCK.
_ADOBE_TRANSFORMS = {3: (frozenset({0, 1}), 1), 4: (frozenset({0, 2}), 2)}


@dataclass(frozen=True)
class Segment:
    """start: of its marker. end: behind its body."""

    marker: int
    start: int
    end: int
    body: bytes


@dataclass(frozen=True)
class Component:
    """One colour channel. number: its place in the frame. name: not always its own. across, down: sampling factors."""

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
        """It as a file has it."""
        fields = (bytes([each.name, each.across << 4 | each.down, each.table]) for each in self.components)
        body = struct.pack(">BHHB", 8, self.size.height, self.size.width, len(self.components)) + b"".join(fields)
        return segment(self.marker, body)

    def mcus(self, components: Sequence[Component]) -> Size:
        """How many MCUs (minimum coded units) a scan of these components has across and down (T.81, A.2)."""
        widest, tallest = (max(getattr(each, way) for each in self.components) for way in ("across", "down"))
        if len(components) > 1:
            return Size(-(-self.size.width // (8 * widest)), -(-self.size.height // (8 * tallest)))
        alone = components[0]
        width, height = (-(-self.size.width * alone.across // widest), -(-self.size.height * alone.down // tallest))
        return Size(-(-width // 8), -(-height // 8))


@dataclass(frozen=True)
class Scan:
    """One scan, ready to be written again.

    tables: the segments before it. components: in the order of its header. restart_mcus: its restart interval, 0 for
    none. head: its header. coded: its entropy-coded bytes, restart markers included.
    """

    tables: bytes
    components: tuple[Component, ...]
    restart_mcus: int
    head: bytes
    coded: bytes | memoryview


@dataclass(frozen=True)
class Stream:
    """The parts of a file that make pixels, put right where what is odd about them says nothing of the pixels.

    A broken profile or thumbnail must not cost the picture, and metadata is the larger part of the surface that a
    hostile file could aim at.
    """

    frame: Frame
    scans: tuple[Scan, ...]

    def joined(self) -> bytes:
        """The file again, with an end marker whether or not it had one."""
        head, *others = self.scans
        parts = [b"\xff\xd8", head.tables, self.frame.segment(), head.head, head.coded]
        for scan in others:
            parts += (scan.tables, scan.head, scan.coded)
        return b"".join([*parts, b"\xff\xd9"])

    def intervals(self, scan: Scan) -> list[bytes]:
        """The coded bytes of a scan between its restart markers, without these.

        Noise between an interval and the restart marker that must follow is left out from its first marker on; so is a
        marker that stands twice. Raises UnreadableImage where an interval is missing: their number is known, and their
        markers are in order.
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
        """It with other coded bytes in each scan."""
        pairs = zip(self.scans, intervals, strict=True)
        return replace(self, scans=tuple(replace(scan, coded=with_restarts(parts)) for scan, parts in pairs))


def segment(marker: int, body: bytes) -> bytes:
    """The bytes of a segment."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_restarts(intervals: Sequence[bytes]) -> bytes:
    """Coded bytes with a restart marker between each two intervals."""
    parts = [part for number, each in enumerate(intervals) for part in (each, bytes([0xFF, 0xD0 + number % 8]))]
    return b"".join(parts[:-1])


def segments(data: bytes) -> Iterator[Segment]:
    """All up to and including the first start of scan, as `_segments_from` has them."""
    return _segments_from(data, 2, _MAX_SEGMENTS)


def _segments_from(data: bytes, position: int, most: int) -> Iterator[Segment]:
    """The segments up to and including the next start of scan or the end marker, which also stands for the file's end.

    Bytes between segments are skipped, as libjpeg does. Raises: UnreadableImage.
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
    raise damaged("JPEG", f"has more than {_MAX_SEGMENTS:,} segments beside its picture data")


def read_frame(found: Segment) -> Frame:
    """Raises UnreadableImage, UnsupportedFormat, UnsupportedDepth."""
    if len(found.body) < 6 or len(found.body) != 6 + 3 * found.body[5]:
        raise damaged("JPEG", "has a frame header of the wrong length")
    precision, height, width, count = struct.unpack_from(">BHHB", found.body)
    if found.marker not in _READABLE_FRAMES:
        raise UnsupportedFormat(
            f"This JPEG is of a rare kind (lossless or hierarchical, marker {found.marker:02X}).",
            hint="Save it as a usual JPEG (baseline or progressive), or as a PNG.",
        )
    if precision != 8:
        raise UnsupportedDepth(
            f"This JPEG has {precision} bits per channel; 8 are read.", hint="Save it with 8 bits per channel."
        )
    if count not in {1, 3, 4} or 0 in {width, height}:
        raise damaged("JPEG", f"claims {width}x{height} px in {count} colour channels")
    fields = (found.body[6 + 3 * number : 9 + 3 * number] for number in range(count))
    components = tuple(
        Component(number, name, factors >> 4, factors & 15, table)
        for number, (name, factors, table) in enumerate(fields)
    )
    if not all(0 < factor <= 4 for each in components for factor in (each.across, each.down)):
        raise damaged("JPEG", "has sampling factors out of 1 to 4")
    for way in ("across", "down"):
        factors = [getattr(each, way) for each in components]
        if any(max(factors) % factor for factor in factors):
            raise UnsupportedFormat(
                f"This JPEG has colours at {min(factors)} to {max(factors)} of the full resolution {way}; "
                "whole parts of it are read.",
                hint="Save it as a usual JPEG (baseline or progressive), or as a PNG.",
            )
    return Frame(found.marker, Size(width, height), components)


def read_stream(data: bytes, before: Sequence[Segment]) -> Stream:
    """The scans of a file. before: its segments up to and including the first start of scan.

    A picture that is not progressive ends with the scan that gives its last colour channel, whatever follows. Raises:
    UnreadableImage where a part is missing, or where the scans are more work than a picture is worth.
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
    """Which coefficients of which components the scans have given so far, to which bit (T.81, G.1.1.1)."""

    def __init__(self, frame: Frame) -> None:
        self._frame, self._scans, self._passes = frame, 0, 0.0
        self._missing_bits = [np.full(64, 16) for _ in frame.components]
        self._blocks = sum(each.across * each.down for each in frame.components)

    def add(self, components: tuple[Component, ...], head: bytes) -> None:
        first, last, bits = head[-3:]
        self._scans += 1
        self._passes += sum(each.across * each.down for each in components) / self._blocks
        if self._scans > _MAX_SCANS or self._passes > _MAX_PASSES[self._frame.arithmetic]:
            raise damaged("JPEG", f"has {self._scans} scans or more; real ones have about 10")
        if last > 63 or first > last:
            raise damaged("JPEG", "has a scan of coefficients that do not exist")
        for each in components:
            missing = self._missing_bits[each.number]
            if not self._frame.progressive and not missing.any():
                raise damaged("JPEG", "has a colour channel twice")
            missing[first : last + 1] = bits & 15

    @property
    def complete(self) -> bool:
        """Whether no scan can follow. A progressive picture may always have one more."""
        return not self._frame.progressive and not any(each.any() for each in self._missing_bits)

    def check(self, *, ended: bool) -> None:
        """Raises UnreadableImage where something is missing."""
        if any(each.any() for each in self._missing_bits) or (self._frame.progressive and not ended):
            raise damaged("JPEG", f"is cut off: its picture data end after {self._scans} scans, and more must follow")


def _scan_header(frame: Frame, body: bytes) -> tuple[tuple[Component, ...], bytes]:
    """The components of a scan, and its header. Raises UnreadableImage.

    Outside of progressive files the last three bytes can have one value only, which some cameras get wrong.
    """
    count = body[0] if body else 0
    chosen = list[Component]()
    for name in body[1 : 1 + 2 * count : 2]:
        # Where all channels have one name, they are meant in their order, as libjpeg takes them.
        chosen += [each for each in frame.components if each.name == name and each not in chosen][:1]
    if not 0 < count <= 4 or len(chosen) != count or len(body) < (4 if frame.progressive else 1) + 2 * count:
        raise damaged("JPEG", "has a broken scan header")
    return tuple(chosen), body[: 1 + 2 * count] + (body[1 + 2 * count :][:3] if frame.progressive else b"\0\x3f\0")


def _coded(data: bytes, start: int, end: int) -> bytes | memoryview:
    """The coded bytes of a scan: without copying them, as they are nearly all of the file, where they end as usual.

    A fill byte at their end is none of them; nor is half of a pair that a cut has parted.
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
    """Adobe's segment, if libjpeg would obey it, with a number for how colours are stored that is one of Adobe's."""
    if len(body) < 12 or channels == 1:
        return b""
    known, usual = _ADOBE_TRANSFORMS[channels]
    return segment(APP14, body[:11] + bytes([body[11] if body[11] in known else usual]))
