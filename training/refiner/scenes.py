"""Pictures with exact mattes at full size: a shape or a cutout over a photo, then a simulated camera.

Noise, sharpening and JPEG come after compositing, so that only colour and texture mark the edge. Blur and resizing move
the edge, so the matte gets them as well: the truth is what a perfect eye could see.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from training.refiner.material import Material
from training.refiner.shapes import BODIES, STRANDS, Rng, draw

KINDS = ("cutout", *BODIES, *STRANDS)
SHARES = (0.25, 0.1, 0.08, 0.07, 0.15, 0.18, 0.09, 0.08)
ASPECTS = (1.0, 4 / 3, 3 / 4)


@dataclass(frozen=True)
class Scene:
    """rgb: uint8 (H, W, 3). truth: float32 (H, W) in 0..1. kind: one of KINDS, or "studio".

    colours: float32 (H, W, 3) in 0..255, the product's own; None behind a camera, which changes them.
    """

    rgb: np.ndarray
    truth: np.ndarray
    kind: str
    colours: np.ndarray | None = None


def make_scene(
    rng: Rng, material: Material, *, kind: str = "", longest_px: int = 0, through_camera: bool = True
) -> Scene:
    """A scene of the given kind and size, or of random ones; without a camera, with the product's own colours."""
    kind = kind or str(rng.choice(KINDS, p=SHARES))
    longest_px = longest_px or int(rng.integers(700, 2001))
    aspect = rng.choice(ASPECTS)
    width, height = round(longest_px * min(1, aspect)), round(longest_px / max(1, aspect))
    if kind == "cutout":
        colours, matte = _cutout(rng, material, height, width)
    else:
        colours, matte = texture(rng, material, height, width), draw(rng, kind, height, width)
    back = _background(rng, material, colours, matte)
    if rng.random() < 0.25:
        colours = _low_contrast(rng, colours, back)
    matte, colours = _defocus(rng, matte, colours)
    back = _cast_shadow(rng, back, matte)
    mixed = back + matte[..., None] * (colours - back)
    if not through_camera:
        return Scene(np.clip(np.rint(mixed), 0, 255).astype(np.uint8), matte, kind, colours)
    return camera(rng, mixed, matte, kind)


