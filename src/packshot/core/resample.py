"""Resampling in both directions: a picture down to what a network sees, small planes back up where they are needed.

A pixel is a square: its centre lies at +0.5, at every size, so that a picture, its coarse matte and all that is solved
between them stay aligned to a fraction of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from packshot.core.geometry import Size
from packshot.core.picture import Float32, Index

Array = TypeVar("Array", bound=npt.NDArray[Any])

_ROW = 1024
"""cv2.remap refuses rows or columns past SIDE_LIMIT, so a list of points travels as rows of this length."""

SIDE_LIMIT = 32_000
"""cv2.remap and cv2.warpAffine count columns and rows in 16 bits: longer sides are an error."""


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
    if max(*size, *size_of(image)) > SIDE_LIMIT:
        # The scale of the true size is off by an odd last row at most: one pixel over all of such a length.
        return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]
    grid = np.array([[scale_x, 0, scale_x / 2 - 0.5], [0, scale_y, scale_y / 2 - 0.5]], np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, grid, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def rescale(image: Array, size: Size) -> Array:
    """Resize for people to look at: each pixel the exact average of what it covers, or cubic where it is enlarged.

    Four times the cost of `resample`, whose last bilinear step is a little soft. Cubic overshoots beside edges: who
    needs a range clips to it.

    Parameters: image, uint8 or float32 (H, W[, C]); size, the target. Returns: the same dtype, (height, width[, C]).
    """
    smaller = size.width * size.height < image.shape[0] * image.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=way)  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class Grid:
    """Where some pixels of a picture lie on a smaller plane; made once, used for every plane of that size.

    rounded, fractions: OpenCV's fixed-point maps. Making them is half of a lookup's cost.
    """

    rounded: npt.NDArray[np.int16]
    fractions: npt.NDArray[np.uint16]
    count: int


def grid(at: Index, size: Size, small: Size, origin: tuple[int, int] = (0, 0)) -> Grid:
    """The grid of the pixels at flat indices `at` of a picture, on planes of the size `small`, or on windows of such
    planes that begin at `origin`, x and y."""
    y, x = np.divmod(at, size.width)
    columns, rows = _places(x, small.width / size.width, origin[0]), _places(y, small.height / size.height, origin[1])
    rounded, fractions = cv2.convertMaps(columns, rows, cv2.CV_16SC2)
    return Grid(np.asarray(rounded, np.int16), np.asarray(fractions, np.uint16), at.size)


def _places(positions: Index, ratio: float, origin: int) -> Float32:
    """Pixel centres on the plane, in rows of _ROW. Writing through `.flat` would take 12 times as long."""
    places = np.zeros(-(-positions.size // _ROW) * _ROW, np.float32)
    np.multiply(positions, np.float32(ratio), out=places[: positions.size])
    places += np.float32(ratio / 2 - 0.5 - origin)
    return places.reshape(-1, _ROW)


def sample(plane: Float32, grid: Grid) -> Float32:
    """Bilinear upsampling of a small plane to a picture's size, evaluated only at the grid's pixels.

    Parameters: plane, float32 (h, w, C), C at most 4, of the size that the grid was made for. Returns: float32 (n, C).
    """
    values = np.empty((*grid.rounded.shape[:2], plane.shape[2]), np.float32)
    for top in range(0, len(values), SIDE_LIMIT):
        rows = slice(top, top + SIDE_LIMIT)
        maps = grid.rounded[rows], grid.fractions[rows]
        cv2.remap(plane, *maps, cv2.INTER_LINEAR, dst=values[rows], borderMode=cv2.BORDER_REPLICATE)
    return values.reshape(-1, plane.shape[2])[: grid.count]


def warp(plane: Float32, to_plane: npt.NDArray[np.float64], size: Size) -> Float32:
    """A plane under an affine map, bilinear, 0 beyond it; in pieces, so that sides of any length do.

    Parameters: plane, float32 (h, w), of sides up to SIDE_LIMIT; to_plane, float64 (2, 3), from pixels of the output
    to those of the plane; size, of the output. Returns: float32 (height, width).
    """
    whole = np.empty((size.height, size.width), np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for top in range(0, size.height, SIDE_LIMIT):
        for left in range(0, size.width, SIDE_LIMIT):
            part, moved = whole[top : top + SIDE_LIMIT, left : left + SIDE_LIMIT], to_plane.copy()
            moved[:, 2] += to_plane[:, :2] @ (left, top)
            part[:] = cv2.warpAffine(plane, moved, size_of(part), flags=flags)
    return whole
