"""JPEG (ITU-T T.81), by libjpeg-turbo: through simplejpeg, or through Pillow for unusual sampling factors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import simplejpeg

from packshot.core.codecs.exif import read_orientation
from packshot.core.codecs.formats import Header, Raster
from packshot.core.codecs.jpeg_strays import without_strays
from packshot.core.codecs.jpeg_stream import (
    APP1,
    APP2,
    FRAMES,
    Segment,
    Stream,
    read_frame,
    read_stream,
    segment,
    segments,
)
from packshot.core.codecs.limits import damaged
from packshot.core.codecs.samples import opened
from packshot.core.picture import UInt8

_NO_NAME = "Could not determine subsampling"
_SPACES = {1: "GRAY", 3: "RGB", 4: "CMYK"}
# Bytes appended to the coded ones, to test whether a decoder needs more than the file has. At the end it reads zeros.
# Encoders leave out the last zeros of arithmetic coding, and its decoders look a few bytes ahead.
_TAIL, _ZEROS = b"\xaa" * 64, bytes(8)


def header(data: bytes) -> Header:
    """Read the size from frame header and EXIF. Raises UnreadableImage, UnsupportedFormat, UnsupportedDepth."""
    found = list(segments(data))
    frame = next((each for each in found if each.marker in FRAMES), None)
    if frame is None:
        raise damaged("JPEG", "has no frame header, so its size is unknown")
    return Header("jpeg", read_frame(frame).size).turned(read_orientation(_exif(found)))


def pixels(data: bytes, header: Header) -> Raster:
    """Decode. Raises UnreadableImage, also for missing data that a decoder would silently fill with gray."""
    found = list(segments(data))
    stream = read_stream(data, found)
    samples = _decode(stream, header)
    if samples.shape[:2] != (header.size.height, header.size.width):
        raise damaged("JPEG", f"gives two sizes, {header.size} and {samples.shape[1]}x{samples.shape[0]} px")
    return Raster(samples, icc=_profile(found), exif=_exif(found))


def write(rgb: UInt8, alpha: UInt8 | None, *, quality: int, exif: bytes | None) -> bytes:
    """Encode with colour at full resolution, or as gray.

    Next to a yellow product on pure white, 1 white pixel in 100 is off by 7 of 255 or more. Colour at half the
    resolution, the default of most encoders, raises this to 35: a visible halo. It saves a quarter of the bytes.
    """
    gray = rgb.ndim == 2
    samples = np.ascontiguousarray(rgb[..., None] if gray else rgb)
    space, subsampling = ("GRAY", "Gray") if gray else ("RGB", "444")
    jpeg = bytes(simplejpeg.encode_jpeg(samples, quality=quality, colorspace=space, colorsubsampling=subsampling))
    if exif is None:
        return jpeg
    end = 4 + int.from_bytes(jpeg[4:6], "big") if jpeg[2:4] == b"\xff\xe0" else 2
    return jpeg[:end] + segment(APP1, b"Exif\0\0" + exif) + jpeg[end:]


def _decode(stream: Stream, header: Header) -> UInt8:
    space = _SPACES[len(stream.frame.components)]
    try:
        samples = _strictly(stream, space)
    except (ValueError, RuntimeError) as error:
        if _NO_NAME in str(error):
            return _by_pillow(stream, header)
        raise damaged("JPEG", f"is damaged or cut off ({error})") from error
    if space == "CMYK":
        # All programs write CMYK inverted into a JPEG, following Adobe.
        return np.bitwise_not(samples)
    return samples[..., 0] if space == "GRAY" else samples


def _strictly(stream: Stream, space: str) -> UInt8:
    """Decode; treat every warning of libjpeg as an error, except for leftover bytes.

    libjpeg fills missing data with gray, and only warns. Raises ValueError, RuntimeError, UnreadableImage.
    """
    whole = stream.joined()
    try:
        samples = np.asarray(simplejpeg.decode_jpeg(whole, space))
    except ValueError as error:
        if _NO_NAME in str(error):
            raise
        if not stream.frame.progressive and not stream.frame.arithmetic:
            return without_strays(stream, space, error)
        if "extraneous bytes before marker 0xd9" not in str(error):
            raise
        # Strict decoding stops at the first warning. All pixels come before this one.
        samples = np.asarray(simplejpeg.decode_jpeg(whole, space, strict=False))
    if stream.frame.arithmetic:
        # Missing bytes cause no warning here.
        more = _with_tails(stream, _ZEROS + _TAIL).joined()
        _compare(samples, np.asarray(simplejpeg.decode_jpeg(more, space, strict=False)))
    return samples


def _by_pillow(stream: Stream, header: Header) -> UInt8:
    """Decode with Pillow, which supports all sampling factors but reports no warnings.

    A second decoding, with other bytes behind the coded ones, shows whether data are missing.
    """
    whole, more = (_with_tails(stream, tail) for tail in (b"", _ZEROS + _TAIL if stream.frame.arithmetic else _TAIL))
    with opened(whole.joined(), header) as image:
        samples = np.asarray(image)
    with opened(more.joined(), header) as image:
        _compare(samples, np.asarray(image))
    return samples


def _with_tails(stream: Stream, tail: bytes) -> Stream:
    return stream.with_intervals([[part + tail for part in stream.intervals(scan)] for scan in stream.scans])


def _compare(samples: UInt8, others: UInt8) -> None:
    if not np.array_equal(samples, others):
        raise damaged("JPEG", "is cut off: a part of its picture data is missing")


def _exif(found: Sequence[Segment]) -> bytes | None:
    blocks = (each.body[6:] for each in found if each.marker == APP1 and each.body[:6] == b"Exif\0\0")
    return next(blocks, None)


def _profile(found: Sequence[Segment]) -> bytes | None:
    """The ICC profile from its numbered pieces (ICC.1:2010, B.4), or None if a piece is missing.

    Some programs count from 0, write all pieces twice, give a wrong total, or give all the same number. The profile's
    own length shows whether the pieces are complete. If it does not, the numbers must be right.
    """
    magic = b"ICC_PROFILE\0"
    pieces = [each.body[12:] for each in found if each.marker == APP2 and each.body.startswith(magic)]
    pieces = list(dict.fromkeys(piece for piece in pieces if len(piece) > 2))
    ordered = sorted(pieces, key=lambda piece: piece[0])
    for order in (ordered, pieces):
        whole = _first_profile(b"".join(piece[2:] for piece in order))
        if whole is not None:
            return whole
    numbered = [(number, len(pieces)) for number in range(1, len(pieces) + 1)]
    right = [(piece[0], piece[1]) for piece in ordered] == numbered
    return b"".join(piece[2:] for piece in ordered) if pieces and right else None


def _first_profile(joined: bytes) -> bytes | None:
    """The profile at the start of the bytes, if they are as many as it declares (ICC.1:2010, 7.2); else None."""
    length = int.from_bytes(joined[:4], "big")
    return joined[:length] if joined[36:40] == b"acsp" and 132 <= length <= len(joined) else None
