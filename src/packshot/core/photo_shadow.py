"""The photo's own shadow: ground near the product that is darker than its light, without another explanation.

A shadow can be identified only on a plain ground. Elsewhere none is found, on purpose: without a shadow a packshot is
plain, but with a table's edge in the shadow it is spoilt.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from packshot.core.compose import visible
from packshot.core.picture import Bool, Float32, Picture, quantile, ramp, to_unit
from packshot.core.plain_ground import fit_surface, surface_terms
from packshot.core.resample import resample

SIDE_PX = 256
"""Longest side for all computations, px. Finer detail of a shadow is mostly noise."""

PLAIN, BUSY = 0.0075, 0.0125
"""Unevenness of the ground. Up to PLAIN a shadow is trusted, from BUSY on it is not: see decision 0022."""

NEUTRAL, TINTED = 0.07, 0.19
"""Difference between the channels in lost light. Up to NEUTRAL it is a shadow, from TINTED on a coloured object."""

NEAR, FAR = 0.25, 0.75
"""Distances in the product's longer sides. Up to NEAR a shadow is kept whole, from FAR on it is not the product's."""

CUT, CROSSING = 0.15, 0.3
"""Darkness on two opposite sides of the photo, as a share of the darkest value. One side may cut a shadow. On two,
darkness from CUT to CROSSING is increasingly a table's edge or a fold that runs across."""

FAINTEST = 0.1
"""A shadow that is fainter everywhere is discarded: darkening it would enlarge noise."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_TINY = np.float32(1e-4)

_GAP = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))


@dataclass(frozen=True, eq=False)
class _Ground:
    """The surroundings of the product, at the reduced size.

    rgb: float32 (h, w, 3) in 0..1. seen: bool (h, w), False at the product and right next to it.
    distance: float32 (h, w), to the product, in its own longer sides.
    """

    rgb: Float32
    seen: Bool
    distance: Float32


def photo_shadow(picture: Picture, matte: Float32) -> Float32:
    """Returns the density of the photo's own shadow around the product.

    The ground's light is a smooth surface; darker areas do not pull its fit down. The product's shadow is darker than
    this light by the same factor in all channels, connected to the product and near it. It continues beneath the
    product's soft edge, where the ground shines through, and ends farther inside.

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
    """Returns the ground, or None if there is no product or too little ground to judge."""
    size = picture.size.reduced(SIDE_PX)
    share = resample(matte, size)
    _, _, width, height = cv2.boundingRect((share >= 0.5).view(np.uint8))
    free = cv2.dilate(share, np.ones((3, 3), np.uint8)) <= 0.02
    # Narrower gaps show more missed product than ground.
    seen = cv2.morphologyEx(free.view(np.uint8), cv2.MORPH_OPEN, _GAP) > 0
    if not width or np.count_nonzero(seen) < 0.02 * seen.size:
        return None
    distance = cv2.distanceTransform(seen.view(np.uint8), cv2.DIST_L2, 5) / max(width, height)
    return _Ground(to_unit(resample(visible(picture), size)), seen, np.asarray(distance, np.float32))


def _light(ground: _Ground) -> Float32:
    """Returns the ground's light, float32 (h, w, 3): a quadratic surface, fitted by iteratively reweighted least
    squares.

    Weights are similar to Tukey's, and half as wide for darker pixels, since shadows are expected and lights are not.
    Pixels near the product count more. Uses a quarter of the pixels, enough for six coefficients.
    """
    rgb, seen, distance = ground.rgb[::2, ::2], ground.seen[::2, ::2], ground.distance[::2, ::2]
    terms = surface_terms(ground.seen.shape)
    at, values = terms[::2, ::2][seen], rgb[seen]
    luma, near = values @ _LUMA, np.exp(-distance[seen])
    weight = near
    for _ in range(12):
        rest = luma - at @ fit_surface(at, luma[:, None], weight)[:, 0]
        scale = max(1.48 * quantile(np.abs(rest), 0.5), 0.008)
        weight = near / (1 + (rest / np.where(rest < 0, scale, 2 * scale)) ** 2) ** 2
    return np.asarray(terms @ fit_surface(at, values, weight), np.float32)


def _unevenness(luma: Float32, ground: _Ground) -> float:
    """Returns how much near the product is no shadow: texture, and pixels lighter than the fitted light."""
    texture = np.abs(luma - cv2.GaussianBlur(luma, (0, 0), 2))
    weight = ground.seen * np.exp(-ground.distance)
    return float(((texture + np.maximum(luma - 1, 0)) * weight).sum() / weight.sum())


def _hangs_together(dark: Bool, ground: _Ground) -> Bool:
    """Returns the product and the dark areas connected to it. bool (h, w)."""
    _, piece = cv2.connectedComponents((dark | ~ground.seen).view(np.uint8), connectivity=8)
    return np.isin(piece, np.unique(piece[~ground.seen]))


def _crossing(density: Float32) -> float:
    """Returns the darkness on two opposite sides of the photo, as a share of the darkest value. 0..1."""
    left, right, top, bottom = (float(side.max()) for side in (density[:, 0], density[:, -1], density[0], density[-1]))
    return max(min(left, right), min(top, bottom)) / max(float(density.max()), 1e-6)


def _softened(region: Bool) -> Float32:
    """Returns a region, a little larger, with soft ends. float32 (h, w) in 0..1."""
    larger = cv2.dilate(region.astype(np.float32), np.ones((5, 5), np.uint8))
    return np.asarray(cv2.GaussianBlur(larger, (0, 0), 2), np.float32)


def _inside_frame(shape: tuple[int, ...]) -> Float32:
    """Returns a fade towards the photo's frame, so that a shadow cut by it does not end in a line. float32 (h, w)."""
    reach = 0.05 * max(shape)
    down, across = (np.minimum(np.arange(length), np.arange(length)[::-1]).astype(np.float32) for length in shape)
    return ramp(np.minimum(down[:, None], across), 0, reach)


def _beneath_edge(density: Float32, seen: Bool) -> Float32:
    """Extends the visible density some way beneath the product, where it fades out."""
    hidden = (~seen).view(np.uint8)
    depth, nearest = cv2.distanceTransformWithLabels(hidden, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    values = np.zeros(int(nearest.max()) + 1, np.float32)
    values[nearest[seen]] = density[seen]
    carried = cv2.GaussianBlur(values[nearest], (0, 0), 1)
    return np.asarray(carried * np.clip(2 - depth / 4, 0, 1), np.float32)


def _spread(plane: Float32, seen: Bool) -> Float32:
    """Blurs visible pixels only, and so extends a little beyond them."""
    weight = seen.astype(np.float32)
    total = np.maximum(cv2.GaussianBlur(weight, (0, 0), 1), _TINY)
    return np.asarray(cv2.GaussianBlur((plane * weight).astype(np.float32), (0, 0), 1) / total, np.float32)
