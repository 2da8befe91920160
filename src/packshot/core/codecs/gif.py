"""GIF (89a): the first frame. Its size is read here, its pixels by Pillow, which refuses a frame beyond the screen."""

from __future__ import annotations

import numpy as np

from packshot.core.codecs.formats import Header, Raster
from packshot.core.codecs.limits import damaged
from packshot.core.codecs.samples import opened, split
from packshot.core.geometry import Size


def header(data: bytes) -> Header:
    """Size of the logical screen. Raises UnreadableImage."""
    size = Size(int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little"))
    if len(data) < 13 or 0 in size:
        raise damaged("GIF", f"claims {size} px in {len(data)} bytes")
    return Header("gif", size)


def pixels(data: bytes, header: Header) -> Raster:
    """Decode the first frame. Raises UnreadableImage."""
    with opened(data, header) as image:
        return Raster(*split(np.asarray(image.convert("RGBA"))))
