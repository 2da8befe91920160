"""AVIF (AV1 Image File Format 1.1): the main picture, or the one that a film shows first, by libavif through Pillow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from packshot.core.codecs import heif
from packshot.core.codecs.coded_size import av1_sizes
from packshot.core.codecs.exif import read_orientation
from packshot.core.codecs.formats import Header, Raster
from packshot.core.codecs.samples import join, opened, saved, split
from packshot.core.picture import UInt8

_STREAMS = {b"av01": lambda settings, stream: av1_sizes(stream)}
# The settings are those of docs/decisions/0021-more-formats.md.
# One thread, because a file must not depend on the machine: with another number, other bytes come out.
# Alpha is written without loss whatever the quality: at quality 80 edges were off by up to 51 of 255.
_SETTINGS: Mapping[str, Any] = {"speed": 8, "codec": "aom", "max_threads": 1, "advanced": {"alpha:lossless": "1"}}


def header(data: bytes) -> Header:
    """Size of the main picture. Raises UnreadableImage."""
    return Header("avif", heif.read("AVIF", data, _STREAMS).size)


def pixels(data: bytes, header: Header) -> Raster:
    """Decode, 10 and 12 bits rounded to 8. Raises UnreadableImage."""
    still = heif.read("AVIF", data, _STREAMS)
    with opened(still.clean, header) as image:
        # Pillow turns nothing; it says in the words of EXIF how the file would have the picture turned.
        turn = (image.info.get("exif") or b"").removeprefix(b"Exif\0\0")
        icc = image.info.get("icc_profile") or still.icc
        samples, alpha = split(np.asarray(image if image.mode in {"RGB", "RGBA"} else image.convert("RGB")))
    return Raster(samples, alpha, icc, still.exif, orientation=read_orientation(turn))


def write(rgb: UInt8, alpha: UInt8 | None, *, quality: int, exif: bytes | None) -> bytes:
    """Encode with colour at full resolution; masks without loss, which full range and quality 100 make of gray."""
    subsampling, quality = ("4:0:0", 100) if rgb.ndim == 2 else ("4:4:4", quality)
    return saved(join(rgb, alpha), "AVIF", subsampling=subsampling, quality=quality, exif=exif or b"", **_SETTINGS)
