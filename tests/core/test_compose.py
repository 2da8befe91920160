"""The laws of compositing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.core.compose import crop, crop_picture, cutout, filled, flatten, over, visible
from packshot.core.foreground import estimate_foreground
from packshot.core.geometry import Box, Size
from packshot.core.matte import RESIDUE, in_levels
from packshot.core.picture import Float32, Foreground, Picture, to_uint8
from tests.core.scenes import Scene, noise, scene

colours = st.tuples(*[st.integers(0, 255)] * 3)


def exact_foreground(known: Scene) -> Foreground:
    band = np.flatnonzero((known.matte > 0.5 / 255) & (known.matte < 254.5 / 255))
    return Foreground(known.picture.rgb, in_levels(known.matte), band, known.colours.reshape(-1, 3)[band])


@pytest.fixture(scope="module")
def known() -> Scene:
    return scene(Size(240, 160), softness_px=3)


@given(st.integers(1, 50), st.integers(0, 9))
def test_laying_a_colour_over_itself_changes_nothing(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    same, share = rng.random((count, 3), np.float32), rng.random(count, np.float32)
    assert np.array_equal(over(same, share, same), same)


@given(st.integers(1, 60), st.integers(1, 60), colours, st.booleans())
def test_flat_mattes_give_the_picture_or_exactly_the_colour(
    width: int, height: int, colour: tuple[int, int, int], full: bool
) -> None:
    picture = Picture(noise(Size(width, height)))
    matte = np.full((height, width), full, np.float32)
    flat = flatten(estimate_foreground(picture, matte), matte, colour)
    assert np.array_equal(flat, picture.rgb if full else np.broadcast_to(np.array(colour, np.uint8), picture.rgb.shape))


@given(colour=colours)
@settings(max_examples=20)
def test_flatten_is_the_formula_rounded_once(known: Scene, colour: tuple[int, int, int]) -> None:
    share = np.where(known.matte < RESIDUE, 0, known.matte)[..., None].astype(np.float64)
    truth = share * known.colours + (1 - share) * np.array(colour)
    flat = flatten(exact_foreground(known), known.matte, colour)
    assert np.abs(flat - truth).max() <= 1.01  # half from rounding, half from an alpha that 8 bits store as 0 or 255


@given(colour=colours, seed=st.integers(0, 99))
@settings(max_examples=20)
def test_what_a_jpegs_noise_hides_is_the_ground_exactly(colour: tuple[int, int, int], seed: int) -> None:
    picture = Picture(noise(Size(60, 40), seed))
    matte = np.random.default_rng(seed).choice(np.array([0.004, 0.01, 0.02, 0.03, 0.5, 1], np.float32), (40, 60))
    flat = flatten(estimate_foreground(picture, matte), matte, colour)
    assert (flat[matte <= 0.02] == colour).all()
    assert np.array_equal(flat[matte == 1], picture.rgb[matte == 1])


def test_white_is_the_default_ground(known: Scene) -> None:
    flat = flatten(exact_foreground(known), known.matte)
    assert (flat[known.matte == 0] == 255).all()


def test_the_cutout_laid_back_on_its_own_background_is_the_photo(known: Scene) -> None:
    rgb, alpha = cutout(exact_foreground(known))
    share = (alpha / np.float32(255)).reshape(-1)
    again = over(rgb.reshape(-1, 3).astype(np.float32), share, known.background.reshape(-1, 3))
    # Three roundings: the photo's, the colour's, and alpha's 1/510 of a contrast of at most 255.
    assert np.abs(again - known.picture.rgb.reshape(-1, 3)).max() <= 1.51


def test_what_was_removed_cannot_be_brought_back(known: Scene) -> None:
    for found in (exact_foreground(known), estimate_foreground(known.picture, known.matte)):
        rgb, alpha = cutout(found)
        assert not rgb[alpha == 0].any()
        assert np.array_equal(rgb[alpha == 255], known.picture.rgb[alpha == 255])
        assert np.array_equal(alpha, to_uint8(known.matte))


def test_compositing_leaves_the_picture_alone(known: Scene) -> None:
    before = known.picture.rgb.copy()
    found = estimate_foreground(known.picture, known.matte)
    cutout(found)
    flatten(found, known.matte)
    assert np.array_equal(known.picture.rgb, before)


@given(st.data())
def test_a_crop_of_a_cutout_is_the_cutout_of_a_crop(data: st.DataObject) -> None:
    height, width = 30, 40
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    box = Box(left, top, data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height)))
    matte = np.random.default_rng(1).integers(-1, 3, (height, width)).clip(0, 1).astype(np.float32)
    matte[::3] *= np.float32(0.4)
    found = estimate_foreground(Picture(noise(Size(width, height))), matte)
    whole, part = cutout(found), cutout(crop(found, matte, box)[0])
    assert all(np.array_equal(each[box.slices], of_part) for each, of_part in zip(whole, part, strict=True))


def test_part_of_a_picture_takes_its_transparency_along_or_has_none() -> None:
    picture = Picture(noise(Size(9, 9)), noise(Size(9, 9))[..., 0])
    box = Box(1, 2, 5, 8)
    part = crop_picture(picture, box)
    assert part.size == box.size
    assert part.alpha is not None
    assert np.array_equal(part.alpha, np.asarray(picture.alpha)[box.slices])
    assert crop_picture(Picture(picture.rgb), box).alpha is None


def test_over_a_picture_of_one_colour_is_over_that_colour(known: Scene) -> None:
    found = estimate_foreground(known.picture, known.matte)
    assert np.array_equal(
        flatten(found, known.matte, filled(known.picture.size, (9, 99, 199))), flatten(found, known.matte, (9, 99, 199))
    )


@given(st.integers(0, 255), st.integers(0, 255))
def test_visible_is_the_picture_on_white(level: int, alpha: int) -> None:
    rgb: Float32 = np.full((1, 1, 3), level)
    seen = visible(Picture(rgb.astype(np.uint8), np.full((1, 1), alpha, np.uint8)))
    assert np.abs(seen - (level * alpha + 255 * (255 - alpha)) / 255).max() <= 0.51
