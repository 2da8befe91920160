"""HEIC, the format of iPhones (ISO/IEC 23008-12 with HEVC): by libheif, where packshot[heic] is installed."""

from __future__ import annotations

import numpy as np

from packshot.core.codecs import heif
from packshot.core.codecs.coded_size import hevc_sizes
from packshot.core.codecs.formats import Header, Raster
from packshot.core.codecs.limits import damaged
from packshot.core.codecs.samples import DECODER_ERRORS, split, straight

_STREAMS = {b"hvc1": hevc_sizes, b"hev1": hevc_sizes}


def header(data: bytes) -> Header:
    """Size of the main picture. Raises UnreadableImage."""
    return Header("heic", heif.read("HEIC", data, _STREAMS).size)


def pixels(data: bytes, header: Header) -> Raster:
    """Decode, 10 and 12 bits rounded to 8; libheif turns and crops as the file says. Raises UnreadableImage."""
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
