"""Corrections painted by hand: what is product, what is background, and where the matte stays as found.

Strokes count twice. Laid into the coarse matte they say roughly what belongs to the product, and the rim of a stroke
moves to the picture's own edges with everything else; laid onto the finished matte they are the last word.
"""

from __future__ import annotations

import cv2
import numpy as np

from packshot.core.geometry import Size
from packshot.core.picture import Float32, UInt8
from packshot.core.resample import resample, size_of

AS_FOUND = 128
"""The gray level that corrects nothing."""

SLACK = 2
"""Gray levels around AS_FOUND that still correct nothing: what a JPEG makes of a flat gray, or a converter of 50 %."""


def read_touch_up(painted: UInt8, size: Size) -> Float32:
    """The hints of a painted picture, at the size of the photo that it lies over.

    Gray levels become a signed strength, linear on either side of AS_FOUND, so that a stroke's soft rim is a weak hint.

    Parameters: painted, uint8 (h, w) or (h, w, 3), of any size; 255 = product, 0 = background, 128 = as found.
    Returns: hints, float32 (height, width) in -1..1: 1 = product, -1 = background, 0 = as found.
    """
    gray = painted if painted.ndim == 2 else cv2.cvtColor(painted, cv2.COLOR_RGB2GRAY)
    return np.asarray(resample(_STRENGTHS[gray], size), np.float32)


def apply_to_coarse(coarse: Float32, hints: Float32) -> Float32:
    """The coarse matte, float32 (h, w) in 0..1, with the hints of the whole picture in it, before it is refined."""
    return clamp(coarse, resample(hints, size_of(coarse)))


def clamp(matte: Float32, hints: Float32) -> Float32:
    """The matte, at least as high as a hint's strength for the product and as low as one against it demands.

    Parameters: matte, float32 (H, W) in 0..1; hints, float32 (H, W) in -1..1. Returns: float32 (H, W) in 0..1.
    """
    # A hint for the product is positive, so 1 + hint limits nothing, and the other way round.
    return np.asarray(np.minimum(np.maximum(matte, hints), 1 + hints), np.float32)


def _strengths() -> Float32:
    """The strength of each of the 256 gray levels, float32 (256,)."""
    levels = np.arange(256, dtype=np.float32) - AS_FOUND
    away = np.maximum(np.abs(levels) - SLACK, 0) / (255 - AS_FOUND - SLACK)
    return np.asarray(np.sign(levels) * np.minimum(away, 1), np.float32)


_STRENGTHS = _strengths()
