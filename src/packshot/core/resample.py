"""Resampling in both directions: pictures down to the network's size, small planes back up where needed.

A pixel is a square whose centre is at +0.5, at every size. So a picture, its coarse matte and everything solved between
them stay aligned to a fraction of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from packshot.core.geometry import Box, Size
from packshot.core.picture import Array, Float32, Index, Picture, UInt8, averaged

_ROW = 1024
"""Row length of a list of points: cv2.remap rejects rows or columns longer than SIDE_LIMIT."""

SIDE_LIMIT = 32_000
"""Longest side for cv2.remap and cv2.warpAffine, which count columns and rows in 16 bits."""


def size_of(array: npt.NDArray[Any]) -> Size:
    """Returns the size of an array of shape (height, width, ...)."""
    return Size(array.shape[1], array.shape[0])


def resample(image: Array, size: Size) -> Array:
    """Resizes with anti-aliasing, at a fraction of the cost of one area filter (1999 px to 512: 2 ms against 16).

    Averages each axis in pairs while it is at least twice too long. Then one bilinear step, whose 2 px support covers
    the remaining ratio, lands exactly on the grid. An odd last row or column has no partner and is left out. This
    shifts nothing, since the affine map starts from the true size.

    Parameters: image, uint8 or float32 (H, W[, C]); size, the target. Returns: the same dtype, (height, width[, C]).
    """
    return _resampled(image, size, image.shape[1] / size.width, image.shape[0] / size.height)


def resample_colours(picture: Picture, size: Size) -> UInt8:
    """Returns `resample` of a picture's colours. Calls for one picture share its first halving, uint8 (h, w, 3)."""
    scale_x, scale_y = picture.size.width / size.width, picture.size.height / size.height
    if min(scale_x, scale_y) < 2:
        return resample(picture.rgb, size)
    return _resampled(picture.half, size, scale_x / 2, scale_y / 2)


def _resampled(image: Array, size: Size, scale_x: float, scale_y: float) -> Array:
    while scale_x >= 2 or scale_y >= 2:
        across, down = 1 + (scale_x >= 2), 1 + (scale_y >= 2)
        image = averaged(image, across, down)
        scale_x, scale_y = scale_x / across, scale_y / down
    if size_of(image) == size and scale_x == scale_y == 1:
        return image
    if max(*size, *size_of(image)) > SIDE_LIMIT:
        # An odd last row changes the scale by at most one pixel over the whole length.
        return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]
    return _interpolated(image, size, (scale_x, scale_y))


def enlarged_part(plane: Array, part: Box, whole: Size, size: Size) -> Array:
    """Returns the part of a small plane that lies under a box of its picture, at another size, bilinearly.

    Parameters: plane, uint8 or float32 (h, w[, C]), of a picture of the size `whole`; part, a box of that picture;
    size, the target, not coarser than the plane. Returns: the same dtype, (height, width[, C]).
    """
    across, down = plane.shape[1] / whole.width, plane.shape[0] / whole.height
    steps = part.size.width * across / size.width, part.size.height * down / size.height
    return _interpolated(plane, size, steps, (part.left * across, part.top * down))


