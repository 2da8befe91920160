"""Values that flow through the pipeline. All are immutable by convention: a step returns new ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from packshot.core.geometry import Size

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]
Index = npt.NDArray[np.intp]
Bool = npt.NDArray[np.bool_]
Array = TypeVar("Array", bound=npt.NDArray[Any])


def averaged(image: Array, across: int, down: int) -> Array:
    """Returns the averages of blocks of across x down pixels. An odd last row or column is left out."""
    height, width = image.shape[0] // down, image.shape[1] // across
    even = image[: height * down, : width * across]
    return cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded image, upright, in sRGB.

    rgb: uint8 (H, W, 3). Colours are meaningless where alpha is 0.
    alpha: uint8 (H, W) if the file has transparency, else None.
    exif: camera, date, place and author, from the TIFF header on, without orientation, thumbnail and maker's note
        (core/codecs/exif.py); None if the file has none of them. Written to an output only on request.
    """

    rgb: UInt8
    alpha: UInt8 | None = None
    exif: bytes | None = None

    @property
    def size(self) -> Size:
        height, width = self.rgb.shape[:2]
        return Size(width, height)

    @cached_property
    def half(self) -> UInt8:
        """The averages of 2x2 pixels, uint8 (H // 2, W // 2, 3): the network's input and the foreground start here."""
        return averaged(self.rgb, 2, 2)


@dataclass(frozen=True, eq=False)
class Foreground:
    """Foreground colours F of I = aF + (1-a)B, straight (not premultiplied).

    rgb: uint8 (H, W, 3), the picture's own pixels: right where the matte is 1, meaningless where it is 0.
    alpha: uint8 (H, W), the matte in 8 bits.
    transition: int (n,), flat indices of the transition region's pixels, 0 < alpha < 255, ascending.
    colours: float32 (n, 3) in 0..255, F of those pixels, not rounded: only the encoder rounds.

    The transition region is a few percent of a photo. With it kept apart, every rendering uses uint8 outside it and
    float inside it. This is both the fastest and the exact way.
    """

    rgb: UInt8
    alpha: UInt8
    transition: Index
    colours: Float32


CHUNK_PX = 1 << 20
"""Pixels of a transition region per chunk of work. For haze of 50 MP, all of them at once took 1.5 GB."""


def chunks(count: int) -> Iterator[slice]:
    """Yields slices of at most CHUNK_PX that together cover `count` pixels."""
    for start in range(0, count, CHUNK_PX):
        yield slice(start, min(start + CHUNK_PX, count))


def to_unit(values: npt.NDArray[Any]) -> Float32:
    """Converts uint8 in 0..255 to float32 in 0..1; nothing else does."""
    unit: Float32 = np.multiply(values, np.float32(1 / 255), dtype=np.float32)
    return unit


def to_uint8(values: Float32) -> UInt8:
    """Converts float32 in 0..1 to uint8 in 0..255, clipped and rounded to nearest. For a matte see in_levels."""
    scaled = np.multiply(values, np.float32(255))
    np.rint(scaled, out=scaled)
    np.clip(scaled, 0, 255, out=scaled)
    return scaled.astype(np.uint8)


def logistic(logits: Float32) -> Float32:
    """Returns 1 / (1 + exp(-x)), computed by tanh, which does not overflow. float32, any shape, to the same."""
    half = np.float32(0.5)
    return np.asarray(half + half * np.tanh(half * logits), np.float32)


def quantile(values: Float32, share: float) -> float:
    """Returns the value below which a share of the values lies, interpolated. numpy's function gives the same, but its
    first call imports numpy.ma, which takes 17 ms of a command's start.

    Parameters: values, float32 of any shape, at least one; share, 0..1.
    """
    place = share * (values.size - 1)
    low = int(place)
    around = [low, min(low + 1, values.size - 1)]
    below, above = np.partition(values, around, axis=None)[around]
    return float(below + (above - below) * (place - low))


def ramp(value: Float32 | float, low: float, high: float) -> Float32:
    """Returns a smooth step, for decisions that must not jump: 0 up to low, 1 from high on.

    value: a number or an array. Returns: float32 of the same shape.
    """
    part = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(part * part * (3 - 2 * part), np.float32)
