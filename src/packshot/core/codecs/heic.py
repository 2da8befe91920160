"""HEIC, the format of iPhones (ISO/IEC 23008-12 with HEVC), by libheif in pi-heif, which only reads."""

from __future__ import annotations

import numpy as np

from packshot.core.codecs import bmff, heif
from packshot.core.codecs.coded_size import hevc
from packshot.core.codecs.formats import Header, Raster
from packshot.core.codecs.limits import damaged
from packshot.core.codecs.samples import DECODER_ERRORS, split, straight, to_8_bits

_STREAMS = {b"hvc1": hevc, b"hev1": hevc}


def header(data: bytes) -> Header:
    """Read the size of the main picture, cropped and turned. Raises UnreadableImage, UnsupportedFormat."""
    still = heif.read("HEIC", data, _STREAMS)
    return Header("heic", still.size, coded=still.coded)


def pixels(data: bytes, header: Header) -> Raster:
    """Decode, 10 and 12 bits rounded to 8. Raises UnreadableImage, UnsupportedFormat."""
    import pi_heif  # noqa: PLC0415 - 10 ms, and few photos are HEIC

    still = heif.read("HEIC", data, _STREAMS)
    try:
        image = pi_heif.open_heif(bmff.write(b"heic", still.parts, data), convert_hdr_to_8bit=True)
        # A copy, because `image` frees its memory even while views of it exist (pi-heif 1.4).
        samples, icc = np.array(image), image.info.get("icc_profile") or still.icc
        depth = int(image.info["bit_depth"])
    except DECODER_ERRORS as error:
        raise damaged("HEIC", f"is damaged or cut off ({error})") from error
    if samples.shape[1::-1] != still.coded:
        raise damaged("HEIC", f"gives two sizes, {still.coded} and {samples.shape[1]}x{samples.shape[0]} px")
    whole = still.show(to_8_bits(samples, depth))
    colour, alpha = split(straight(whole) if image.premultiplied_alpha else whole)
    return Raster(np.ascontiguousarray(colour), alpha, icc, still.exif, orientation=1)
