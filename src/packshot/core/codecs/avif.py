"""AVIF (AV1 Image File Format 1.1), by libavif through Pillow: the main picture, or the first one of a film."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from packshot.core.codecs import bmff, heif
from packshot.core.codecs.coded_size import av1
from packshot.core.codecs.formats import Header, Raster
from packshot.core.codecs.samples import join, opened, saved, split
from packshot.core.picture import UInt8

_STREAMS = {b"av01": av1}
# The settings come from docs/decisions/0021-more-formats.md.
# One thread, because the number of threads changes the bytes, and a file must not depend on the machine.
# Alpha is lossless at every quality: at quality 80, edges were off by up to 51 of 255.
_SETTINGS: Mapping[str, Any] = {"speed": 8, "codec": "aom", "max_threads": 1, "advanced": {"alpha:lossless": "1"}}


def header(data: bytes) -> Header:
    """Read the size of the main picture, cropped and turned. Raises UnreadableImage, UnsupportedFormat."""
    still = heif.read("AVIF", data, _STREAMS)
    return Header("avif", still.size, coded=still.coded)


def pixels(data: bytes, header: Header) -> Raster:
    """Decode, 10 and 12 bits rounded to 8. Raises UnreadableImage, UnsupportedFormat."""
    still = heif.read("AVIF", data, _STREAMS)
    with opened(bmff.write(b"avif", still.parts, data), replace(header, size=still.coded)) as image:
        icc = image.info.get("icc_profile") or still.icc
        samples = np.asarray(image if image.mode in {"RGB", "RGBA"} else image.convert("RGB"))
    colour, alpha = split(still.show(samples))
    return Raster(colour, alpha, icc, still.exif, orientation=1)


def write(rgb: UInt8, alpha: UInt8 | None, *, quality: int, exif: bytes | None) -> bytes:
    """Encode with colour at full resolution. Masks are lossless: gray at full range and quality 100."""
    subsampling, quality = ("4:0:0", 100) if rgb.ndim == 2 else ("4:4:4", quality)
    return saved(join(rgb, alpha), "AVIF", subsampling=subsampling, quality=quality, exif=exif or b"", **_SETTINGS)
