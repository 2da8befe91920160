"""A TIFF's samples, of every kind and depth that is read, to 8 bits per channel."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from packshot.core.codecs.limits import Header
from packshot.core.codecs.pillow import opened
from packshot.core.codecs.samples import split, straight, to_8_bits
from packshot.core.picture import UInt8

if TYPE_CHECKING:
    from packshot.core.codecs.tiff import Layout

_WHITE_IS_ZERO = 0
# The same two bytes of a sample with the other one taken for the upper.
_OTHER_BYTE = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}


def read(stream: bytes, header: Header, bits: int) -> npt.NDArray[Any]:
    """All samples of a TIFF with a clean directory: uint8, or uint16 for 16 bits. Raises: UnreadableImage."""
    return _deep(stream, header) if bits == 16 else _shallow(stream, header)


def finish(samples: npt.NDArray[Any], layout: Layout) -> tuple[UInt8, UInt8 | None]:
    """Samples, uint8 (H, W), (H, W, 3) or (H, W, 4) of CMYK, and alpha, from those that were read."""
    if layout.kind == _WHITE_IS_ZERO:
        colours = slice(None) if samples.ndim == 2 else (..., slice(0, -1))
        samples = samples.copy()
        samples[colours] = np.bitwise_not(samples[colours])
    if layout.alpha == "premultiplied":
        return split(straight(samples))
    whole = to_8_bits(samples)
    return split(whole) if layout.alpha else (whole, None)


def _shallow(stream: bytes, header: Header) -> UInt8:
    with opened(stream, header) as image:
        plain = {"1": "L", "P": "RGB"}.get(image.mode, image.mode)
        return np.asarray(image if plain == image.mode else image.convert(plain))


def _deep(stream: bytes, header: Header) -> npt.NDArray[Any]:
    """All 16 bits: Pillow has such pictures in gray; of others it gives the upper bytes, then the lower ones."""
    upper = _unpacked(stream, header, lower=False)
    if upper.dtype != np.uint8:
        return upper.astype(np.uint16)  # in native byte order
    return np.asarray(upper.astype(np.uint16) << 8 | _unpacked(stream, header, lower=True), np.uint16)


def _unpacked(stream: bytes, header: Header, *, lower: bool) -> npt.NDArray[Any]:
    with opened(stream, header) as image:
        if lower:
            image.tile = [tile._replace(args=_lower_bytes(tile.args)) for tile in image.tile]
        return np.asarray(image)


def _lower_bytes(args: Any) -> tuple[Any, ...]:
    mode, *rest = args
    return (mode[:-1] + _OTHER_BYTE[mode[-1]], *rest)
