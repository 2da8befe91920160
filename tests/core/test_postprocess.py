from __future__ import annotations

import cv2
import numpy as np
import pytest

from packshot.core.picture import Float32
from packshot.core.postprocess import drop_specks, fill_insides, postprocess, suppress_haze


def disc(radius: float, soft_px: float = 3, size: int = 200) -> Float32:
    """A disc whose edge is soft_px wide."""
    y, x = np.mgrid[:size, :size].astype(np.float32) - size / 2
    return np.clip(0.5 + (radius - np.hypot(x, y)) / soft_px, 0, 1).astype(np.float32)


class TestDropSpecks:
    @pytest.fixture
    def coarse(self) -> Float32:
        """Two objects, a speck, and a large faint cloud without a confident pixel."""
        coarse = np.zeros((200, 200), np.float32)
        coarse[20:100, 20:100] = 0.95
        coarse[150:165, 20:40] = 0.9
        coarse[60:63, 150:153] = 0.9
        coarse[130:190, 130:190] = 0.3
        return coarse

    def test_drops_the_small_and_the_unsure_and_keeps_every_object(self, coarse: Float32) -> None:
        expected = coarse.copy()
        expected[60:63, 150:153] = 0
        expected[130:190, 130:190] = 0
        assert np.array_equal(drop_specks(coarse), expected)

    def test_keeps_soft_surroundings_of_an_object(self, coarse: Float32) -> None:
        coarse[100:110, 20:100] = 0.2
        assert (drop_specks(coarse)[100:110, 20:100] == np.float32(0.2)).all()

    def test_what_is_sure_of_nothing_is_nothing(self) -> None:
        assert not drop_specks(np.full((50, 50), 0.3, np.float32)).any()
        assert not drop_specks(np.zeros((50, 50), np.float32)).any()

    def test_all_foreground_stays(self) -> None:
        assert (drop_specks(np.ones((50, 50), np.float32)) == 1).all()

    def test_doing_it_twice_is_doing_it_once(self, coarse: Float32) -> None:
        once = drop_specks(coarse)
        assert np.array_equal(drop_specks(once), once)


class TestThinHaze:
    def test_a_soft_edge_moves_little_and_haze_goes(self) -> None:
        product = disc(50, soft_px=4)
        haze = np.full_like(product, 0.25)
        haze[:, :100] = 0.8
        edge = (product > 0) & (product < 1)
        assert np.abs(suppress_haze(product) - product)[edge].mean() < 0.075
        assert suppress_haze(haze)[:, 150:].max() < 0.08
        assert suppress_haze(haze)[:, :50].min() > 0.9

    def test_keeps_sides_and_order_around_a_half_and_leaves_what_is_decided(self) -> None:
        coarse = np.random.default_rng(3).random((64, 96)).astype(np.float32)
        coarse[:8], coarse[8:16] = 0, 1
        thinned = suppress_haze(coarse)
        assert np.array_equal(thinned >= 0.5, coarse >= 0.5)
        assert (np.abs(thinned - 0.5) >= np.abs(coarse - 0.5) - 1e-3).all()
        assert np.array_equal(thinned[:16], coarse[:16])

    def test_is_symmetric_between_product_and_ground(self) -> None:
        coarse = cv2.GaussianBlur(np.random.default_rng(4).random((64, 64)).astype(np.float32), (0, 0), 3)
        np.testing.assert_allclose(suppress_haze(1 - coarse), 1 - suppress_haze(coarse), atol=1e-5)


class TestFillInsides:
    def test_an_unsure_inside_becomes_solid_and_a_hole_stays_open(self) -> None:
        coarse = disc(80)
        coarse[60:80, 90:110] = 0.7  # a reflection, uncertain for the network
        coarse[110:140, 90:110] = 0.01  # a handle
        filled = fill_insides(coarse)
        assert filled[60:80, 90:110].min() == 1
        assert np.array_equal(filled[110:140, 90:110], coarse[110:140, 90:110])

    def test_a_tiny_doubt_is_filled_and_a_tiny_sure_hole_is_not(self) -> None:
        coarse = disc(80)
        coarse[100:103, 100:103] = 0.3
        coarse[120:123, 100:103] = 0
        filled = fill_insides(coarse)
        assert filled[100:103, 100:103].min() == 1
        assert filled[120:123, 100:103].max() == 0

    def test_what_lies_open_to_the_ground_is_not_an_inside(self) -> None:
        coarse = disc(80)
        assert np.array_equal(fill_insides(coarse), coarse)
        bay = coarse.copy()
        bay[90:110, 100:] = 0.6
        assert np.array_equal(fill_insides(bay), bay)

    @pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
    def test_a_matte_of_one_value_stays(self, value: float) -> None:
        coarse = np.full((40, 60), value, np.float32)
        assert np.array_equal(fill_insides(coarse), coarse)


def test_a_set_of_objects_stays_a_set() -> None:
    coarse = np.maximum(np.roll(disc(40), -50, 1), 0.95 * np.roll(disc(10), 60, 1))
    decided = postprocess(coarse)
    assert decided[100, 50] == 1
    assert decided[100, 160] > 0.9
    assert decided[100, 120] == 0
