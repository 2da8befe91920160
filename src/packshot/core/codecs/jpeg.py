"""JPEG (ITU-T T.81): segments up to the first scan are read here, pixels by libjpeg-turbo through simplejpeg."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import simplejpeg

from packshot.core.codecs.formats import Header, Raster
from packshot.core.codecs.limits import damaged
from packshot.core.geometry import Size
from packshot.core.picture import UInt8
from packshot.errors import UnsupportedDepth, UnsupportedFormat

_EOI, _SOS, _APP0, _APP1, _APP2, _APP14 = 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
# Start-of-frame markers; C4, C8 and CC, which lie among them, are not. The rest is lossless or hierarchical.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_READABLE_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
# Quantization and Huffman tables, arithmetic conditioning, restart interval.
_TABLES = frozenset({0xDB, 0xC4, 0xCC, 0xDD})

# A camera writes ten to thirty segments; a large profile or XMP block a few hundred.
_MAX_SEGMENTS = 2000
# Progressive encoders write about 10 scans. Each one costs a pass over the whole picture, however few bytes it has.
_MAX_SCANS = 100
_MAX_FILL = 1 << 20
_NOT_FILL = re.compile(rb"[^\xff]")  # any number of 0xff may stand before a marker's code
_SCAN_HEADER = re.compile(rb"\xff\xda\x00[\x08\x0a\x0c\x0e][\x01-\x04]")

# JFIF decides how colours are stored. Versions that libjpeg does not know draw a warning: all become 1.01.
_JFIF = b"\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"


@dataclass(frozen=True)
class _Segment:
    marker: int
    start: int
    body: bytes


def header(data: bytes) -> Header:
    """Size from the frame header. Raises UnreadableImage, UnsupportedFormat, UnsupportedDepth."""
    frame = next((segment for segment in _segments(data) if segment.marker in _FRAMES), None)
    if frame is None:
        raise damaged("JPEG", "has no frame header, so its size is unknown")
    return _frame_header(frame)


def pixels(data: bytes, header: Header) -> Raster:
    """Decode. Raises UnreadableImage also where data is missing that a decoder would quietly fill with gray."""
    segments = list(_segments(data))
    scan = segments[-1]
    frames = [segment for segment in segments if segment.marker in _FRAMES]
    if scan.marker != _SOS or len(frames) != 1:
        raise damaged("JPEG", "has no picture data after its header" if scan.marker != _SOS else "has two headers")
    scans = sum(1 for _ in _SCAN_HEADER.finditer(data, scan.start))
    if scans > _MAX_SCANS:
        raise damaged("JPEG", f"has {scans} scans; real ones have about 10")
    # Only what makes pixels goes on: a broken profile or thumbnail must not cost the picture, and metadata is
    # the larger part of the surface that a hostile file could aim at.
    stream = b"".join([b"\xff\xd8", *map(_kept, segments[:-1]), data[scan.start :]])
    samples = _decode(stream, components=frames[0].body[5])
    if samples.shape[:2] != (header.size.height, header.size.width):
        raise damaged("JPEG", f"gives two sizes, {header.size} and {samples.shape[1]}x{samples.shape[0]} px")
    return Raster(samples, icc=_profile(segments), exif=_exif(segments))


def write(rgb: UInt8, alpha: UInt8 | None, *, quality: int, exif: bytes | None) -> bytes:
    """Encode with colour at full resolution, or as gray.

    Beside a yellow product on pure white, 1 white pixel in 100 is off by 7 of 255 or more; with colour at half the
    resolution, as most encoders have it, by 35: a visible halo, to save a quarter of the bytes.
    """
    gray = rgb.ndim == 2
    samples = np.ascontiguousarray(rgb[..., None] if gray else rgb)
    space, subsampling = ("GRAY", "Gray") if gray else ("RGB", "444")
    jpeg = bytes(simplejpeg.encode_jpeg(samples, quality=quality, colorspace=space, colorsubsampling=subsampling))
    if exif is None:
        return jpeg
    end = 4 + int.from_bytes(jpeg[4:6], "big") if jpeg[2:4] == _JFIF[:2] else 2
    return jpeg[:end] + _segment(_APP1, b"Exif\0\0" + exif) + jpeg[end:]


def _segments(data: bytes) -> Iterator[_Segment]:
    """All segments up to and including the first start of scan. Bytes between segments are skipped, as libjpeg does."""
    position = 2
    for _ in range(_MAX_SEGMENTS):
        start = data.find(b"\xff", position)
        code = _NOT_FILL.search(data, start + 1, start + 1 + _MAX_FILL) if start >= 0 else None
        marker, position = (data[code.start()], code.start()) if code else (_EOI, len(data))
        if marker == _EOI:
            raise damaged("JPEG", f"ends after {len(data):,} bytes, before its picture data")
        position += 1
        if marker == 0 or marker in _STANDALONE:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        if length < 2 or position + length > len(data):
            raise damaged("JPEG", f"ends after {len(data):,} bytes, inside its header")
        yield _Segment(marker, start, data[position + 2 : position + length])
        if marker == _SOS:
            return
        position += length
    raise damaged("JPEG", f"has more than {_MAX_SEGMENTS:,} segments before its picture data")


def _frame_header(frame: _Segment) -> Header:
    if len(frame.body) < 6 or len(frame.body) != 6 + 3 * frame.body[5]:
        raise damaged("JPEG", "has a frame header of the wrong length")
    precision, height, width, components = struct.unpack_from(">BHHB", frame.body)
    if frame.marker not in _READABLE_FRAMES:
        raise UnsupportedFormat(
            f"This JPEG is of a rare kind (lossless or hierarchical, marker {frame.marker:02X}).",
            hint="Save it as a usual JPEG (baseline or progressive), or as a PNG.",
        )
    if precision != 8:
        raise UnsupportedDepth(
            f"This JPEG has {precision} bits per channel; 8 are read.", hint="Save it with 8 bits per channel."
        )
    if components not in {1, 3, 4} or 0 in {width, height}:
        raise damaged("JPEG", f"claims {width}x{height} px in {components} colour channels")
    return Header("jpeg", Size(width, height))


def _kept(segment: _Segment) -> bytes:
    if segment.marker == _APP0 and segment.body.startswith(b"JFIF\0"):
        return _JFIF
    adobe = segment.marker == _APP14 and segment.body.startswith(b"Adobe")
    if not (adobe or segment.marker in _TABLES or segment.marker in _FRAMES):
        return b""
    return _segment(segment.marker, segment.body)


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _decode(stream: bytes, components: int) -> UInt8:
    space = {1: "GRAY", 3: "RGB", 4: "CMYK"}[components]
    try:
        samples = _strictly(stream, space)
    except (ValueError, RuntimeError) as error:
        raise damaged("JPEG", f"is damaged or cut off ({error})") from error
    if components == 4:
        # Every program that writes CMYK into a JPEG writes it inverted, since Adobe's did.
        return np.bitwise_not(samples)
    return samples[..., 0] if components == 1 else samples


def _strictly(stream: bytes, space: str) -> UInt8:
    """libjpeg fills what is missing with gray and only warns, so every warning is an error, but for one.

    Bytes left over before the end marker draw a warning too, and some cameras leave them. As decoding stops at the
    first warning, this one means that all pixels had been decoded before it.
    """
    try:
        return np.asarray(simplejpeg.decode_jpeg(stream, space))
    except ValueError as error:
        if "extraneous bytes before marker 0xd9" not in str(error):
            raise
    return np.asarray(simplejpeg.decode_jpeg(stream, space, strict=False))


def _exif(segments: list[_Segment]) -> bytes | None:
    blocks = (segment.body[6:] for segment in segments if segment.marker == _APP1 and segment.body[:6] == b"Exif\0\0")
    return next(blocks, None)


def _profile(segments: list[_Segment]) -> bytes | None:
    """The ICC profile from its numbered pieces (ICC.1:2010, B.4), or None where one is missing."""
    magic = b"ICC_PROFILE\0"
    pieces = [segment.body for segment in segments if segment.marker == _APP2 and segment.body.startswith(magic)]
    by_number = {piece[12]: piece[14:] for piece in pieces if len(piece) > 14 and piece[13] == len(pieces)}
    whole = sorted(by_number) == list(range(1, len(pieces) + 1))
    return b"".join(by_number[number] for number in sorted(by_number)) if pieces and whole else None
