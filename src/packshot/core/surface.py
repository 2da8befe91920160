"""Quadratic surfaces: what an even light makes of one colour across a picture."""

from __future__ import annotations

import numpy as np

from packshot.core.picture import Float32


def surface_terms(shape: tuple[int, ...]) -> Float32:
    """1, x, y, x², xy, y² at every pixel, x and y in -1..1. float32 (h, w, 6)."""
    y, x = (np.linspace(-1, 1, length, dtype=np.float32) for length in shape)
    x, y = np.meshgrid(x, y)
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)


def fit_surface(at: Float32, values: Float32, weight: Float32) -> Float32:
    """Coefficients of the weighted least squares fit, a little held back from bending. float32 (6, channels).

    Parameters: at, float32 (n, 6), terms; values, float32 (n, channels); weight, float32 (n,).
    """
    weighted = at * weight[:, None]
    ridge = 1e-5 * len(at) * np.diag([1e-3, 1, 1, 1, 1, 1])
    return np.linalg.solve(weighted.T @ at + ridge, weighted.T @ values).astype(np.float32)
