"""Shadows from an outline: the laws for all kinds, and faults that a viewer would notice."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.core.geometry import Box
from packshot.core.picture import Float32
from packshot.core.shadow import LEAST_BELOW, UNSEEN, contact_shadow, kept_near_edges, soft_shadow

Shadow = Callable[[Float32], Float32]
every = pytest.mark.parametrize("shadow", [contact_shadow, soft_shadow])


def canvas(*solids: Box, width: int = 600, height: int = 500) -> Float32:
    alpha = np.zeros((height, width), np.float32)
    for each in solids:
        alpha[each.slices] = 1
    return alpha


def bottle(left: int = 200, top: int = 100, scale: int = 1, **size: int) -> Float32:
    return canvas(Box(left, top, left + 80 * scale, top + 240 * scale), **size)


def visible(density: Float32, alpha: Float32) -> Float32:
    """The part of a shadow that the product does not hide."""
    return np.where(alpha >= 0.5, 0, density).astype(np.float32)


@every
@given(seed=st.integers(0, 99), width=st.integers(16, 200), height=st.integers(16, 200), grain=st.floats(0.5, 20))
@settings(max_examples=40)
def test_any_outline_has_a_density_between_0_and_1(
    shadow: Shadow, seed: int, width: int, height: int, grain: float
) -> None:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 1, (height, width)), (0, 0), grain)
    alpha = np.clip(0.5 + noise / noise.std(), 0, 1).astype(np.float32)  # touches every border
    density = shadow(alpha)
    assert (density.shape, density.dtype) == (alpha.shape, np.float32)
    assert 0 <= density.min() <= density.max() <= 1  # also excludes NaN


@every
def test_nothing_and_haze_throw_none(shadow: Shadow) -> None:
    assert not shadow(canvas()).any()
    assert not shadow(np.full((300, 400), 0.4, np.float32)).any()


@every
def test_is_black_at_its_darkest(shadow: Shadow) -> None:
    assert shadow(bottle()).max() > 0.8


@pytest.mark.slow
@every
@given(right=st.integers(-150, 150), down=st.integers(-60, 60))
@settings(max_examples=20)
def test_moves_with_the_product(shadow: Shadow, right: int, down: int) -> None:
    here = shadow(bottle())
    there = shadow(bottle(200 + right, 100 + down))
    shift = np.array([[1, 0, -right], [0, 1, -down]], np.float64)
    back = cv2.warpAffine(there, shift, (600, 500))
    inner = Box(max(0, -right), max(0, -down), min(600, 600 - right), min(500, 500 - down)).slices
    assert np.abs(back - here)[inner].max() < 1e-5


@every
def test_grows_with_the_product(shadow: Shadow) -> None:
    one = shadow(bottle())
    three = shadow(bottle(600, 300, scale=3, width=1800, height=1500))
    small = cv2.resize(three, (600, 500), interpolation=cv2.INTER_AREA)
    hidden = bottle() > 0
    assert np.abs(small - one)[~hidden].max() < 0.1


@every
def test_leaves_its_input_alone(shadow: Shadow) -> None:
    alpha = bottle()
    shadow(alpha)
    assert np.array_equal(alpha, bottle())


@every
def test_a_product_that_the_frame_cuts_still_stands(shadow: Shadow) -> None:
    for left, top in ((0, 100), (520, 100), (200, 0), (200, 260)):
        assert np.isfinite(shadow(bottle(left, top))).all()


class TestEdgesOfTheOutput:
    """No edge cuts a shadow: the shadow fades out before an edge that it would reach."""

    @given(
        seed=st.integers(0, 99),
        width=st.integers(40, 300),
        height=st.integers(40, 300),
        opacity=st.floats(0.05, 1),
        product=st.tuples(*[st.floats(0, 1)] * 4),
    )
    @settings(max_examples=40)
    def test_any_density_ends_before_the_edges_without_a_step(
        self, seed: int, width: int, height: int, opacity: float, product: tuple[float, float, float, float]
    ) -> None:
        noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 1, (height, width)), (0, 0), 12)
        density = (opacity * np.clip(noise / noise.std(), 0, 1)).astype(np.float32)
        (left, right), (top, bottom) = (
            sorted((round(one * (length - 1)), round(other * (length - 1))))
            for one, other, length in ((*product[:2], width), (*product[2:], height))
        )
        box = Box(left, top, right + 1, bottom + 1)
        kept = kept_near_edges(density, box)
        rim = np.concatenate([density[0], density[-1], density[:, 0], density[:, -1]])
        assert (kept is None) == (rim.max() <= UNSEEN)
        if kept is None:
            return
        rows, columns = kept
        faded = density * rows[:, None] * columns
        rim = np.concatenate([faded[0], faded[-1], faded[:, 0], faded[:, -1]])
        assert rim.max() < 1.5 / 255
        assert (faded <= density).all()
        steepest = 1.5 / max(1, LEAST_BELOW * box.size.longest)  # the middle of the shortest fade
        for each in kept:
            assert np.abs(np.diff(each)).max(initial=0) <= steepest + 1e-3

    @every
    def test_a_shadow_with_room_around_it_stays_as_it_is(self, shadow: Shadow) -> None:
        alpha = bottle(400, 300, width=1200, height=1000)
        assert kept_near_edges(shadow(alpha), Box(400, 300, 480, 540)) is None

    @every
    @given(below=st.integers(8, 60))
    @settings(max_examples=10)
    def test_the_line_that_a_product_stands_on_stays(self, shadow: Shadow, below: int) -> None:
        alpha = bottle(200, 100, height=340 + below)
        density = shadow(alpha)
        kept = kept_near_edges(density, Box(200, 100, 280, 340))
        rows = np.ones(len(density)) if kept is None else kept[0]
        line = density[340:342, 210:270]
        assert (line * rows[340:342, None]).mean() > 0.85 * line.mean()


class TestContact:
    def test_is_a_dark_line_beneath_that_fades_quickly(self) -> None:
        below = contact_shadow(bottle())[340:, 240]
        assert below[0] > 0.6
        assert below[12] < below[0] / 3  # a twentieth of the bottle's height
        assert below[36] < 0.02
        assert (np.diff(below) <= 1e-6).all()

    def test_is_nowhere_else(self) -> None:
        alpha = bottle()
        seen = visible(contact_shadow(alpha), alpha)
        assert seen[:300].max() < 0.05
        assert seen[:, :160].max() < 0.05
        assert seen[:, 320:].max() < 0.05

    def test_every_leg_stands_also_one_further_back(self) -> None:
        seat = Box(200, 100, 400, 130)
        front, back = Box(205, 130, 217, 400), Box(385, 130, 397, 360)
        density = contact_shadow(canvas(seat, front, back))
        assert density[401, 211] > 0.3
        assert density[361, 391] > 0.3
        assert density[395:405, 290:310].max() < 0.05

    def test_a_handle_does_not_stand(self) -> None:
        alpha = canvas(Box(200, 100, 380, 320))
        cv2.ellipse(alpha, (385, 200), (50, 65), 0, -95, 95, 1.0, 22)
        lowest = int(np.flatnonzero(alpha[:, 420] > 0.5)[-1])
        assert contact_shadow(alpha)[lowest + 1 : lowest + 10, 415:425].max() < 0.03

    def test_a_crumb_of_the_matte_does_not_lift_the_product(self) -> None:
        alpha = bottle()
        plain = contact_shadow(alpha)[338:360, 205:275]
        alpha[380:383, 240:243] = 1
        assert np.abs(contact_shadow(alpha)[338:360, 205:275] - plain).mean() < 0.03


class TestSoft:
    def test_falls_to_the_right_as_the_light_comes_from_the_left(self) -> None:
        alpha = bottle()
        seen = visible(soft_shadow(alpha), alpha)
        assert seen[:, 280:].sum() > 2 * seen[:, :200].sum()

    def test_is_broader_than_contact_and_softer_away_from_the_foot(self) -> None:
        alpha = bottle()
        soft, contact = (visible(make(alpha), alpha) for make in (soft_shadow, contact_shadow))
        assert soft.sum() > 3 * contact.sum()
        beside = soft[300:345, 285:].max(axis=0)
        assert (np.diff(beside) < 0.02).all()

    def test_has_room_to_fade_out(self) -> None:
        alpha = bottle()
        density = soft_shadow(alpha)
        box = cv2.boundingRect((density > 0).astype(np.uint8))
        inner = density[box[1] : box[1] + box[3], box[0] : box[0] + box[2]]
        rim = np.concatenate([inner[0], inner[-1], inner[:, 0], inner[:, -1]])
        assert rim.max() < 1.5 / 255
