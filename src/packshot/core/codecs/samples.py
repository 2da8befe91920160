"""Shared by the codecs: the one way into Pillow's decoders, and samples of any depth to 8 bits and straight alpha."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from isal import isal_zlib
from PIL import Image, ImageFile, UnidentifiedImageError

from packshot.core.codecs.formats import FORMATS, Header
from packshot.core.codecs.limits import damaged
from packshot.core.picture import UInt8

# What Pillow's plugins raise on damaged files. They have no list of it: this one is held by fuzzing.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)

# Of ISA-L's levels 0 to 3, 1 is the fastest on cutouts; 2 saves 0.3 %, 3 costs four times as much and saves nothing.
_DEFLATE_LEVEL = 1
_AVX_WORK = np.ones(64, np.float32)


@contextmanager
def opened(data: bytes, header: Header) -> Iterator[ImageFile.ImageFile]:
    """Open `data` with the decoder of header.format and no other; errors inside become UnreadableImage.

    Pillow must see the size that was checked before, to the pixel. That is stricter than its bomb warning, and does
    not depend on turning warnings into errors, which one thread cannot do for itself before Python 3.14.
    """
    name = FORMATS[header.format].title
    try:
        with Image.open(io.BytesIO(data), formats=[name]) as image:
            if image.size != header.size:
                raise damaged(name, f"gives two sizes, {header.size} and {image.width}x{image.height} px")
            yield image
    except UnidentifiedImageError as error:  # it names an object in memory, and no reason
        raise damaged(name, "is damaged or cut off: its decoder does not accept it") from error
    except DECODER_ERRORS as error:
        raise damaged(name, f"is damaged or cut off ({error})") from error


def saved(samples: UInt8, name: str, **settings: Any) -> bytes:
    """The file that Pillow makes of gray, RGB or RGBA samples. name: of the format, as Pillow has it."""
    out = io.BytesIO()
    Image.fromarray(samples).save(out, name, **settings)
    return out.getvalue()


def to_8_bits(samples: npt.NDArray[Any], depth: int = 16) -> UInt8:
    """Full scale to full scale, rounded: v / 257 for 16 bits.

    samples: uint8; or uint16 in native byte order, with the `depth` bits of each sample at the upper end.
    """
    if samples.dtype == np.uint8:
        return samples
    return np.asarray(cv2.convertScaleAbs(samples, alpha=255 / (0x10000 - (1 << 16 - depth))), np.uint8).reshape(
        samples.shape
    )


def split(samples: UInt8) -> tuple[UInt8, UInt8 | None]:
    """Colour and alpha of (H, W), (H, W, 2), (H, W, 3) or (H, W, 4)."""
    if samples.ndim == 2 or samples.shape[2] == 3:
        return samples, None
    colour = samples[..., 0] if samples.shape[2] == 2 else samples[..., :3]
    return np.ascontiguousarray(colour), np.ascontiguousarray(samples[..., -1])


def join(rgb: UInt8, alpha: UInt8 | None) -> UInt8:
    """RGBA, (H, W, 4), that is 0 wherever alpha is 0; without alpha the samples as they are."""
    if alpha is None:
        return rgb
    rgba = cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA)
    cv2.insertChannel(alpha, rgba, 3)
    return np.asarray(cv2.copyTo(rgba, alpha), np.uint8)


def straight(premultiplied: npt.NDArray[Any]) -> UInt8:
    """Colours that were multiplied by alpha, (H, W, 2) or (H, W, 4) of 8 or 16 bits, to straight ones of 8 bits."""
    alpha = premultiplied[..., -1:]
    scale = np.divide(255, alpha, out=np.zeros(alpha.shape, np.float32), where=alpha > 0)
    colour = np.minimum(np.rint(premultiplied[..., :-1] * scale), 255).astype(np.uint8)
    return np.concatenate([colour, to_8_bits(np.ascontiguousarray(alpha))], axis=-1)


def deflate(rows: UInt8) -> bytes:
    """A zlib stream, by ISA-L.

    ISA-L leaves the upper halves of the vector registers in use, which slows down all SSE code that follows on this
    thread by half. A numpy ufunc clears them on its way out.
    """
    stream: bytes = isal_zlib.compress(rows, _DEFLATE_LEVEL)
    np.add(_AVX_WORK, _AVX_WORK)
    return stream
