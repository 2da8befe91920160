"""AVIF and HEIC files, honest and lying: written by the encoders, then changed in place."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

UInt8 = npt.NDArray[np.uint8]


def as_avif(image: UInt8, **options: Any) -> bytes:
    out = io.BytesIO()
    settings = {"speed": 10, "quality": 100, "subsampling": "4:4:4", "max_threads": 1, **options}
    Image.fromarray(image).save(out, "AVIF", **settings)
    return out.getvalue()


def as_heic(image: UInt8, **options: Any) -> bytes:
    """Needs packshot[heic]."""
    import pillow_heif

    out = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(image)).save(out, **{"quality": -1, "chroma": 444, **options})
    return out.getvalue()


def claiming(data: bytes, width: int, height: int) -> bytes:
    """The same file with another size in every box that gives one; the stream inside keeps its own."""
    out, place = bytearray(data), data.find(b"ispe")
    while place >= 0:
        out[place + 8 : place + 16] = struct.pack(">II", width, height)
        place = data.find(b"ispe", place + 1)
    return bytes(out)


def with_primaries(data: bytes, primaries: int, transfer: int = 13) -> bytes:
    """The same file with other numbers for its colours."""
    place = data.index(b"nclx") + 4
    return data[:place] + struct.pack(">HH", primaries, transfer) + data[place + 4 :]
