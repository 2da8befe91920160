"""Figures of soft edges: each must detect its kind of damage, and nothing in a perfect matte."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from evaluation.metrics import score
from evaluation.soft import band, band_mae, connectivity_error, gradient_error, is_soft
from packshot.core.picture import Float32

Figure = Callable[[Float32], float]


def fur() -> Float32:
    """A ball with strands and a soft rim, next to a half-transparent leaf."""
    truth = np.zeros((160, 200), np.float32)
    cv2.circle(truth, (80, 80), 40, 1, -1)
    for angle in np.linspace(0, 6.2, 24):
        end = (round(80 + 62 * np.cos(angle)), round(80 + 62 * np.sin(angle)))
        cv2.line(truth, (80, 80), end, 1, 1, cv2.LINE_AA)
    truth = cv2.GaussianBlur(truth, (0, 0), 1)
    truth[60:100, 140:180] = 0.5
    return np.clip(truth, 0, 1)


TRUTH = fur()
FIGURES: dict[str, Figure] = {
    "band_mae": lambda matte: band_mae(matte.astype(np.float64), TRUTH, 2),
    "gradient": lambda matte: gradient_error(matte.astype(np.float64), TRUTH),
    "connectivity": lambda matte: connectivity_error(matte.astype(np.float64), TRUTH),
}


def harden(matte: Float32) -> Float32:
    return (matte >= 0.5).astype(np.float32)


def blur(matte: Float32) -> Float32:
    return cv2.GaussianBlur(matte, (0, 0), 3)


def shift(matte: Float32) -> Float32:
    return np.roll(matte, 3, 1)


def lose_strands(matte: Float32) -> Float32:
    return cv2.morphologyEx(matte, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))


def islands(matte: Float32) -> Float32:
    spotted = matte.copy()
    spotted[4:156:12, 4:196:12] = 1
    return spotted


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("damage", [harden, blur, shift, lose_strands, islands], ids=lambda damage: damage.__name__)
def test_damage_is_seen(damage: Callable[[Float32], Float32], figure: str) -> None:
    assert FIGURES[figure](TRUTH) == 0
    if (damage, figure) != (islands, "band_mae"):  # most islands are far from the edge, outside the band
        assert FIGURES[figure](damage(TRUTH)) > 0.005


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("damage", [blur, shift], ids=lambda damage: damage.__name__)
def test_twice_the_damage_is_worse(damage: Callable[[Float32], Float32], figure: str) -> None:
    assert FIGURES[figure](damage(damage(TRUTH))) > FIGURES[figure](damage(TRUTH))


def test_the_gradient_sees_an_edge_that_is_too_steep_where_the_mean_error_hardly_does() -> None:
    steep = np.clip((TRUTH - 0.5) * 3 + 0.5, 0, 1)
    shy = np.clip(TRUTH - 0.03, 0, 1)
    assert score(steep, TRUTH).mae < 2 * score(shy, TRUTH).mae
    assert FIGURES["gradient"](steep) > 20 * FIGURES["gradient"](shy)


def test_the_band_is_near_the_edge_and_over_half_transparent_parts() -> None:
    found = band(TRUTH, 2)
    assert found[60:100, 140:180].all()
    assert not found[75:85, 75:85].any()
    assert not found[:8].any()


def test_only_truths_that_know_more_than_yes_and_no_are_soft() -> None:
    hard = harden(TRUTH)
    jpeg = cv2.imdecode(cv2.imencode(".jpg", (hard * 255).astype(np.uint8))[1], cv2.IMREAD_GRAYSCALE) / np.float32(255)
    assert is_soft(TRUTH)
    assert not is_soft(hard)
    assert not is_soft(jpeg)
    assert np.isnan(score(hard, hard).gradient)
    assert score(TRUTH, TRUTH).gradient == 0
