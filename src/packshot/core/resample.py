"""Resampling in both directions: a picture down to what a network sees, small planes back up where they are needed.

A pixel is a square: its centre lies at +0.5, at every size, so that a picture, its coarse matte and all that is solved
between them stay aligned to a fraction of a pixel.
"""

from __future__ import annotations

from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from packshot.core.geometry import Size
from packshot.core.picture import Float32, Index

Array = TypeVar("Array", bound=npt.NDArray[Any])

_ROW = 1024
"""cv2.remap refuses rows or columns past 32767, so a list of points travels as rows of this length."""


def size_of(array: npt.NDArray[Any]) -> Size:
    """Size of an array of shape (height, width, ...)."""
    return Size(array.shape[1], array.shape[0])


def resample(image: Array, size: Size) -> Array:
    """Resize with anti-aliasing, at a fraction of what one area filter costs (1999 px to 512: 2 ms against 16).

    Each axis is averaged in pairs while it is at least twice too long; one bilinear step, whose 2 px support covers
    the ratio that is left, then lands exactly on the grid. An odd last row or column has no partner: the affine map
    starts from the true size, so leaving it out shifts nothing.

    Parameters: image, uint8 or float32 (H, W[, C]); size, the target. Returns: the same dtype, (height, width[, C]).
    """
    scale_x, scale_y = image.shape[1] / size.width, image.shape[0] / size.height
    while scale_x >= 2 or scale_y >= 2:
        across, down = 1 + (scale_x >= 2), 1 + (scale_y >= 2)
        width, height = image.shape[1] // across, image.shape[0] // down
        even = image[: height * down, : width * across]
        image = cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        scale_x, scale_y = scale_x / across, scale_y / down
    if size_of(image) == size and scale_x == scale_y == 1:
        return image
    grid = np.array([[scale_x, 0, scale_x / 2 - 0.5], [0, scale_y, scale_y / 2 - 0.5]], np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, grid, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def sample(small: Float32, at: Index, size: Size) -> Float32:
    """Bilinear upsampling of small planes to a picture's size, evaluated only at some of its pixels.

    Parameters: small, float32 (h, w, C), C at most 4; at, flat indices into the picture; size, the picture's.
    Returns: float32 (n, C).
    """
    count, channels = at.size, small.shape[2]
    columns, rows = np.zeros((2, -(-count // _ROW), _ROW), np.float32)
    y, x = np.divmod(at, size.width)
    columns.flat[:count] = (x + 0.5) * (small.shape[1] / size.width) - 0.5
    rows.flat[:count] = (y + 0.5) * (small.shape[0] / size.height) - 0.5
    values = cv2.remap(small, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(values, np.float32).reshape(-1, channels)[:count]
