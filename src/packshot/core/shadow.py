"""Shadows that are made up from the product's outline; the one that the photo has is in core/photo_shadow.py.

A shadow is a density, float32 (H, W) in 0..1: the share of the ground's colour that it takes away, as sRGB values. Laid
under the product, black with the density for alpha shows it on any ground.

Lengths are shares of the product's longer side, so that a shadow grows with the product and moves with it.
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
"""Of the product's area, so much may lie below its base: crumbs that the matte left there do not lift the product."""

NEAR_BASE = 0.07
"""How fast contact fades with height above the base: by then to a third, which follows the foot of a mug seen from
above to either side and leaves its handle alone."""

LEAST_LEG, HIGHEST_LEG = 0.15, 0.35
"""A leg further back ends higher in the picture than the base, yet stands: a tip with so much straight above it that
it is no handle, and not so high that it is no sleeve."""

SQUASH, SHEAR = 0.3, 0.35
"""Where the lamp throws the top of a product of height 1: so far back, and so far to the right."""

ROOM = Box(40, 15, 80, 25)
"""Around the product, in hundredths: how far the shadows reach to the left, up, to the right and down."""


UNSEEN, SEEN = 0.5 / 255, 4 / 255
"""Densities at an edge of the output: up to here nobody sees that the shadow ends there, from here on it fades out."""

FADE, LEAST_FADE, LEAST_BELOW = 0.2, 0.1, 0.03
"""Shares of the product's longer side. Before an edge that would cut it a shadow fades out over the room between the
product and that edge, at most over FADE, at least over LEAST_FADE: a shorter one is seen as a line. Before the lower
edge LEAST_BELOW, or the dark line that the product stands on would be gone."""


@dataclass(frozen=True, eq=False)
class _Standing:
    """A product made small, with room around it for its shadow.

    alpha: float32 (h, w). side: the product's longer side in this plane, px.
    """

    alpha: Float32
    side: float

    def blur(self, plane: Float32, across: float, down: float) -> Float32:
        """Ground seen at a slant: everything on it is wider than deep."""
        x, y = max(0.3, across * self.side), max(0.3, down * self.side)
        return np.asarray(
            cv2.GaussianBlur(plane, (0, 0), sigmaX=x, sigmaY=y, borderType=cv2.BORDER_CONSTANT), np.float32
        )


def contact_shadow(alpha: Float32) -> Float32:
    """A dark, thin, soft line where the product stands.

    Parameters: alpha, float32 (H, W) in 0..1, the product on its canvas. Returns: density, float32 (H, W) in 0..1.
    """
    return _beneath(alpha, _contact, side_px=320)


def soft_shadow(alpha: Float32) -> Float32:
    """A broad soft shadow, as of a large lamp in front, above and to the left.

    Parameters: alpha, float32 (H, W) in 0..1, the product on its canvas. Returns: density, float32 (H, W) in 0..1.
    """
    return _beneath(alpha, _soft, side_px=160)


def kept_near_edges(density: Float32, product: Box) -> tuple[Float32, Float32] | None:
    """The share of a shadow to keep in each row and in each column of the output, so that no edge cuts it.

    Towards an edge that it reaches it fades out, to nothing in the last pixels.

    Parameters: density, float32 (H, W) in 0..1; product, its box in the output, px.
    Returns: float32 (H,) and float32 (W,) in 0..1, to be multiplied with; None where the shadow reaches no edge.
    """
    height, width = density.shape
    rows, columns = np.ones(height, np.float32), np.ones(width, np.float32)
    edges = (  # the density along it, the room before it, its least fade, and what is kept from it on
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
    """A shadow made at a reduced size around the product's box, laid where the product is on its canvas."""
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
    if not (shape >= SOLID).any():  # strands, of which the reduced size leaves nothing solid
        return density
    made = make(_Standing(np.asarray(shape, np.float32), float(side)))

    across, down = small.width / box.size.width, small.height / box.size.height
    height, width = made.shape
    reach = Box(  # on the canvas, as far as that goes
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
    """Density along the feet: dark and narrow, with a fainter, wider rim."""
    feet = _feet(standing)
    near = standing.blur(feet, 0.013, 0.008)
    wide = standing.blur(feet, 0.04, 0.016)
    return np.asarray(1 - np.exp(-(2.2 * near + 1.2 * wide)), np.float32)


def _soft(standing: _Standing) -> Float32:
    """Contact, the silhouette thrown on the ground, and the light that the product's bulk keeps from its foot."""
    base = _base(standing.alpha >= SOLID)
    near, far = (_thrown(standing, base, SQUASH, SHEAR, blur) for blur in (0.025, 0.07))
    back = np.clip((base - np.arange(len(near), dtype=np.float32)) / (SQUASH * standing.side), 0, 1)[:, None]
    thrown = near + back * (far - near)  # the further from what throws it, the softer
    bulk = _thrown(standing, base, 0.12, 0, 0.07)
    light = (1 - 0.7 * _contact(standing)) * (1 - 0.5 * thrown) * (1 - 0.5 * bulk)
    return np.asarray(1 - light, np.float32)


def _thrown(standing: _Standing, base: float, squash: float, shear: float, blur: float) -> Float32:
    """The silhouette lying on the ground: a point at height t goes `shear` t to the right and `squash` t back."""
    back = np.array([[1, shear / squash, -shear / squash * base], [0, 1 / squash, base - base / squash]], np.float64)
    height, width = standing.alpha.shape
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    lying = np.asarray(cv2.warpAffine(standing.alpha, back, (width, height), flags=flags), np.float32)
    return standing.blur(lying, blur, 0.6 * blur)


def _feet(standing: _Standing) -> Float32:
    """The lowest strip of every column that stands on the ground, weighted by how surely it does. float32 (h, w)."""
    solid, side = standing.alpha >= SOLID, standing.side
    rows = np.arange(len(solid), dtype=np.float32)[:, None]
    lowest = np.where(solid, rows, np.float32(-1)).max(axis=0)
    above = np.maximum(_base(solid) - lowest, 0) / side
    weight = np.maximum(np.exp(-((above / NEAR_BASE) ** 2)), _legs(solid, lowest, side) * (above < HIGHEST_LEG))
    strip = (rows <= lowest) & (rows > lowest - 0.03 * side)
    return np.asarray(strip * np.where(lowest >= 0, weight, 0), np.float32)


def _legs(solid: Bool, lowest: Float32, side: float) -> Bool:
    """Which columns belong to the tip of something long and upright. bool (w,)."""
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
    """The row on which the product stands: the lowest one but for STRAY of its area."""
    below = np.cumsum(np.count_nonzero(solid, axis=1)[::-1])[::-1]
    return float(np.flatnonzero(below > STRAY * below[0])[-1])
