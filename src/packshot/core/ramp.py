"""A smooth step, for decisions that must not jump."""

from __future__ import annotations

import numpy as np

from packshot.core.picture import Float32


def ramp(value: Float32 | float, low: float, high: float) -> Float32:
    """0 up to low, 1 from high on, smooth between. Values may be a number or an array; float32 of the same shape."""
    part = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(part * part * (3 - 2 * part), np.float32)
