"""WebP (RFC 9649): reads the size itself, because Pillow allocates the whole canvas when it opens a file."""

from __future__ import annotations

import numpy as np

from packshot.core.codecs.exif import read_orientation, without_prefix
from packshot.core.codecs.formats import Header, Raster
from packshot.core.codecs.limits import damaged
from packshot.core.codecs.samples import join, opened, saved, split
from packshot.core.geometry import Size
from packshot.core.picture import UInt8

# Beyond method 2, libwebp drops details that are hard to see: white far from the product becomes 253.
_METHOD = 2
# Fast and nearly as small as level 100 on mattes, at 38 ms for 2000x2000 px (docs/decisions/0021-more-formats.md).
_LOSSLESS_EFFORT = 20
_HAS_EXIF = 8  # among the flags of VP8X
_MAX_CHUNKS = 10_000  # each frame of an animation is one; the longest have a few thousand


def header(data: bytes) -> Header:
    """Read the size of the canvas, turned by EXIF. Raises UnreadableImage."""
    # Enough bytes to hold the size. A complete lossless file of one colour has 28 bytes.
    if len(data) < (25 if data[12:16] == b"VP8L" else 30):
        raise damaged("WebP", f"ends after {len(data)} bytes, inside its header")
    claimed = 8 + int.from_bytes(data[4:8], "little")
    if claimed > len(data):
        raise damaged("WebP", f"is cut off: its header requires {claimed:,} bytes, and the file has {len(data):,}")
    size = _size(data)
    if size is None or 0 in size:
        raise damaged("WebP", "has a header that gives no size")
    return Header("webp", size).turned(read_orientation(without_prefix(_exif(data))))


def _exif(data: bytes) -> bytes | None:
    """The EXIF chunk, if the file is extended and declares one; libwebp returns no other."""
    if data[12:16] != b"VP8X" or not data[20] & _HAS_EXIF:
        return None
    position = 12
    for _ in range(_MAX_CHUNKS):
        name, length = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        if name == b"EXIF" or len(name) < 4:
            return data[position + 8 : position + 8 + length] or None
        position += 8 + length + length % 2
    return None


def _size(data: bytes) -> Size | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return Size(1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little"))
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return Size(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        # The upper two bits of each are a hint for scaling.
        return Size(int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF)
    return None


def pixels(data: bytes, header: Header) -> Raster:
    """Decode the first frame. Raises UnreadableImage."""
    with opened(data, header) as image:
        icc, exif = image.info.get("icc_profile"), image.info.get("exif")
        samples, alpha = split(np.asarray(image))
    return Raster(samples, alpha, icc, without_prefix(exif))


def write(rgb: UInt8, alpha: UInt8 | None, *, quality: int, exif: bytes | None) -> bytes:
    """Encode. Masks, and all pictures at quality 100, are lossless."""
    if rgb.ndim == 2 or quality == 100:
        settings = {"lossless": True, "exact": True, "quality": _LOSSLESS_EFFORT}
    else:
        # Without "exact", libwebp fills hidden pixels with nearby colours, so that no black bleeds into the edge.
        settings = {"quality": quality}
    return saved(join(rgb, alpha), "WebP", method=_METHOD, exif=exif or b"", **settings)
