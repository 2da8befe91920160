"""Synthetic shadows, made from the product's outline. core/photo_shadow.py extracts the photo's own shadow.

A shadow is a density, float32 (H, W) in 0..1: the share of the ground's sRGB value that it removes. Laid under the
product as black with the density as alpha, it fits any ground.

Lengths are shares of the product's longer side, so that a shadow scales and moves with the product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from packshot.core.geometry import Box, Size
from packshot.core.matte import bounding_box
from packshot.core.picture import Bool, Float32, ramp
from packshot.core.resample import resample, warp

SOLID = 0.5
"""Alpha from which a pixel stands on the ground. Strands and the rims of glass carry nothing."""

STRAY = 1e-3
"""Share of the product's area that may lie below its base: crumbs left in the matte do not lift the product."""

NEAR_BASE = 0.07
"""Height above the base at which contact has faded to a third. This follows the foot of a mug seen from above to either
side, but leaves out its handle."""

LEAST_LEG, HIGHEST_LEG = 0.15, 0.35
"""A leg farther back ends higher in the picture than the base, but it stands. Above its tip it is straight for at least
LEAST_LEG; a handle is not. Its tip is at most HIGHEST_LEG high; a sleeve is higher."""

SQUASH, SHEAR = 0.3, 0.35
"""Shift of the top of a product of height 1 in its thrown shadow: SQUASH to the back, SHEAR to the right."""

ROOM = Box(40, 15, 80, 25)
"""Reach of the shadows around the product, in hundredths: to the left, up, to the right and down."""


UNSEEN, SEEN = 0.5 / 255, 4 / 255
"""Densities at an edge of the output. Up to UNSEEN the cut is invisible; from SEEN on the shadow fades out fully."""

FADE, LEAST_FADE, LEAST_BELOW = 0.2, 0.1, 0.03
"""Shares of the product's longer side. A shadow that an edge would cut fades out over the space between product and
edge. The fade is at most FADE long, and at least LEAST_FADE: a shorter fade looks like a line. At the lower edge the
minimum is LEAST_BELOW, or the dark line under the product would disappear."""


@dataclass(frozen=True, eq=False)
class _Standing:
    """A reduced product, with room around it for its shadow.

    alpha: float32 (h, w). side: the product's longer side in this plane, px.
    """

    alpha: Float32
    side: float

    def blur(self, plane: Float32, across: float, down: float) -> Float32:
        """Blurs a plane more in width than in depth, since the ground is seen at a slant. Sigmas are shares of
        `side`."""
        x, y = max(0.3, across * self.side), max(0.3, down * self.side)
        return np.asarray(
            cv2.GaussianBlur(plane, (0, 0), sigmaX=x, sigmaY=y, borderType=cv2.BORDER_CONSTANT), np.float32
        )


def contact_shadow(alpha: Float32) -> Float32:
    """Returns a dark, thin, soft line where the product stands.

    Parameters: alpha, float32 (H, W) in 0..1, the product on its canvas. Returns: density, float32 (H, W) in 0..1.
    """
    return _beneath(alpha, _contact, side_px=320)


def soft_shadow(alpha: Float32) -> Float32:
    """Returns a broad soft shadow, as of a large lamp in front, above and to the left.

    Parameters: alpha, float32 (H, W) in 0..1, the product on its canvas. Returns: density, float32 (H, W) in 0..1.
    """
    return _beneath(alpha, _soft, side_px=160)


def kept_near_edges(density: Float32, product: Box) -> tuple[Float32, Float32] | None:
    """Returns the share of a shadow to keep in each row and column of the output, so that no edge cuts it.

    Towards an edge that it reaches, the shadow fades to nothing in the last pixels.

    Parameters: density, float32 (H, W) in 0..1; product, its box in the output, px.
    Returns: float32 (H,) and float32 (W,) in 0..1, factors for the density; None if the shadow reaches no edge.
    """
    height, width = density.shape
    rows, columns = np.ones(height, np.float32), np.ones(width, np.float32)
    edges = (  # density along the edge, space before it, its least fade, kept shares from the edge inwards
        (density[0], product.top, LEAST_FADE, rows),
        (density[-1], height - product.bottom, LEAST_BELOW, rows[::-1]),
        (density[:, 0], product.left, LEAST_FADE, columns),
        (density[:, -1], width - product.right, LEAST_FADE, columns[::-1]),
    )
    reached = False
    for along, room_px, least, kept in edges:
        reaches = ramp(float(along.max()), UNSEEN, SEEN)
        if reaches:
            reached = True
            over_px = max(1.0, min(max(room_px, least * product.size.longest), FADE * product.size.longest))
            away_px = np.arange(len(kept), dtype=np.float32)
            np.multiply(kept, 1 - reaches * (1 - ramp(away_px, 0, over_px)), out=kept)
    return (rows, columns) if reached else None