def _interpolated(image: Array, size: Size, steps: tuple[float, float], corner: tuple[float, float] = (0, 0)) -> Array:
    """Returns pixels at these distances from each other, along x and y, from a corner of the image on."""
    (scale_x, scale_y), (left, top) = steps, corner
    grid = np.array([[scale_x, 0, left + scale_x / 2 - 0.5], [0, scale_y, top + scale_y / 2 - 0.5]], np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, grid, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def repeated(plane: Array, size: Size, part: Box | None = None) -> Array:
    """Enlarges without interpolation: a pixel takes the value of the small pixel that holds its centre.

    Takes half of the time of cv2.resize with INTER_NEAREST_EXACT, which does the same.

    Parameters: plane, uint8 or float32 (h, w); size, the target; part, the box of the target to make, by default all.
    Returns: the same dtype, of the part's size.
    """
    part = part or Box.full(size)
    columns = (2 * np.arange(part.left, part.right) + 1) * plane.shape[1] // (2 * size.width)
    rows = (2 * np.arange(part.top, part.bottom) + 1) * plane.shape[0] // (2 * size.height)
    return plane.take(columns, axis=1).take(rows, axis=0)  # type: ignore[no-any-return]


def rescale(image: Array, size: Size) -> Array:
    """Resizes for viewing: an exact average of the covered pixels, or cubic interpolation if the picture grows.

    Costs four times as much as `resample`, whose last bilinear step is a little soft. Cubic interpolation overshoots
    next to edges; callers that need a range must clip.

    Parameters: image, uint8 or float32 (H, W[, C]); size, the target. Returns: the same dtype, (height, width[, C]).
    """
    smaller = size.width * size.height < image.shape[0] * image.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=way)  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class Grid:
    """Positions of some pixels of a picture on a smaller plane. Made once, used for every plane of that size.

    rounded, fractions: OpenCV's fixed-point maps. Making them is half of a lookup's cost.
    """

    rounded: npt.NDArray[np.int16]
    fractions: npt.NDArray[np.uint16]
    count: int


def grid(at: Index, size: Size, small: Size, origin: tuple[int, int] = (0, 0)) -> Grid:
    """Returns the grid of the pixels at flat indices `at` of a picture, on planes of the size `small`.

    origin: x and y at which windows of such planes begin.
    """
    y, x = np.divmod(at, size.width)
    columns, rows = _places(x, small.width / size.width, origin[0]), _places(y, small.height / size.height, origin[1])
    rounded, fractions = cv2.convertMaps(columns, rows, cv2.CV_16SC2)
    return Grid(np.asarray(rounded, np.int16), np.asarray(fractions, np.uint16), at.size)


def _places(positions: Index, ratio: float, origin: int) -> Float32:
    """Returns pixel centres on the plane, in rows of _ROW. Writing through `.flat` would take 12 times as long."""
    places = np.zeros(-(-positions.size // _ROW) * _ROW, np.float32)
    np.multiply(positions, np.float32(ratio), out=places[: positions.size])
    places += np.float32(ratio / 2 - 0.5 - origin)
    return places.reshape(-1, _ROW)


def sample(plane: Float32, grid: Grid) -> Float32:
    """Upsamples a small plane to a picture's size, bilinearly and only at the grid's pixels.

    Parameters: plane, float32 (h, w, C), C at most 4, of the grid's plane size. Returns: float32 (n, C).
    """
    values = np.empty((*grid.rounded.shape[:2], plane.shape[2]), np.float32)
    for top in range(0, len(values), SIDE_LIMIT):
        rows = slice(top, top + SIDE_LIMIT)
        maps = grid.rounded[rows], grid.fractions[rows]
        cv2.remap(plane, *maps, cv2.INTER_LINEAR, dst=values[rows], borderMode=cv2.BORDER_REPLICATE)
    return values.reshape(-1, plane.shape[2])[: grid.count]


def warp(plane: Float32, to_plane: npt.NDArray[np.float64], size: Size) -> Float32:
    """Applies an affine map to a plane, bilinearly, with 0 outside. Works in pieces, so sides may have any length.

    Parameters: plane, float32 (h, w), of sides up to SIDE_LIMIT; to_plane, float64 (2, 3), from pixels of the output to
    those of the plane; size, of the output. Returns: float32 (height, width).
    """
    whole = np.empty((size.height, size.width), np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for top in range(0, size.height, SIDE_LIMIT):
        for left in range(0, size.width, SIDE_LIMIT):
            part, moved = whole[top : top + SIDE_LIMIT, left : left + SIDE_LIMIT], to_plane.copy()
            moved[:, 2] += to_plane[:, :2] @ (left, top)
            part[:] = cv2.warpAffine(plane, moved, size_of(part), flags=flags)
    return whole
