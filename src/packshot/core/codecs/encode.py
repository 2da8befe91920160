"""The way out: uint8 arrays to PNG, JPEG, WebP and AVIF, with nothing in the file but pixels and, if asked, EXIF.

PNG is written here, because encoding is the largest cost outside the network: one filter for all rows and ISA-L's
deflate take 22 ms for a cutout of 1999x1999 px where Pillow takes 120 at its fastest (docs/decisions/0002-codecs.md).
The settings of WebP and AVIF are those of docs/decisions/0021-more-formats.md.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import simplejpeg
from isal import isal_zlib
from PIL import Image

from packshot.core.codecs.jpeg import with_exif
from packshot.core.codecs.png import SIGNATURE, chunk
from packshot.core.options import OutputFormat
from packshot.core.picture import UInt8
from packshot.errors import InvalidOption

MEDIA_TYPES: Mapping[OutputFormat, str] = {
    "png": "image/png",
    "webp": "image/webp",
    "jpeg": "image/jpeg",
    "avif": "image/avif",
}
EXTENSIONS: Mapping[OutputFormat, str] = {"png": ".png", "webp": ".webp", "jpeg": ".jpg", "avif": ".avif"}
# What the formats' own fields for width and height hold; PNG's is beyond anything that fits in memory.
LARGEST_SIDE_PX: Mapping[OutputFormat, int] = {"webp": 16_383, "jpeg": 65_500, "avif": 65_536}

_GRAY, _RGB, _RGBA = 0, 2, 6
_COLOUR_TYPES = {1: _GRAY, 3: _RGB, 4: _RGBA}
_FILTER_UP = 2
# Of ISA-L's levels 0 to 3, 1 is the fastest on cutouts; 2 saves 0.3 %, 3 costs four times as much and saves nothing.
_DEFLATE_LEVEL = 1
# Says that the samples are sRGB (rendering intent 1, relative colorimetric): 13 bytes which keep colour-managed
# editors from asking, and shops with wide-gamut screens from guessing.
_SRGB = chunk(b"sRGB", b"\x01")
_AVX_WORK = np.ones(64, np.float32)

# Beyond method 2 libwebp trades away what is hardly seen: white far from the product comes back as 253.
_WEBP_METHOD = 2
# Fast and nearly as small as level 100 on mattes, at 38 ms for 2000x2000 px.
_WEBP_LOSSLESS_EFFORT = 20
_AVIF_SPEED = 8
# One thread, because a file must not depend on the machine: with another number, other bytes come out.
# Alpha is written without loss whatever the quality: at quality 80 edges were off by up to 51 of 255.
_AVIF: Mapping[str, Any] = {
    "speed": _AVIF_SPEED,
    "subsampling": "4:4:4",
    "codec": "aom",
    "max_threads": 1,
    "advanced": {"alpha:lossless": "1"},
}


def encode(
    rgb: UInt8,
    alpha: UInt8 | None = None,
    *,
    format: OutputFormat,  # noqa: A002 - the option's name
    quality: int | None = None,
    exif: bytes | None = None,
) -> bytes:
    """Write a rendering in one of four formats.

    RGB is cleared wherever alpha is 0 before anything is written, so that no file holds what was removed. Alpha is
    exact in every format that has it, and so are masks, except in JPEG.

    Parameters
    ----------
    rgb
        uint8 (H, W, 3), sRGB; or a mask, uint8 (H, W), which is written as gray.
    alpha
        uint8 (H, W), straight; not for a mask, and not for JPEG.
    format
        One of MEDIA_TYPES.
    quality
        1 to 100; needed by all but PNG. WebP loses nothing at 100; masks in WebP and AVIF never do.
    exif
        A block as in Picture.exif, to be written too.

    Returns
    -------
    The file.

    Raises
    ------
    InvalidOption
        The picture is larger than the format can be.
    ValueError
        Alpha for a mask or a JPEG, or no quality where it is needed: the caller's mistake, not a user's.
    """
    if alpha is not None and (format == "jpeg" or rgb.ndim == 2):
        raise ValueError("a JPEG has no alpha" if format == "jpeg" else "a mask has no alpha")
    if format == "png":
        return encode_mask_png(rgb, exif) if rgb.ndim == 2 else encode_png(rgb, alpha, exif)
    if quality is None:
        raise ValueError(f"{format} needs a quality")
    _check_side(rgb, format)
    if format == "jpeg":
        return encode_jpeg(rgb, quality, exif)
    image = Image.fromarray(rgb if alpha is None else _rgba(rgb, alpha))
    settings = _webp_settings(image, quality) if format == "webp" else _avif_settings(image, quality)
    out = io.BytesIO()
    image.save(out, format, exif=exif or b"", **settings)
    return out.getvalue()


def _check_side(rgb: UInt8, kind: OutputFormat) -> None:
    height, width = rgb.shape[:2]
    largest = LARGEST_SIDE_PX[kind]
    if max(width, height) > largest:
        raise InvalidOption(
            f"format is {kind}, whose sides have at most {largest:,} px; the output has {width}x{height}.",
            hint="Use png, or make the output smaller.",
            field="format",
            value=kind,
            allowed=tuple(each for each in MEDIA_TYPES if max(width, height) <= LARGEST_SIDE_PX.get(each, 1 << 31)),
        )


def _webp_settings(image: Image.Image, quality: int) -> Mapping[str, Any]:
    if image.mode == "L" or quality == 100:
        return {"lossless": True, "exact": True, "method": _WEBP_METHOD, "quality": _WEBP_LOSSLESS_EFFORT}
    # Not "exact": libwebp then fills what alpha hides with the colours beside it, and no black bleeds into the edge.
    return {"method": _WEBP_METHOD, "quality": quality}


def _avif_settings(image: Image.Image, quality: int) -> Mapping[str, Any]:
    if image.mode == "L":  # without colour, full range and quality 100 lose nothing
        return {**_AVIF, "subsampling": "4:0:0", "quality": 100}
    return {**_AVIF, "quality": quality}


def encode_png(rgb: UInt8, alpha: UInt8 | None = None, exif: bytes | None = None) -> bytes:
    """Write an RGB PNG, or with `alpha` an RGBA PNG of straight alpha.

    RGB is written as 0 wherever alpha is 0: a removed background cannot be recovered from the file, which also
    becomes about half as large.

    Parameters: rgb, uint8 (H, W, 3), sRGB; alpha, uint8 (H, W); exif, as in Picture. Returns: the file.
    """
    return _write(rgb if alpha is None else _rgba(rgb, alpha), _SRGB + _exif_chunk(exif))


def encode_mask_png(values: UInt8, exif: bytes | None = None) -> bytes:
    """Write a single-channel PNG. values: uint8 (H, W), 255 = foreground. Returns: the file."""
    return _write(values, _exif_chunk(exif))


def encode_jpeg(rgb: UInt8, quality: int = 95, exif: bytes | None = None) -> bytes:
    """Write a JPEG with colour at full resolution.

    Beside a yellow product on pure white, 1 white pixel in 100 is off by 7 of 255 or more; with colour at half the
    resolution, as most encoders have it, by 35: a visible halo, to save a quarter of the bytes.

    Parameters: rgb, uint8 (H, W, 3), sRGB, or (H, W), gray; quality, 1 to 100; exif, as in Picture. Returns: the file.
    """
    gray = rgb.ndim == 2
    samples = np.ascontiguousarray(rgb[..., None] if gray else rgb)
    space, subsampling = ("GRAY", "Gray") if gray else ("RGB", "444")
    jpeg = bytes(simplejpeg.encode_jpeg(samples, quality=quality, colorspace=space, colorsubsampling=subsampling))
    return jpeg if exif is None else with_exif(jpeg, exif)


def _rgba(rgb: UInt8, alpha: UInt8) -> UInt8:
    rgba = cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA)
    cv2.insertChannel(alpha, rgba, 3)
    return np.asarray(cv2.copyTo(rgba, alpha), np.uint8)  # 0 wherever alpha is 0


def _exif_chunk(exif: bytes | None) -> bytes:
    return chunk(b"eXIf", exif) if exif else b""


def _write(samples: UInt8, ancillary: bytes) -> bytes:
    height, width = samples.shape[:2]
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    stream = isal_zlib.compress(_filtered(samples.reshape(height, -1)), _DEFLATE_LEVEL)
    _leave_avx_clean()
    return b"".join([SIGNATURE, chunk(b"IHDR", header), ancillary, chunk(b"IDAT", stream), chunk(b"IEND", b"")])


def _filtered(rows: UInt8) -> UInt8:
    """Each row as its difference, modulo 256, to the one above; the filter's number before each row.

    The one filter that vectorises whole and never loses by much on photos: "average" and "Paeth" save 4 % and cost
    more than the deflate itself in numpy.
    """
    filtered = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _FILTER_UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return filtered


def _leave_avx_clean() -> None:
    """ISA-L leaves the upper halves of the vector registers in use, which slows down all SSE code that follows on
    this thread by half; a numpy ufunc clears them on its way out.
    """
    np.add(_AVX_WORK, _AVX_WORK)
