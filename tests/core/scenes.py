"""Synthetic scenes with exactly known matte, foreground and background."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from packshot.core.geometry import Size
from packshot.core.picture import Float32, Picture, UInt8


@dataclass(frozen=True)
class Scene:
    """I = aF + (1-a)B. colours and background: float32 (H, W, 3) in 0..255; matte: float32 (H, W)."""

    picture: Picture
    matte: Float32
    colours: Float32
    background: Float32


def noise(size: Size, seed: int = 0) -> UInt8:
    """A picture without any structure."""
    return np.random.default_rng(seed).integers(0, 256, (size.height, size.width, 3), np.uint8)


PHOTO = Size(900, 700)


@cache
def scene(size: Size = PHOTO, softness_px: float = 0.7, seed: int = 0) -> Scene:
    """A wavy, textured red disc on a differently textured blue-green ground."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size.height, : size.width].astype(np.float32) + 0.5
    x, y = x - size.width / 2, y - size.height / 2
    angle = np.arctan2(y, x)
    radius = min(size) * (0.32 + 0.03 * np.sin(9 * angle) + 0.015 * np.sin(31 * angle))
    matte = np.clip((radius - np.hypot(x, y)) / (2 * softness_px) + 0.5, 0, 1).astype(np.float32)
    colours = _textured(size, (205, 60, 50), rng)
    background = _textured(size, (60, 130, 150), rng)
    picture = background + matte[..., None] * (colours - background)
    return Scene(Picture(np.rint(picture).astype(np.uint8)), matte, colours, background)


def coarse_matte(matte: Float32, longest: int = 256) -> Float32:
    """The matte of a good network: the truth at the network's size, slightly soft."""
    height, width = matte.shape
    shrink = longest / max(height, width)
    small = cv2.resize(matte, (round(width * shrink), round(height * shrink)), interpolation=cv2.INTER_AREA)
    return np.clip(cv2.GaussianBlur(small, (0, 0), 1.2), 0, 1)


def _textured(size: Size, colour: tuple[int, int, int], rng: np.random.Generator) -> Float32:
    grain = cv2.GaussianBlur(rng.normal(0, 1, (size.height, size.width, 3)), (0, 0), 4)
    return np.clip(np.array(colour) + 15 * grain / grain.std(), 0, 255).astype(np.float32)
