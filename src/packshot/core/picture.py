"""The values that flow through the pipeline. All are immutable by convention: a step returns new ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from packshot.core.geometry import Size

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]
Index = npt.NDArray[np.intp]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded image, upright, in sRGB.

    rgb: uint8 (H, W, 3). Where alpha is 0 the colour means nothing.
    alpha: uint8 (H, W) when the file came with transparency, else None.
    exif: camera, date, place and author, from the TIFF header on, without orientation, thumbnail and maker's note
        (core/codecs/exif.py); None where the file says nothing of them. Goes into an output only if it is asked for.
    """

    rgb: UInt8
    alpha: UInt8 | None = None
    exif: bytes | None = None

    @property
    def size(self) -> Size:
        height, width = self.rgb.shape[:2]
        return Size(width, height)


@dataclass(frozen=True, eq=False)
class Foreground:
    """Foreground colours F of I = aF + (1-a)B, straight (not premultiplied).

    rgb: uint8 (H, W, 3), the picture's own pixels: right wherever the matte is 1, meaningless where it is 0.
    transition: int (n,), flat indices of the transition region's pixels, 0 < matte < 1, ascending.
    colours: float32 (n, 3) in 0..255, F of those pixels, not rounded: only the encoder rounds.

    The transition region is a few percent of a photo. Keeping it apart lets every rendering run on uint8 outside it and
    in float inside it, which is both the fastest and the exact way.
    """

    rgb: UInt8
    transition: Index
    colours: Float32


CHUNK_PX = 1 << 20
"""So many pixels of a transition region are worked on at once: in a veil of 50 MP all of them took 1.5 GB."""


def chunks(count: int) -> Iterator[slice]:
    """Slices of CHUNK_PX at most that make up so many pixels."""
    for start in range(0, count, CHUNK_PX):
        yield slice(start, min(start + CHUNK_PX, count))


def to_unit(values: npt.NDArray[Any]) -> Float32:
    """uint8 in 0..255 -> float32 in 0..1, the only way in."""
    unit: Float32 = np.multiply(values, np.float32(1 / 255), dtype=np.float32)
    return unit


def to_uint8(values: Float32) -> UInt8:
    """float32 in 0..1 -> uint8 in 0..255, rounded to nearest, clipped; the only way out."""
    scaled = np.multiply(values, np.float32(255))
    np.rint(scaled, out=scaled)
    np.clip(scaled, 0, 255, out=scaled)
    return scaled.astype(np.uint8)


def logistic(logits: Float32) -> Float32:
    """1 / (1 + exp(-x)), by tanh, which does not overflow. float32, any shape, to the same."""
    half = np.float32(0.5)
    return np.asarray(half + half * np.tanh(half * logits), np.float32)


def ramp(value: Float32 | float, low: float, high: float) -> Float32:
    """A smooth step, for decisions that must not jump: 0 up to low, 1 from high on.

    Values may be a number or an array; float32 of the same shape.
    """
    part = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(part * part * (3 - 2 * part), np.float32)
