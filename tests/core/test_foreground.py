"""Foreground colours, compared with scenes of known foreground."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.core.foreground import estimate_foreground
from packshot.core.geometry import Size
from packshot.core.picture import Picture
from tests.core.scenes import noise, scene


@pytest.mark.parametrize(("softness_px", "factor"), [(1.0, 3), (8.0, 5)])
def test_soft_pixels_come_several_times_nearer_to_their_own_colour(softness_px: float, factor: float) -> None:
    known = scene(softness_px=softness_px)
    found = estimate_foreground(known.picture, known.matte)
    counts = known.matte.reshape(-1)[found.transition] > 0.1
    truth = known.colours.reshape(-1, 3)[found.transition]
    raw = np.abs(known.picture.rgb.reshape(-1, 3)[found.transition] - truth)[counts].mean()
    assert np.abs(found.colours - truth)[counts].mean() < raw / factor


def test_the_band_is_what_8_bits_call_soft() -> None:
    matte = np.array([[0, 0.001, 0.003, 0.5, 0.997, 0.999, 1]], np.float32)
    picture = Picture(noise(Size(7, 1)))
    found = estimate_foreground(picture, matte)
    assert found.transition.tolist() == [2, 3, 4]
    assert found.colours.shape == (3, 3)
    assert found.rgb is picture.rgb


@pytest.mark.parametrize("level", [0, 1])
def test_without_soft_pixels_there_is_nothing_to_estimate(level: float) -> None:
    found = estimate_foreground(Picture(noise(Size(50, 40))), np.full((40, 50), level, np.float32))
    assert found.transition.size == 0
    assert found.colours.shape == (0, 3)


def test_colours_of_an_existing_cutout_are_its_own() -> None:
    known = scene(Size(300, 200), softness_px=4)
    alpha = np.rint(known.matte * 255).astype(np.uint8)
    straight = np.rint(known.colours).astype(np.uint8)
    found = estimate_foreground(Picture(straight, alpha), alpha.astype(np.float32) / 255)
    assert np.abs(found.colours - straight.reshape(-1, 3)[found.transition]).max() < 0.01


@given(st.integers(32, 300), st.integers(32, 300), st.integers(0, 9))
@settings(max_examples=30)
def test_colours_are_colours_whatever_the_matte(width: int, height: int, seed: int) -> None:
    matte = np.random.default_rng(seed).random((height, width), np.float32)
    found = estimate_foreground(Picture(noise(Size(width, height))), matte)
    assert np.isfinite(found.colours).all()
    assert 0 <= found.colours.min() <= found.colours.max() <= 255