def _beneath(alpha: Float32, make: Callable[[_Standing], Float32], side_px: int) -> Float32:
    """Returns a shadow made at a reduced size around the product's box, at the product's place on its canvas."""
    density = np.zeros(alpha.shape, np.float32)
    box = bounding_box(alpha, SOLID)
    if box is None:
        return density
    scale = min(1.0, side_px / box.size.longest)
    small = Size(*(max(1, round(length * scale)) for length in box.size))
    side = max(small)
    left, top, right, bottom = (round(share * side / 100) for share in ROOM)
    shape = cv2.copyMakeBorder(
        resample(alpha[box.slices], small), top, bottom, left, right, cv2.BORDER_CONSTANT, value=0
    )
    if not (shape >= SOLID).any():  # strands, of which nothing solid remains at the reduced size
        return density
    made = make(_Standing(np.asarray(shape, np.float32), float(side)))

    across, down = small.width / box.size.width, small.height / box.size.height
    height, width = made.shape
    reach = Box(  # on the canvas, cut to it
        max(0, int(box.left - left / across)),
        max(0, int(box.top - top / down)),
        min(alpha.shape[1], int(box.left + (width - left) / across) + 1),
        min(alpha.shape[0], int(box.top + (height - top) / down) + 1),
    )
    to_small = np.array(
        [
            [across, 0, (reach.left - box.left + 0.5) * across + left - 0.5],
            [0, down, (reach.top - box.top + 0.5) * down + top - 0.5],
        ],
        np.float64,
    )
    density[reach.slices] = warp(made, to_small, reach.size)
    return density


def _contact(standing: _Standing) -> Float32:
    """Returns the density along the feet: dark and narrow, with a fainter, wider rim."""
    feet = _feet(standing)
    near = standing.blur(feet, 0.013, 0.008)
    wide = standing.blur(feet, 0.04, 0.016)
    return np.asarray(1 - np.exp(-(2.2 * near + 1.2 * wide)), np.float32)


def _soft(standing: _Standing) -> Float32:
    """Returns the combined density of contact, of the silhouette thrown on the ground, and of light that the product's
    bulk blocks."""
    base = _base(standing.alpha >= SOLID)
    near, far = (_thrown(standing, base, SQUASH, SHEAR, blur) for blur in (0.025, 0.07))
    back = np.clip((base - np.arange(len(near), dtype=np.float32)) / (SQUASH * standing.side), 0, 1)[:, None]
    thrown = near + back * (far - near)  # softer with the distance from the product
    bulk = _thrown(standing, base, 0.12, 0, 0.07)
    light = (1 - 0.7 * _contact(standing)) * (1 - 0.5 * thrown) * (1 - 0.5 * bulk)
    return np.asarray(1 - light, np.float32)


def _thrown(standing: _Standing, base: float, squash: float, shear: float, blur: float) -> Float32:
    """Returns the silhouette thrown on the ground: a point at height t moves `shear` t to the right and `squash` t
    back."""
    back = np.array([[1, shear / squash, -shear / squash * base], [0, 1 / squash, base - base / squash]], np.float64)
    height, width = standing.alpha.shape
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    lying = np.asarray(cv2.warpAffine(standing.alpha, back, (width, height), flags=flags), np.float32)
    return standing.blur(lying, blur, 0.6 * blur)


def _feet(standing: _Standing) -> Float32:
    """Returns the lowest strip of every column that stands on the ground, weighted by certainty. float32 (h, w)."""
    solid, side = standing.alpha >= SOLID, standing.side
    rows = np.arange(len(solid), dtype=np.float32)[:, None]
    lowest = np.where(solid, rows, np.float32(-1)).max(axis=0)
    above = np.maximum(_base(solid) - lowest, 0) / side
    weight = np.maximum(np.exp(-((above / NEAR_BASE) ** 2)), _legs(solid, lowest, side) * (above < HIGHEST_LEG))
    strip = (rows <= lowest) & (rows > lowest - 0.03 * side)
    return np.asarray(strip * np.where(lowest >= 0, weight, 0), np.float32)


def _legs(solid: Bool, lowest: Float32, side: float) -> Bool:
    """Returns the columns at the tip of a long upright part. bool (w,)."""
    reach = max(1, round(0.04 * side))
    around = cv2.dilate(lowest[None], np.ones((1, 2 * reach + 1), np.uint8))[0]
    tip = (lowest >= around - 0.012 * side) & (lowest >= 0)
    long = round(LEAST_LEG * side)
    start = np.clip(lowest - long, 0, None).astype(np.intp)
    filled = np.cumsum(np.pad(solid, ((1, 0), (0, 0))), axis=0, dtype=np.int32)
    columns = np.arange(solid.shape[1])
    upright = filled[lowest.astype(np.intp) + 1, columns] - filled[start + 1, columns] >= 0.95 * long
    return np.asarray(tip & upright)


def _base(solid: Bool) -> float:
    """Returns the row on which the product stands: the lowest one, without STRAY of its area."""
    below = np.cumsum(np.count_nonzero(solid, axis=1)[::-1])[::-1]
    return float(np.flatnonzero(below > STRAY * below[0])[-1])
