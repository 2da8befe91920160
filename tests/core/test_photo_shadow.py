"""The photo's own shadow: a shadow of known density is found, and other darkness never becomes a shadow."""

import cv2
import numpy as np
import pytest

from packshot.core.photo_shadow import photo_shadow
from packshot.core.picture import Float32, Picture

WIDTH, HEIGHT = 640, 480
PRODUCT = (300, 220)
RADIUS = 90


def ellipse(center: tuple[int, int], axes: tuple[int, int], soft_px: float = 0.8) -> Float32:
    plane = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.ellipse(plane, center, axes, 0, 0, 360, 1.0, -1)
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), soft_px), np.float32)


def gradient() -> Float32:
    """Light that falls off to the right and downwards, slightly warm. float32 (H, W, 3) in 0..255."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32) / WIDTH
    return (235 - 60 * x - 40 * y - 20 * x * x)[..., None] * np.array([1, 0.98, 0.94], np.float32)


def matte() -> Float32:
    return ellipse(PRODUCT, (RADIUS, RADIUS))


def shot(ground: Float32, noise: float = 2) -> Picture:
    """A blue disc on a ground, with camera noise."""
    share = matte()[..., None]
    rgb = share * np.array([60, 80, 170], np.float32) + (1 - share) * ground
    rgb += np.random.default_rng(3).normal(0, noise, rgb.shape)
    return Picture(np.clip(np.rint(rgb), 0, 255).astype(np.uint8))


def shadow(density: float, center: tuple[int, int] = (370, 300), axes: tuple[int, int] = (110, 40)) -> Float32:
    return density * ellipse(center, axes, soft_px=8)


@pytest.mark.parametrize("density", [0.15, 0.3, 0.6])
def test_a_shadow_of_known_density_is_found_to_a_tenth(density: float) -> None:
    known = shadow(density)
    found = photo_shadow(shot(gradient() * (1 - known[..., None])), matte())
    assert (found.shape, found.dtype) == ((HEIGHT, WIDTH), np.float32)
    core = (known > 0.95 * density) & (matte() == 0)
    assert np.abs(found[core].mean() - density) < 0.1 * density
    beside = (known < 0.001) & (matte() == 0)
    assert found[beside].mean() < 0.01


def test_it_is_found_at_any_size() -> None:
    known = shadow(0.4)
    picture, share = shot(gradient() * (1 - known[..., None])), matte()
    large = Picture(np.asarray(cv2.resize(picture.rgb, (1919, 1441)), np.uint8))
    found = photo_shadow(large, np.clip(cv2.resize(share, (1919, 1441)), 0, 1))
    core = cv2.resize(((known > 0.38) & (share == 0)).astype(np.uint8), (1919, 1441)) == 1
    assert found[core].mean() == pytest.approx(0.4, abs=0.04)


def test_it_goes_on_beneath_the_soft_edge_and_not_to_the_middle() -> None:
    found = photo_shadow(shot(gradient() * (1 - shadow(0.4)[..., None])), matte())
    edge = (matte() > 0.2) & (matte() < 0.8) & (shadow(0.4) > 0.38)
    assert found[edge].mean() == pytest.approx(0.4, abs=0.05)
    middle = ellipse(PRODUCT, (RADIUS // 2, RADIUS // 2)) > 0.5
    assert not found[middle].any()


def test_light_that_falls_off_is_no_shadow() -> None:
    assert not photo_shadow(shot(gradient()), matte()).any()


def texture(kind: str) -> Float32:
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    if kind == "boards":
        waves = 25 * np.sign(np.sin(y / 14)) + 12 * np.sin(x / 9 + 3 * np.sin(y / 30))
    elif kind == "checks":
        waves = 40 * np.sign(np.sin(x / 25) * np.sin(y / 25))
    else:
        grain = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 1, (HEIGHT, WIDTH)), (0, 0), 5)
        waves = np.asarray(25 * grain / grain.std(), np.float32)
    return np.asarray(170 + waves, np.float32)[..., None] * np.array([1, 0.9, 0.8], np.float32)


@pytest.mark.parametrize("kind", ["boards", "checks", "clouds"])
@pytest.mark.parametrize("density", [0.0, 0.4])
def test_a_busy_ground_gives_next_to_nothing(kind: str, density: float) -> None:
    found = photo_shadow(shot(texture(kind) * (1 - shadow(density)[..., None])), matte())
    assert found.max() < 0.02


def test_a_table_before_a_wall_is_not_brought_back() -> None:
    ground = gradient()
    ground[260:] *= 0.7
    assert not photo_shadow(shot(ground), matte()).any()


def test_what_is_coloured_is_no_shadow() -> None:
    stain = ellipse((370, 300), (110, 40), 3)[..., None] * np.array([0.05, 0.5, 0.6], np.float32)
    assert photo_shadow(shot(gradient() * (1 - stain)), matte()).max() < 0.1


def test_what_lies_apart_from_the_product_is_not_its_shadow() -> None:
    known = shadow(0.4, center=(540, 400), axes=(50, 25))
    assert not photo_shadow(shot(gradient() * (1 - known[..., None])), matte()).any()


@pytest.mark.parametrize("share", [0.0, 1.0, 0.3])
def test_without_product_or_without_ground_there_is_none(share: float) -> None:
    found = photo_shadow(shot(gradient()), np.full((HEIGHT, WIDTH), share, np.float32))
    assert not found.any()


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("box", [(0, 0, 300, 480), (0, 300, 640, 480), (200, 100, 640, 300)])
def test_flat_grounds_and_products_at_the_frame_give_no_nan(level: int, box: tuple[int, int, int, int]) -> None:
    share = np.zeros((HEIGHT, WIDTH), np.float32)
    left, top, right, bottom = box
    share[top:bottom, left:right] = 1
    rgb = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
    rgb[share == 1] = 90
    assert not photo_shadow(Picture(rgb), share).any()


@pytest.mark.parametrize("shape", [(32, 1999), (1999, 32), (32, 32)])
def test_strips_and_small_pictures(shape: tuple[int, int]) -> None:
    rgb = np.random.default_rng(0).integers(180, 186, (*shape, 3), np.uint8)
    share = np.zeros(shape, np.float32)
    share[8:20, 8:20] = 1
    found = photo_shadow(Picture(rgb), share)
    assert found.shape == shape
    assert 0 <= found.min() <= found.max() <= 1
