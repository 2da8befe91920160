"""AVIF (AV1 Image File Format 1.1): the main picture, or the one that a film shows first, by libavif through Pillow."""

from __future__ import annotations

import numpy as np

from packshot.core.codecs import heif
from packshot.core.codecs.coded_size import av1_sizes
from packshot.core.codecs.limits import Codec, Header, Raster
from packshot.core.codecs.orientation import read_orientation
from packshot.core.codecs.pillow import opened
from packshot.core.codecs.samples import split

_STREAMS = {b"av01": lambda settings, stream: av1_sizes(stream)}


def header(data: bytes) -> Header:
    """Size of the main picture. Raises UnreadableImage."""
    return Header("avif", heif.read("AVIF", data, _STREAMS).size)


def pixels(data: bytes, header: Header) -> Raster:
    """Decode, 10 and 12 bits rounded to 8. Raises UnreadableImage."""
    still = heif.read("AVIF", data, _STREAMS)
    with opened(still.clean, header) as image:
        # Pillow turns nothing; it says in the words of EXIF how the boxes would have the picture turned.
        turn = (image.info.get("exif") or b"").removeprefix(b"Exif\0\0")
        icc = image.info.get("icc_profile") or still.icc
        samples, alpha = split(np.asarray(image if image.mode in {"RGB", "RGBA"} else image.convert("RGB")))
    return Raster(samples, alpha, icc, still.exif, orientation=read_orientation(turn))


CODEC = Codec(header, pixels)
