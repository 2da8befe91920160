"""From linear light to an 8-bit photo: exposure, white balance, tone curve, grain. Pure NumPy."""

from __future__ import annotations

import numpy as np

from training.studio.plan import Backdrop, Film

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


def develop(light: np.ndarray, matte: np.ndarray, film: Film, backdrop: Backdrop, seed: int) -> np.ndarray:
    """Develop `light` (H, W, 3), linear float32, to sRGB uint8.

    Shops expose for a white background, so a white background is the anchor. Otherwise the brightest tenth of the
    product and of the whole picture is. Grain comes last, and is the same on product and background: a network would
    learn any difference.
    """
    grey = np.nan_to_num(light, nan=0.0, posinf=50.0).clip(0, 50) @ LUMINANCE
    gain = film.exposure * _gain(grey, matte, backdrop)
    red, blue = film.balance
    pixels = np.nan_to_num(light).clip(0, 50) * gain * np.array([red, 1, blue], np.float32)
    pixels = _encode(_shoulder(pixels))
    pixels = 0.5 + (pixels - 0.5) * (1 + 0.35 * (film.contrast - 1))
    if film.grain:
        noise = np.random.default_rng(seed).normal(0, film.grain, (*grey.shape, 4)).astype(np.float32)
        pixels = pixels + noise[..., :1] + 0.4 * noise[..., 1:]
    return (pixels.clip(0, 1) * 255).round().astype(np.uint8)


def _gain(grey: np.ndarray, matte: np.ndarray, backdrop: Backdrop) -> float:
    """The gain that brings a white background to 1 without clipping a white product, or the main highlights to 0.8."""
    behind, front = grey[matte < 0.05], grey[matte > 0.95]
    if backdrop.kind in {"flat", "sweep"} and min(backdrop.colour) > 0.8 and behind.size:
        product = float(np.percentile(front, 60)) if front.size else 0.0
        return 1.0 / max(float(np.percentile(behind, 60)), product, 1e-3)
    bright = [float(np.percentile(part, 92)) for part in (front, grey.ravel()) if part.size]
    return 0.8 / max(float(np.mean(bright)), 1e-3)


def _shoulder(light: np.ndarray) -> np.ndarray:
    """Identity below 0.7, then rolling off to 1 at about 1.6, like film and phones."""
    over = np.maximum(light - 0.7, 0)
    return np.where(light > 0.7, 0.7 + 0.3 * (1 - np.exp(-over / 0.3)), light)


def _encode(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-6) ** (1 / 2.4) - 0.055)