def texture(rng: Rng, material: Material, height: int, width: int) -> np.ndarray:
    """Float32 (height, width, 3) in 0..255: a rotated, mirrored, enlarged piece of a photo, or a plain paper."""
    if rng.random() < 0.3:
        return _paper(rng, height, width)
    photo = material.photos[rng.integers(len(material.photos))]
    scale = max(height, width) / max(photo.shape) * np.exp(rng.uniform(-1.1, 0.6))
    centre = (rng.uniform(0, photo.shape[1]), rng.uniform(0, photo.shape[0]))
    turn = cv2.getRotationMatrix2D(centre, rng.uniform(-180, 180), scale)
    turn[:, 2] += np.array([width, height]) / 2 - centre
    placed = cv2.warpAffine(photo, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    gain = rng.uniform(0.7, 1.2) * rng.uniform(0.92, 1.08, 3)
    return np.clip(placed * gain.astype(np.float32), 0, 255)


def camera(rng: Rng, rgb: np.ndarray, matte: np.ndarray, kind: str) -> Scene:
    """Blur and resize picture and matte; sharpen the picture alone, and add noise and JPEG to it."""
    if rng.random() < 0.5:
        sigma = rng.uniform(0.3, 1.2)
        rgb, matte = cv2.GaussianBlur(rgb, (0, 0), sigma), cv2.GaussianBlur(matte, (0, 0), sigma)
    if rng.random() < 0.25:
        zoom = rng.uniform(0.75, 1.5) if max(matte.shape) < 1300 else rng.uniform(0.6, 1.0)
        size = (round(matte.shape[1] * zoom), round(matte.shape[0] * zoom))
        how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
        rgb, matte = cv2.resize(rgb, size, interpolation=how), cv2.resize(matte, size, interpolation=how)
    if rng.random() < 0.35:
        rgb = rgb + rng.uniform(0.3, 1.2) * (rgb - cv2.GaussianBlur(rgb, (0, 0), rng.uniform(0.7, 2)))
    if rng.random() < 0.6:
        rgb = rgb + _noise(rng, rgb.shape) * rng.uniform(0.5, 7)
    pixels = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    if rng.random() < 0.8:
        pixels = _jpeg(pixels, int(rng.integers(60, 98)))
    return Scene(pixels, np.clip(matte, 0, 1).astype(np.float32), kind)


def _noise(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """Unit noise, half the time in grains of two pixels. One tile is repeated: drawing it all takes half the time."""
    tile = rng.standard_normal((256, 256, 3), np.float32)
    if rng.random() < 0.5:
        tile = 2 * cv2.GaussianBlur(tile, (0, 0), 0.8)
    times = (-(-shape[0] // 256), -(-shape[1] // 256), 1)
    return np.tile(tile, times)[: shape[0], : shape[1]]


def _jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def _paper(rng: Rng, height: int, width: int) -> np.ndarray:
    """A smooth sweep between a few similar colours, usually white."""
    base = rng.uniform(215, 255) * np.ones(3) if rng.random() < 0.5 else rng.uniform(10, 245, 3)
    sweep = (base + rng.normal(0, rng.uniform(1, 18), (3, 3, 1)) + rng.normal(0, 2, (3, 3, 3))).astype(np.float32)
    return np.clip(cv2.resize(sweep, (width, height), interpolation=cv2.INTER_CUBIC), 0, 255)


def _cutout(rng: Rng, material: Material, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A product's colours, extended outward, and its matte; enlarged only slightly, so that its edge stays sharp."""
    cutout = material.cutouts[rng.integers(len(material.cutouts))].astype(np.float32)
    cutout[..., 3:] /= 255
    cutout[..., :3] *= cutout[..., 3:]
    scale = min(rng.uniform(0.45, 0.9) * min(height, width) / max(cutout.shape), 1.25)
    centre = np.array([cutout.shape[1], cutout.shape[0]]) / 2
    turn = cv2.getRotationMatrix2D(tuple(centre), rng.normal(0, 20), scale)
    turn[:, 2] += np.array([width, height]) * rng.uniform(0.45, 0.55, 2) - centre
    if scale < 0.6:  # a larger bilinear step would alias
        cutout = cv2.GaussianBlur(cutout, (0, 0), 0.35 / scale)
    placed = cv2.warpAffine(cutout, turn, (width, height), flags=cv2.INTER_LINEAR)
    matte = np.clip(placed[..., 3], 0, 1)
    colours = placed[..., :3][..., rng.permutation(3)] * rng.uniform(0.8, 1.1, 3).astype(np.float32)
    # Colours are only known where alpha is: extend them outward for pixels that a blur will reach.
    small = cv2.GaussianBlur(placed, (0, 0), 6)
    spread = small[..., :3] / np.maximum(small[..., 3:], 1e-3)
    mixed = colours + (1 - matte[..., None]) * spread
    return np.clip(mixed, 0, 255), matte


def _background(rng: Rng, material: Material, colours: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """A texture; sometimes a paper in the product's own colour, as with white on white."""
    height, width = matte.shape
    back = texture(rng, material, height, width)
    if rng.random() < 0.12:
        edge = (matte > 0.02) & (matte < 0.98)
        if edge.any():
            back = np.broadcast_to(colours[edge].mean(0), colours.shape) + rng.uniform(-14, 14, 3)
            back = np.clip(back + 0.15 * (_paper(rng, height, width) - 200), 0, 255)
    return back.astype(np.float32)


def _low_contrast(rng: Rng, colours: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Move the product's colours towards the background's mean, keeping their detail."""
    offset = (back - colours).mean((0, 1)) + rng.uniform(-25, 25, 3)
    return np.clip(colours + rng.uniform(0.6, 1) * offset, 0, 255).astype(np.float32)


def _defocus(rng: Rng, matte: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """No blur, a uniform blur, or one that grows across the picture like depth of field."""
    choice = rng.random()
    if choice < 0.5:
        return matte, colours
    sigma = np.exp(rng.uniform(np.log(0.7), np.log(9)))
    soft = cv2.GaussianBlur(np.dstack([colours, matte]), (0, 0), sigma)
    if choice < 0.75:
        return soft[..., 3], soft[..., :3]
    share = cv2.resize(rng.random((3, 3), np.float32), matte.shape[::-1], interpolation=cv2.INTER_CUBIC)
    share = np.clip(3 * share - 1, 0, 1)[..., None]
    mixed = np.dstack([colours, matte]) * (1 - share) + soft * share
    return mixed[..., 3], mixed[..., :3]


def _cast_shadow(rng: Rng, back: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """Darken the background next to the product: a shadow that is not foreground."""
    if rng.random() < 0.5:
        return back
    small = cv2.resize(matte, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    shift = np.float32([[1, 0, rng.normal(0, 12)], [0, 1, rng.uniform(0, 25)]])
    moved = cv2.warpAffine(small, shift, small.shape[::-1])
    soft = cv2.GaussianBlur(moved, (0, 0), np.exp(rng.uniform(0, 3)))
    shade = 1 - rng.uniform(0.1, 0.65) * cv2.resize(soft, matte.shape[::-1])
    return back * shade[..., None]
