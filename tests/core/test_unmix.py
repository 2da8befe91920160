"""Soft edges on a plain ground: alpha from the colours, and colours without the ground's share."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from packshot.core.foreground import estimate_foreground
from packshot.core.geometry import Size
from packshot.core.picture import Float32, Picture
from packshot.core.plain_ground import PlainGround, find_plain_ground
from packshot.core.resample import resample
from packshot.core.unmix import redraw_edges

SIZE = Size(640, 480)
SEEN = Size(384, 288)
WHITE, BLUE = (255, 255, 255), (40, 80, 220)
Colour = tuple[int, int, int]


def fur() -> Float32:
    """A disc with strands that stick out, soft and half transparent at their tips: float32 (480, 640)."""
    random = np.random.default_rng(3)
    alpha = np.zeros((SIZE.height, SIZE.width), np.float32)
    cv2.circle(alpha, (320, 240), 130, 1, -1, cv2.LINE_AA)
    for turn in np.sort(random.uniform(0, 2 * np.pi, 900)):
        way, length = np.array([np.cos(turn), np.sin(turn)]), random.uniform(4, 22)
        start, end = (np.array([320, 240]) + way * (128 + reach) for reach in (0, length))
        strand = np.zeros_like(alpha)
        cv2.line(strand, tuple(start.astype(int)), tuple(end.astype(int)), random.uniform(0.3, 0.9), 1, cv2.LINE_AA)
        alpha = np.maximum(alpha, strand)
    return np.asarray(cv2.GaussianBlur(alpha, (0, 0), 0.8), np.float32)


def crisp() -> Float32:
    alpha = np.zeros((SIZE.height, SIZE.width), np.float32)
    cv2.ellipse(alpha, (320, 240), (180, 120), 20, 0, 360, 1, -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(alpha, (0, 0), 1), np.float32)


def photo(alpha: Float32, product: Colour, ground: Colour, shade: float = 25) -> tuple[Picture, Float32]:
    """A picture of I = aF + (1-a)B, and F, float32 (H, W, 3): one colour under uneven light."""
    light = cv2.GaussianBlur(np.random.default_rng(1).normal(0, 1, alpha.shape), (0, 0), 4)
    colours = np.array(product, np.float32) * (1 + shade / 255 * light / light.std())[..., None]
    mixed = alpha[..., None] * colours + (1 - alpha[..., None]) * np.array(ground, np.float32)
    return Picture(np.clip(np.rint(mixed), 0, 255).astype(np.uint8)), np.clip(colours, 0, 255).astype(np.float32)


def seen_and_ground(picture: Picture, matte: Float32) -> tuple[Float32, PlainGround]:
    seen = resample(picture.rgb, SEEN).astype(np.float32)
    ground = find_plain_ground(seen, resample(matte, SEEN))
    assert ground is not None
    return seen, ground


def blunt(alpha: Float32, sigma: float) -> Float32:
    """The matte of a network that cannot see strands."""
    return np.asarray(cv2.GaussianBlur((alpha > 0.5).astype(np.float32), (0, 0), sigma), np.float32)


def error(matte: Float32, truth: Float32) -> float:
    around = np.ones((25, 25), np.uint8)
    edge = cv2.dilate(truth, around) - cv2.erode(truth, around) > 0.1
    return float(np.abs(matte - truth)[edge].mean())


@pytest.mark.parametrize(("ground", "gain"), [(BLUE, 0.5), (WHITE, 0.8)])
def test_fur_is_drawn_from_its_colours(ground: Colour, gain: float) -> None:
    truth = fur()
    picture, _ = photo(truth, (120, 80, 50), ground)
    rough = blunt(truth, 4)
    seen, known = seen_and_ground(picture, rough)
    assert error(redraw_edges(known, picture, seen, rough), truth) < gain * error(rough, truth)


@pytest.mark.parametrize("ground", [BLUE, WHITE])
def test_a_crisp_edge_that_is_a_little_too_soft_becomes_as_crisp_as_it_is(ground: Colour) -> None:
    truth = crisp()
    picture, _ = photo(truth, (120, 80, 50), ground, shade=5)
    rough = blunt(truth, 2.5)
    seen, known = seen_and_ground(picture, rough)
    assert error(redraw_edges(known, picture, seen, rough), truth) < 0.7 * error(rough, truth)


def test_where_product_and_ground_are_alike_nothing_is_drawn_anew() -> None:
    truth = crisp()
    picture, _ = photo(truth, (246, 246, 247), WHITE, shade=2)
    rough = blunt(truth, 2.5)
    seen, known = seen_and_ground(picture, rough)
    assert np.abs(redraw_edges(known, picture, seen, rough) - rough).max() < 0.02


def test_a_matte_without_soft_pixels_far_from_a_strong_colour_is_the_same() -> None:
    picture, _ = photo(crisp(), (120, 80, 50), WHITE)
    hard = (crisp() > 0.5).astype(np.float32)
    seen, known = seen_and_ground(picture, hard)
    assert np.array_equal(redraw_edges(known, picture, seen, hard), hard)


@pytest.mark.slow
@pytest.mark.parametrize("ground", [BLUE, (30, 160, 60), (210, 30, 40)])
def test_hardly_any_of_a_strong_ground_stays_in_fur(ground: Colour) -> None:
    truth = fur()
    picture, colours = photo(truth, (120, 80, 50), ground, shade=12)
    rough = blunt(truth, 4)
    seen, known = seen_and_ground(picture, rough)
    matte = redraw_edges(known, picture, seen, rough)
    found = estimate_foreground(picture, matte, known.smooth)
    way = np.array(ground, np.float32) - colours.reshape(-1, 3)[found.transition]
    share = ((found.colours - colours.reshape(-1, 3)[found.transition]) * way).sum(axis=1) / (way * way).sum(axis=1)
    weight = matte.reshape(-1)[found.transition]
    assert (share * weight).sum() / weight.sum() < 0.04
