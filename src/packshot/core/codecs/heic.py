"""HEIC, the format of iPhones (ISO/IEC 23008-12 with HEVC): by libheif, where packshot[heic] is installed."""

from __future__ import annotations

import importlib.util
from functools import cache

import numpy as np

from packshot.core.codecs import heif
from packshot.core.codecs.coded_size import hevc_sizes
from packshot.core.codecs.limits import Codec, Header, Raster, damaged
from packshot.core.codecs.pillow import DECODER_ERRORS
from packshot.core.codecs.samples import split, straight
from packshot.errors import UnsupportedFormat

_STREAMS = {b"hvc1": hevc_sizes, b"hev1": hevc_sizes}


def header(data: bytes) -> Header:
    """Size of the main picture. Raises UnreadableImage, and UnsupportedFormat where the extra is not installed."""
    if not installed():
        raise UnsupportedFormat(
            "This file is a HEIC (the iPhone's own format), and the part that reads those is not installed.",
            hint="Save it as JPEG, or install it: pip install packshot[heic].",
            kind="a HEIC",
        )
    return Header("heic", heif.read("HEIC", data, _STREAMS).size)


def pixels(data: bytes, header: Header) -> Raster:
    """Decode, 10 and 12 bits rounded to 8; libheif turns and crops as the boxes say. Raises UnreadableImage."""
    import pillow_heif  # noqa: PLC0415 - an extra

    still = heif.read("HEIC", data, _STREAMS)
    try:
        image = pillow_heif.open_heif(still.clean, convert_hdr_to_8bit=True)
        samples, icc = np.asarray(image), image.info.get("icc_profile") or still.icc
    except DECODER_ERRORS as error:
        raise damaged("HEIC", f"is damaged or cut off ({error})") from error
    if samples.shape[0] * samples.shape[1] > header.size.width * header.size.height:
        raise damaged("HEIC", f"gives two sizes, {header.size} and {samples.shape[1]}x{samples.shape[0]} px")
    colour, alpha = split(straight(samples) if image.premultiplied_alpha else samples)
    return Raster(np.ascontiguousarray(colour), alpha, icc, still.exif, orientation=1)


@cache
def installed() -> bool:
    """Whether HEIC can be read here."""
    return importlib.util.find_spec("pillow_heif") is not None


CODEC = Codec(header, pixels)
