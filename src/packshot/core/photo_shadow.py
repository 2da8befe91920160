"""The photo's own shadow: where the ground near the product is darker than its light, and nothing else explains it.

Only on a plain ground can a shadow be told from what lies there. Anywhere else nothing is found, on purpose: a missing
shadow is a plain packshot, a table's edge in it is a spoilt one.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from packshot.core.compose import visible
from packshot.core.picture import Bool, Float32, Picture, ramp, to_unit
from packshot.core.plain_ground import fit_surface, surface_terms
from packshot.core.resample import resample

SIDE_PX = 256
"""Longest side at which all is computed: a shadow has no finer detail that is worth its noise."""

PLAIN, BUSY = 0.0075, 0.0125
"""Unevenness of the ground up to which its shadow is believed, and from which none is: see decision 0022."""

NEUTRAL, TINTED = 0.07, 0.19
"""How far the colour channels may differ in what they lose, and from where on something coloured lies there."""

NEAR, FAR = 0.25, 0.75
"""Shares of the product's longer side: up to here a shadow is whole, from there on it is none of the product's."""

CUT, CROSSING = 0.15, 0.3
"""A shadow may be cut by one side of the photo. What is so dark on two opposite ones, of its darkest, is a table's edge
or a fold that runs across."""

FAINTEST = 0.1
"""A shadow that is nowhere as dark as that is no shadow, and a caller who wants it dark would enlarge noise."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_TINY = np.float32(1e-4)

_GAP = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))


@dataclass(frozen=True, eq=False)
class _Ground:
    """What surrounds the product, at the reduced size.

    rgb: float32 (h, w, 3) in 0..1. seen: bool (h, w), False at the product and right beside it.
    distance: float32 (h, w), to the product, in its own longer sides.
    """

    rgb: Float32
    seen: Bool
    distance: Float32


def photo_shadow(picture: Picture, matte: Float32) -> Float32:
    """The density of the shadow that the photo itself has around the product.

    The ground's light is a smooth surface, fitted so that what is darker than it does not pull it down. Where colours
    are darker than that by one factor in all channels, in one piece with the product and near it, is its shadow.
    It goes on beneath the product's soft edge, where the ground shines through, and ends further inside.

    Parameters: picture; matte, float32 (H, W) in 0..1. Returns: density, float32 (H, W) in 0..1.
    """
    ground = _ground(picture, matte)
    if ground is None:
        return np.zeros(matte.shape, np.float32)
    kept = ground.rgb / np.maximum(_light(ground), np.float32(0.02))
    luma = kept @ _LUMA
    unevenness = _unevenness(luma, ground)
    believed = 1 - ramp(unevenness, PLAIN, BUSY)
    if believed == 0:
        return np.zeros(matte.shape, np.float32)
    neutral = 1 - ramp(np.ptp(kept, axis=2), NEUTRAL, TINTED)
    density = _spread(np.maximum(1 - luma, 0) * neutral, ground.seen)
    least = 0.01 + 2 * unevenness
    hangs = _hangs_together(density > least, ground)
    density *= ramp(density, least / 2, 1.5 * least) * _softened(hangs)
    believed *= 1 - ramp(_crossing(density * ground.seen), CUT, CROSSING)
    density *= believed * (1 - ramp(ground.distance, NEAR, FAR)) * _inside_frame(density.shape)
    if density.max() < FAINTEST:
        return np.zeros(matte.shape, np.float32)
    beneath = _beneath_edge(np.asarray(density, np.float32), ground.seen)
    return np.asarray(cv2.resize(beneath, picture.size, interpolation=cv2.INTER_LINEAR), np.float32)


def _ground(picture: Picture, matte: Float32) -> _Ground | None:
    """None where there is no product, or so little ground that nothing can be said about it."""
    size = picture.size.reduced(SIDE_PX)
    share = resample(matte, size)
    _, _, width, height = cv2.boundingRect((share >= 0.5).view(np.uint8))
    free = cv2.dilate(share, np.ones((3, 3), np.uint8)) <= 0.02
    # Gaps narrower than this show more of what the matte missed than of the ground.
    seen = cv2.morphologyEx(free.view(np.uint8), cv2.MORPH_OPEN, _GAP) > 0
    if not width or np.count_nonzero(seen) < 0.02 * seen.size:
        return None
    distance = cv2.distanceTransform(seen.view(np.uint8), cv2.DIST_L2, 5) / max(width, height)
    return _Ground(to_unit(resample(visible(picture), size)), seen, np.asarray(distance, np.float32))


