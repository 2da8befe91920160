"""The way out: uint8 arrays to PNG and JPEG, with nothing in the file but pixels.

PNG is written here, because encoding is the largest cost outside the network: one filter for all rows and ISA-L's
deflate take 22 ms for a cutout of 1999x1999 px where Pillow takes 120 at its fastest (docs/decisions/0002-codecs.md).
"""

from __future__ import annotations

import struct

import cv2
import numpy as np
import simplejpeg
from isal import isal_zlib

from packshot.core.codecs.png import SIGNATURE, chunk
from packshot.core.picture import UInt8

_GRAY, _RGB, _RGBA = 0, 2, 6
_COLOUR_TYPES = {1: _GRAY, 3: _RGB, 4: _RGBA}
_FILTER_UP = 2
# Of ISA-L's levels 0 to 3, 1 is the fastest on cutouts; 2 saves 0.3 %, 3 costs four times as much and saves nothing.
_DEFLATE_LEVEL = 1
# Says that the samples are sRGB (rendering intent 1, relative colorimetric): 13 bytes which keep colour-managed
# editors from asking, and shops with wide-gamut screens from guessing.
_SRGB = chunk(b"sRGB", b"\x01")
_AVX_WORK = np.ones(64, np.float32)


def encode_png(rgb: UInt8, alpha: UInt8 | None = None) -> bytes:
    """Write an RGB PNG, or with `alpha` an RGBA PNG of straight alpha.

    RGB is written as 0 wherever alpha is 0: a removed background cannot be recovered from the file, which also
    becomes about half as large.

    Parameters: rgb, uint8 (H, W, 3), sRGB; alpha, uint8 (H, W). Returns: the file.
    """
    if alpha is None:
        return _write(rgb, _SRGB)
    rgba = cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA)
    cv2.insertChannel(alpha, rgba, 3)
    return _write(np.asarray(cv2.copyTo(rgba, alpha), np.uint8), _SRGB)


def encode_mask_png(values: UInt8) -> bytes:
    """Write a single-channel PNG. values: uint8 (H, W), 255 = foreground. Returns: the file."""
    return _write(values, b"")


def encode_jpeg(rgb: UInt8, quality: int = 95) -> bytes:
    """Write a JPEG with colour at full resolution.

    Beside a yellow product on pure white, 1 white pixel in 100 is off by 7 of 255 or more; with colour at half the
    resolution, as most encoders have it, by 35: a visible halo, to save a quarter of the bytes.

    Parameters: rgb, uint8 (H, W, 3), sRGB; quality, 1 to 100. Returns: the file.
    """
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(rgb), quality=quality, colorsubsampling="444"))


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
