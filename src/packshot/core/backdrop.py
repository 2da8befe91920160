"""Backdrops other than one colour: the photo's own surroundings out of focus, or another picture."""

from __future__ import annotations

import cv2
import numpy as np

from packshot.core.compose import visible
from packshot.core.geometry import Size
from packshot.core.picture import Float32, Picture, UInt8
from packshot.core.resample import resample

SIDE_PX = 256
"""Longest side for the blur, px: an area out of focus has no finer detail."""

APERTURE = 0.05
"""Radius of the circle into which a point is blurred, as a share of the longest side."""

REACH = 0.01
"""Width around the product that is left out too, as a share of the longest side: its edge, and light that it
reflects."""

GAMMA = 2.2
"""Exponent for blurring in linear light. In sRGB values, a blurred lamp would turn gray instead of becoming a disc."""

FREE = 0.99
"""Share of surroundings from which a pixel counts. A lower bound would let in some of the product's colour."""

LEAST = 0.001
"""Share of the picture that must be surroundings. A smaller share says nothing about them."""


def blurred(picture: Picture, matte: Float32) -> UInt8:
    """Returns the photo's own surroundings, as a lens with a large aperture shows a distant background.

    The product is left out. Its place, and a little around it, is filled with the surroundings' colours from its sides.
    If there are no surroundings, the product itself is blurred.

    Parameters: picture; matte, float32 (H, W) in 0..1. Returns: uint8 (H, W, 3).
    """
    size = picture.size.reduced(SIDE_PX)
    light = (resample(visible(picture), size).astype(np.float32) / np.float32(255)) ** np.float32(GAMMA)
    around = 1 - resample(matte, size)
    reach = 2 * max(1, round(REACH * max(size))) + 1
    free = cv2.erode(around, np.ones((reach, reach), np.uint8)) >= FREE
    if np.count_nonzero(free) < LEAST * free.size:
        free = np.ones_like(free)
    soft = cv2.filter2D(
        _filled(light, free.astype(np.float32)),
        -1,
        _disc(max(1.0, APERTURE * max(size))),
        borderType=cv2.BORDER_REFLECT,
    )
    levels = (np.clip(soft, 0, 1) ** np.float32(1 / GAMMA) * 65280).astype(np.uint16)
    full = cv2.resize(levels, picture.size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.convertScaleAbs(full, alpha=1 / 256), np.uint8)


def cover(rgb: UInt8, size: Size) -> UInt8:
    """Returns a picture scaled to cover a frame, centred, with the excess cut off. uint8 (height, width, 3)."""
    height, width = rgb.shape[:2]
    scale = min(width / size.width, height / size.height)
    part = Size(max(1, round(size.width * scale)), max(1, round(size.height * scale)))
    left, top = (width - part.width) // 2, (height - part.height) // 2
    return resample(rgb[top : top + part.height, left : left + part.width], size)


def _disc(radius: float) -> Float32:
    """Returns an aperture: a disc with a soft rim of one pixel and a sum of 1. float32 (n, n)."""
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    disc = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return np.asarray(disc / disc.sum(), np.float32)


def _filled(light: Float32, weight: Float32) -> Float32:
    """Returns light (h, w, 3) where its weight (h, w) is 1; elsewhere the nearest light, coarser with distance.

    Push and pull: averages pairs until nothing is missing, then fills the gaps of each level from the coarser one.
    """
    if min(weight.shape) <= 1 or weight.min() >= 1:
        total = max(float(weight.sum()), 1e-6)
        mean = (light * weight[..., None]).sum((0, 1)) / total
        return np.asarray(light * weight[..., None] + mean * (1 - weight[..., None]), np.float32)
    size = Size(-(-weight.shape[1] // 2), -(-weight.shape[0] // 2))
    less = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
    sums = cv2.resize(light * weight[..., None], size, interpolation=cv2.INTER_AREA)
    means = sums / np.maximum(less, 1e-6)[..., None]
    coarser = _filled(np.asarray(means, np.float32), np.minimum(less * 2, 1))
    below = cv2.resize(coarser, (weight.shape[1], weight.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(light * weight[..., None] + below * (1 - weight[..., None]), np.float32)