def _light(ground: _Ground) -> Float32:
    """The ground's light, float32 (h, w, 3): a quadratic surface, fitted by iteratively reweighted least squares.

    Weights are Tukey's in kind and half as wide for what is darker, since shadows are and lights are not expected.
    Near the product counts more. At a quarter of the pixels: six coefficients need no more.
    """
    rgb, seen, distance = ground.rgb[::2, ::2], ground.seen[::2, ::2], ground.distance[::2, ::2]
    terms = surface_terms(ground.seen.shape)
    at, values = terms[::2, ::2][seen], rgb[seen]
    luma, near = values @ _LUMA, np.exp(-distance[seen])
    weight = near
    for _ in range(12):
        rest = luma - at @ fit_surface(at, luma[:, None], weight)[:, 0]
        scale = max(1.48 * float(np.median(np.abs(rest))), 0.008)
        weight = near / (1 + (rest / np.where(rest < 0, scale, 2 * scale)) ** 2) ** 2
    return np.asarray(terms @ fit_surface(at, values, weight), np.float32)


def _unevenness(luma: Float32, ground: _Ground) -> float:
    """How much near the product is no shadow: texture, and whatever is lighter than the fitted light."""
    texture = np.abs(luma - cv2.GaussianBlur(luma, (0, 0), 2))
    weight = ground.seen * np.exp(-ground.distance)
    return float(((texture + np.maximum(luma - 1, 0)) * weight).sum() / weight.sum())


def _hangs_together(dark: Bool, ground: _Ground) -> Bool:
    """The product, and what is dark in one piece with it. bool (h, w)."""
    _, piece = cv2.connectedComponents((dark | ~ground.seen).view(np.uint8), connectivity=8)
    return np.isin(piece, np.unique(piece[~ground.seen]))


def _crossing(density: Float32) -> float:
    """How dark it is on two opposite sides of the photo, of what it is at its darkest. 0..1."""
    left, right, top, bottom = (float(side.max()) for side in (density[:, 0], density[:, -1], density[0], density[-1]))
    return max(min(left, right), min(top, bottom)) / max(float(density.max()), 1e-6)


def _softened(region: Bool) -> Float32:
    """A region, a little larger, with soft ends. float32 (h, w) in 0..1."""
    larger = cv2.dilate(region.astype(np.float32), np.ones((5, 5), np.uint8))
    return np.asarray(cv2.GaussianBlur(larger, (0, 0), 2), np.float32)


def _inside_frame(shape: tuple[int, ...]) -> Float32:
    """Fades towards the photo's frame, so that a shadow that it cuts does not end in a line. float32 (h, w)."""
    reach = 0.05 * max(shape)
    down, across = (np.minimum(np.arange(length), np.arange(length)[::-1]).astype(np.float32) for length in shape)
    return ramp(np.minimum(down[:, None], across), 0, reach)


def _beneath_edge(density: Float32, seen: Bool) -> Float32:
    """The density carried on from where it is seen to some way beneath the product, and then let fade."""
    hidden = (~seen).view(np.uint8)
    depth, nearest = cv2.distanceTransformWithLabels(hidden, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    values = np.zeros(int(nearest.max()) + 1, np.float32)
    values[nearest[seen]] = density[seen]
    carried = cv2.GaussianBlur(values[nearest], (0, 0), 1)
    return np.asarray(carried * np.clip(2 - depth / 4, 0, 1), np.float32)


def _spread(plane: Float32, seen: Bool) -> Float32:
    """A blur that only takes in what is seen, and so reaches a little beyond it."""
    weight = seen.astype(np.float32)
    total = np.maximum(cv2.GaussianBlur(weight, (0, 0), 1), _TINY)
    return np.asarray(cv2.GaussianBlur((plane * weight).astype(np.float32), (0, 0), 1) / total, np.float32)
