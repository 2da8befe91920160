"""Shared by the codecs: opens files with Pillow's decoders, and converts samples to 8 bits and straight alpha."""

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

# The errors that Pillow's plugins raise on damaged files. Pillow has no such list; fuzzing verifies this one.
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

# Of ISA-L's levels 0 to 3, 1 is the fastest on cutouts. 2 saves 0.3 %; 3 takes four times as long and saves nothing.
_DEFLATE_LEVEL = 1
_AVX_WORK = np.ones(64, np.float32)


@contextmanager
def opened(data: bytes, header: Header) -> Iterator[ImageFile.ImageFile]:
    """Open `data` with only the decoder of header.format. Errors inside the block become UnreadableImage.

    Pillow must find exactly the size that was checked before. This is stricter than its bomb warning. It also needs no
    warnings turned into errors, which a single thread cannot do before Python 3.14.
    """
    name = FORMATS[header.format].title
    try:
        with Image.open(io.BytesIO(data), formats=[name]) as image:
            if image.size != header.size:
                raise damaged(name, f"gives two sizes, {header.size} and {image.width}x{image.height} px")
            yield image
    except UnidentifiedImageError as error:  # its text names an object in memory, without a reason
        raise damaged(name, "is damaged or cut off: its decoder does not accept it") from error
    except DECODER_ERRORS as error:
        raise damaged(name, f"is damaged or cut off ({error})") from error


def saved(samples: UInt8, name: str, **settings: Any) -> bytes:
    """Encode gray, RGB or RGBA samples with Pillow. name: Pillow's name of the format."""
    out = io.BytesIO()
    Image.fromarray(samples).save(out, name, **settings)
    return out.getvalue()


def to_8_bits(samples: npt.NDArray[Any], depth: int = 16) -> UInt8:
    """Scale samples to 8 bits, full scale to full scale, rounded: v / 257 for 16 bits.

    samples: uint8; or uint16 in native byte order, with `depth` significant upper bits in each sample.
    """
    if samples.dtype == np.uint8:
        return samples
    return np.asarray(cv2.convertScaleAbs(samples, alpha=255 / (0x10000 - (1 << 16 - depth))), np.uint8).reshape(
        samples.shape
    )


def split(samples: UInt8) -> tuple[UInt8, UInt8 | None]:
    """Split (H, W), (H, W, 2), (H, W, 3) or (H, W, 4) into colour and alpha; alpha is None without one."""
    if samples.ndim == 2 or samples.shape[2] == 3:
        return samples, None
    colour = samples[..., 0] if samples.shape[2] == 2 else samples[..., :3]
    return np.ascontiguousarray(colour), np.ascontiguousarray(samples[..., -1])


def join(rgb: UInt8, alpha: UInt8 | None) -> UInt8:
    """Join RGB and alpha to RGBA, (H, W, 4), all 0 where alpha is 0. Without alpha, return `rgb` unchanged."""
    if alpha is None:
        return rgb
    rgba = cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA)
    cv2.insertChannel(alpha, rgba, 3)
    return np.asarray(cv2.copyTo(rgba, alpha), np.uint8)


def straight(premultiplied: npt.NDArray[Any]) -> UInt8:
    """Convert premultiplied samples, (H, W, 2) or (H, W, 4) of 8 or 16 bits, to straight alpha with 8 bits."""
    alpha = premultiplied[..., -1:]
    scale = np.divide(255, alpha, out=np.zeros(alpha.shape, np.float32), where=alpha > 0)
    colour = np.minimum(np.rint(premultiplied[..., :-1] * scale), 255).astype(np.uint8)
    return np.concatenate([colour, to_8_bits(np.ascontiguousarray(alpha))], axis=-1)


def deflate(rows: UInt8) -> bytes:
    """Compress rows to a zlib stream with ISA-L.

    ISA-L leaves the upper halves of the vector registers in use. This makes all later SSE code on the thread slower by
    half. A numpy ufunc clears the registers when it returns.
    """
    stream: bytes = isal_zlib.compress(rows, _DEFLATE_LEVEL)
    np.add(_AVX_WORK, _AVX_WORK)
    return stream
