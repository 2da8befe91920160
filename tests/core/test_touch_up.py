"""The laws of hand-painted corrections."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packshot.core.geometry import Size
from packshot.core.matte import refine
from packshot.core.picture import Float32, UInt8
from packshot.core.touch_up import apply_to_coarse, clamp, read_touch_up
from tests.core.scenes import coarse_matte, scene

SIZE = Size(90, 70)
levels = st.integers(0, 255)
sides = st.integers(1, 120)


def flat(level: int, size: Size = SIZE) -> UInt8:
    return np.full((size.height, size.width), level, np.uint8)


def any_matte(seed: int = 0, size: Size = SIZE) -> Float32:
    return np.random.default_rng(seed).random((size.height, size.width), np.float32)


def read(level: int) -> Float32:
    return read_touch_up(flat(level), SIZE)


class TestRead:
    @given(levels, sides, sides)
    def test_has_the_photos_size_whatever_its_own(self, level: int, width: int, height: int) -> None:
        hints = read_touch_up(flat(level, Size(width, height)), SIZE)
        assert (hints.shape, hints.dtype) == ((70, 90), np.float32)
        assert hints.min() == pytest.approx(hints.max(), abs=1e-6)
        assert -1 <= hints.min() <= hints.max() <= 1

    def test_gray_levels_rise_from_background_over_as_found_to_product(self) -> None:
        strengths = [float(read(level)[0, 0]) for level in range(256)]
        assert (strengths[0], strengths[128], strengths[255]) == (-1, 0, 1)
        assert (np.diff(strengths) >= 0).all()

    @pytest.mark.parametrize("level", [126, 127, 129, 130])
    def test_what_a_jpeg_makes_of_middle_gray_is_middle_gray(self, level: int) -> None:
        assert not read(level).any()

    def test_a_gray_picture_in_three_channels_is_the_same(self) -> None:
        painted = np.random.default_rng(0).integers(0, 256, (50, 60), np.uint8)
        rgb = np.repeat(painted[..., None], 3, axis=2)
        assert np.array_equal(read_touch_up(rgb, SIZE), read_touch_up(painted, SIZE))

    def test_what_is_not_painted_on_a_transparent_layer_is_as_found(self) -> None:
        painted, alpha = flat(0), np.zeros((70, 90), np.uint8)
        painted[10:20, 10:20] = alpha[10:20, 10:20] = 255
        hints = read_touch_up(painted, SIZE, alpha)
        assert (hints[10:20, 10:20] == 1).all()
        assert hints.sum() == 100

    def test_a_stroke_stays_where_it_was_painted(self) -> None:
        painted = flat(128, Size(180, 140))
        painted[40:60, 100:160] = 255
        hints = read_touch_up(painted, SIZE)
        assert (hints[21:29, 51:79] == 1).all()
        hints[19:31, 49:81] = 0
        assert not hints.any()


class TestClamp:
    def test_as_found_everywhere_changes_nothing(self) -> None:
        matte = any_matte()
        assert np.array_equal(clamp(matte, read(128)), matte)
        assert np.array_equal(apply_to_coarse(matte, read(128)), matte)

    def test_full_strokes_decide_whatever_was_found(self) -> None:
        assert (clamp(any_matte(), read(255)) == 1).all()
        assert (clamp(any_matte(), read(0)) == 0).all()

    @given(levels)
    def test_twice_is_once(self, level: int) -> None:
        once = clamp(any_matte(), read(level))
        assert np.array_equal(clamp(once, read(level)), once)

    @given(levels, levels)
    def test_more_keeping_never_makes_less_product(self, one: int, other: int) -> None:
        less, more = sorted((one, other))
        assert (clamp(any_matte(), read(less)) <= clamp(any_matte(), read(more))).all()

    @given(levels, st.integers(0, 9))
    def test_stays_a_matte_and_keeps_the_order_of_what_was_found(self, level: int, seed: int) -> None:
        low = any_matte(seed)
        high = np.minimum(low + any_matte(seed + 1), 1)
        below, above = clamp(low, read(level)), clamp(high, read(level))
        assert 0 <= below.min() <= above.max() <= 1
        assert (below <= above).all()

    @given(levels)
    def test_a_hint_for_the_product_takes_nothing_away_nor_one_against_it_adds(self, level: int) -> None:
        change = clamp(any_matte(), read(level)) - any_matte()
        assert (change >= 0).all() if level >= 128 else (change <= 0).all()

    def test_the_last_stroke_over_a_place_counts(self) -> None:
        painted = flat(128)
        painted[20:50, 20:60] = 255
        painted[30:40, 30:40] = 0
        matte = clamp(any_matte(), read_touch_up(painted, SIZE))
        assert not matte[30:40, 30:40].any()
        assert (matte[22:28, 22:58] == 1).all()


class TestCoarse:
    def test_a_stroke_over_what_was_right_changes_nothing(self) -> None:
        found = np.zeros((70, 90), np.float32)
        found[20:50, 20:70] = 1
        painted = flat(128)
        painted[25:45, 25:60] = 255
        painted[:, 75:] = 0
        assert np.array_equal(apply_to_coarse(found, read_touch_up(painted, SIZE)), found)

    @given(levels, st.integers(0, 9))
    def test_stays_a_matte_and_no_stroke_is_lost(self, level: int, seed: int) -> None:
        painted = flat(128)
        painted[20:50, 20:60] = 255
        painted[25:70, 55:80] = level
        hints = read_touch_up(painted, SIZE)
        coarse = apply_to_coarse(any_matte(seed), hints)
        assert 0 <= coarse.min() <= coarse.max() <= 1
        assert np.array_equal(clamp(coarse, hints), coarse)

    def test_far_from_strokes_nothing_changes(self) -> None:
        painted = flat(128)
        painted[20:50, 20:40] = 0
        assert np.array_equal(apply_to_coarse(any_matte(), read_touch_up(painted, SIZE))[:, 45:], any_matte()[:, 45:])


def test_the_rim_of_a_stroke_moves_to_the_pictures_edge() -> None:
    """The network missed half of the disc; a user paints that half, up to 5 px inside its edge."""
    known = scene()
    height, width = known.matte.shape
    found = coarse_matte(known.matte)
    found[:, found.shape[1] // 2 :] = 0
    inside = cv2.erode((known.matte == 1).astype(np.uint8), np.ones((11, 11), np.uint8)) > 0
    painted = flat(128, Size(width, height))
    painted[inside & (np.arange(width) >= width // 2 - 10)] = 255
    hints = read_touch_up(painted, Size(width, height))

    matte = clamp(refine(known.picture, apply_to_coarse(found, hints)), hints)
    only_painted = clamp(refine(known.picture, found), hints)
    missed, missed_without = (np.abs(each - known.matte)[:, width // 2 + 30 :].mean() for each in (matte, only_painted))
    assert missed < missed_without / 3
