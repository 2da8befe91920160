"""What lies behind a product other than one colour: the photo's own surroundings out of focus, or another picture."""

from __future__ import annotations

import cv2
import numpy as np

from packshot.core.compose import visible
from packshot.core.geometry import Size
from packshot.core.picture import Float32, Picture, UInt8
from packshot.core.resample import resample

SIDE_PX = 256
"""Longest side at which the blur runs: what is out of focus has no detail that would need more."""

APERTURE = 0.05
"""Radius of the circle that a point becomes, as a share of the longest side."""

REACH = 0.01
"""Beside the product so much of the longest side is left out too: its edge, and light that it throws around."""

GAMMA = 2.2
"""Light adds up linearly: blurred as sRGB values, a lamp would turn gray instead of becoming a disc."""

FREE = 0.99
"""Share of surroundings from which a pixel counts: less would let a little of the product's colour in."""

LEAST = 0.001
"""Share of the picture that must be surroundings for anything to be known about them."""


def blurred(picture: Picture, matte: Float32) -> UInt8:
    """The photo's own surroundings as a lens with a large aperture shows what is far behind the product.

    The product takes no part: where it is, and a little around it, the surroundings' colours flow in from its sides.
    Only a product that leaves no surroundings is blurred itself.

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
    """A picture scaled to cover a frame, centred; what sticks out is cut. Returns uint8 (height, width, 3)."""
    height, width = rgb.shape[:2]
    scale = min(width / size.width, height / size.height)
    part = Size(max(1, round(size.width * scale)), max(1, round(size.height * scale)))
    left, top = (width - part.width) // 2, (height - part.height) // 2
    return resample(rgb[top : top + part.height, left : left + part.width], size)


def _disc(radius: float) -> Float32:
    """An aperture: a disc with a soft rim of one pixel, its sum 1. float32 (n, n)."""
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    disc = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return np.asarray(disc / disc.sum(), np.float32)


def _filled(light: Float32, weight: Float32) -> Float32:
    """Light (h, w, 3) where its weight (h, w) is 1; elsewhere the nearest there is, ever coarser further away.

    Push and pull: averages of pairs, until nothing is missing; then each level fills what the finer one lacks.
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
