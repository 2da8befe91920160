"""Rotation of a photo together with its matte. The matte is found first, so it is the same for all angles.

Degrees are clockwise, more than -180 and at most 180. Quarter turns move pixels and change none. Other angles resample,
and the canvas grows to hold the whole photo, as in every editor.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, cos, floor, radians, sin

import cv2
import numpy as np
import numpy.typing as npt

from packshot.core.geometry import Box, Size
from packshot.core.picture import Array, Float32, Picture
from packshot.core.plain_ground import GroundColours
from packshot.core.resample import resample, size_of
from packshot.core.transparency import opaque
from packshot.core.values import MOST_PIXELS

EDGES = ("left", "upper", "right", "lower")
"""Edges of a picture, clockwise, named as by core.geometry.reached_edges."""

_QUARTERS = {1: cv2.ROTATE_90_CLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_COUNTERCLOCKWISE}
_TILE_PX = 2048  # cv2.warpAffine takes sides up to 32 000 px; the photo part of such a tile has 2900 px
_AROUND_PX = 3  # reach of a cubic kernel beyond a point
_GROUND_PX = 256


def turned_size(photo: Size, degrees: float) -> Size:
    """Returns the size of a rotated photo: large enough for all of it, but at most MOST_PIXELS."""
    return _around(_fitting(photo, degrees), degrees)


def turned_edges(edges: tuple[str, ...], degrees: float) -> tuple[str, ...]:
    """Returns the names of a photo's edges after rotation, to the nearest quarter turn."""
    quarters = _nearest_quarter(degrees)
    turned = {EDGES[(EDGES.index(edge) + quarters) % 4] for edge in edges}
    return tuple(edge for edge in EDGES if edge in turned)


def turn_picture(picture: Picture, degrees: float) -> Picture:
    """Rotates a picture. Its outermost pixels are repeated into the free corners.

    In a transparent picture these corners are clear. Colours of invisible pixels do not mix into visible ones.
    """
    if picture.alpha is None or degrees % 90 == 0:
        alpha = None if picture.alpha is None else _turned(picture.alpha, degrees, cv2.BORDER_CONSTANT)
        return replace(picture, rgb=_turned(picture.rgb, degrees, cv2.BORDER_REPLICATE), alpha=alpha)
    rgb, alpha = opaque(picture).rgb, _turned(picture.alpha, degrees, cv2.BORDER_CONSTANT)
    return replace(picture, rgb=_turned(rgb, degrees, cv2.BORDER_REPLICATE), alpha=alpha)


def turn_matte(matte: Float32, degrees: float) -> Float32:
    """Rotates a matte, float32 (H, W) in 0..1. Pixels from outside the photo are background."""
    turned = _turned(matte, degrees, cv2.BORDER_CONSTANT)
    if degrees % 90 == 0:
        return turned
    return np.clip(turned, np.float32(0), np.float32(1), out=turned)  # cubic interpolation overshoots


def turn_ground(ground: GroundColours, photo: Size, degrees: float) -> GroundColours:
    """Rotates the ground's colours together with their photo of that size."""
    colours = _turned(ground.at(photo.reduced(_GROUND_PX)), degrees, cv2.BORDER_REPLICATE)
    return GroundColours(colours, size_of(colours))


def _turned(image: Array, degrees: float, border: int) -> Array:
    if degrees % 90 == 0:
        quarters = _nearest_quarter(degrees)
        return cv2.rotate(image, _QUARTERS[quarters]) if quarters else image  # type: ignore[return-value]
    image = resample(image, _fitting(size_of(image), degrees))
    photo, size = size_of(image), _around(size_of(image), degrees)
    to_photo = _to_photo(photo, size, degrees)
    turned = np.zeros((size.height, size.width, *image.shape[2:]), image.dtype)
    for top in range(0, size.height, _TILE_PX):
        for left in range(0, size.width, _TILE_PX):
            tile = Box(left, top, left + _TILE_PX, top + _TILE_PX).within(Box.full(size))
            part = _seen_by(tile, to_photo, photo)
            if part.is_empty:
                if border == cv2.BORDER_CONSTANT:
                    continue
                part = _nearest(part, photo)
            matrix = to_photo.copy()
            matrix[:, 2] += to_photo[:, :2] @ (tile.left, tile.top) - (part.left, part.top)
            turned[tile.slices] = cv2.warpAffine(
                image[part.slices], matrix, tile.size, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=border
            )
    return turned  # type: ignore[return-value]


def _to_photo(photo: Size, size: Size, degrees: float) -> npt.NDArray[np.float64]:
    """Returns the map from pixels of the rotated picture to those of the photo, float64 (2, 3). Their centres
    coincide."""
    across, down = cos(radians(degrees)), sin(radians(degrees))
    back = np.array([[across, down], [-down, across]])
    middle, middle_of_photo = ((np.array(each) - 1) / 2 for each in (size, photo))
    return np.column_stack([back, middle_of_photo - back @ middle])


def _seen_by(tile: Box, to_photo: npt.NDArray[np.float64], photo: Size) -> Box:
    """Returns the part of the photo that a tile of the rotated picture shows; empty if there is none."""
    corners = [(x, y, 1) for x in (tile.left, tile.right) for y in (tile.top, tile.bottom)]
    points = np.array(corners) @ to_photo.T
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    around = Box(floor(left) - _AROUND_PX, floor(top) - _AROUND_PX, ceil(right) + _AROUND_PX, ceil(bottom) + _AROUND_PX)
    return around.within(Box.full(photo))


def _nearest(part: Box, photo: Size) -> Box:
    """Returns the part of the photo nearest to a part outside it, one pixel thick on the outside."""
    left, top = min(part.left, photo.width - 1), min(part.top, photo.height - 1)
    return Box(left, top, max(left + 1, part.right), max(top + 1, part.bottom)).within(Box.full(photo))


def _around(photo: Size, degrees: float) -> Size:
    """Returns the smallest whole size that holds a rotated photo."""
    if degrees % 90 == 0:
        return Size(*photo[::-1]) if _nearest_quarter(degrees) % 2 else photo
    across, down = abs(cos(radians(degrees))), abs(sin(radians(degrees)))
    width, height = photo.width * across + photo.height * down, photo.width * down + photo.height * across
    return Size(ceil(width - 1e-2), ceil(height - 1e-2))


def _fitting(photo: Size, degrees: float) -> Size:
    """Returns the size to which a photo is reduced before rotation, if the canvas would otherwise exceed
    MOST_PIXELS."""
    size, scale = photo, 1.0
    while degrees % 90 and (area := _area(_around(size, degrees))) > MOST_PIXELS:
        scale *= 0.9999 * (MOST_PIXELS / area) ** 0.5
        size = Size(*(max(1, floor(scale * length)) for length in photo))
    return size


def _area(size: Size) -> int:
    return size.width * size.height


def _nearest_quarter(degrees: float) -> int:
    return round(degrees / 90) % 4
