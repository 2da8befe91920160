"""Resampling past OpenCV's 16-bit counts: the same values as in one piece, and no error at any length."""

from __future__ import annotations

import numpy as np
import pytest

from packshot import remove
from packshot.core import codecs
from packshot.core import resample as module
from packshot.core.geometry import Box, Size
from packshot.core.options import Options
from packshot.core.picture import Picture
from packshot.core.resample import grid, repeated, resample, resample_colours, sample, warp
from packshot.core.shadow import contact_shadow, soft_shadow
from tests.kit.images import good

RNG = np.random.default_rng(3)


def test_points_past_the_limit_are_looked_up_as_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    plane = RNG.random((20, 30, 3), np.float32)
    at = grid(np.arange(300 * 200), Size(300, 200), Size(30, 20))
    whole = sample(plane, at)
    monkeypatch.setattr(module, "SIDE_LIMIT", 7)
    assert np.array_equal(sample(plane, at), whole)


def test_a_warp_past_the_limit_is_that_of_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    plane = RNG.random((40, 50), np.float32)
    to_plane = np.array([[0.25, 0.01, -2.0], [0.0, 0.25, 3.0]])
    whole = warp(plane, to_plane, Size(230, 170))
    monkeypatch.setattr(module, "SIDE_LIMIT", 64)
    assert np.allclose(warp(plane, to_plane, Size(230, 170)), whole, atol=1e-2)


@pytest.mark.parametrize("size", [Size(40_000, 40), Size(40, 40_000)])
def test_sides_past_the_limit_keep_their_picture(size: Size) -> None:
    ramp = np.linspace(0, 255, size.longest, dtype=np.float32)
    image = np.tile(ramp, (40, 1)) if size.width > size.height else np.tile(ramp[:, None], (1, 40))
    back = resample(resample(image, Size(*(each // 2 for each in size))), size)
    assert back.shape == image.shape
    assert np.abs(back - image).max() < 0.1


@pytest.mark.parametrize("size", [Size(1999, 1501), Size(1000, 1000), Size(700, 40), Size(3, 900)])
def test_a_pictures_kept_half_changes_no_pixel(size: Size) -> None:
    picture = Picture(np.random.default_rng(5).integers(0, 256, (size.height, size.width, 3), np.uint8))
    for side in (384, 256, 20):
        less = size.reduced(side)
        assert np.array_equal(resample_colours(picture, less), resample(picture.rgb, less))


@pytest.mark.parametrize("size", [Size(1999, 1501), Size(384, 384), Size(385, 1000), Size(40_000, 30)])
def test_a_repeated_pixel_has_the_value_at_its_centre_also_in_a_part(size: Size) -> None:
    plane = RNG.integers(0, 256, (29, 41), np.uint8)
    whole = repeated(plane, size)
    y, x = RNG.integers(0, size.height, 200), RNG.integers(0, size.width, 200)
    centres = ((y + 0.5) * 29 / size.height).astype(int), ((x + 0.5) * 41 / size.width).astype(int)
    assert np.array_equal(whole[y, x], plane[centres])
    part = Box(size.width // 3, size.height // 5, size.width // 2, size.height - 1)
    assert np.array_equal(repeated(plane, size, part), whole[part.slices])


@pytest.mark.parametrize("cast", [contact_shadow, soft_shadow])
def test_strands_that_a_reduced_size_does_not_see_cast_no_shadow(cast: object) -> None:
    alpha = np.zeros((4000, 30), np.float32)
    alpha[::40, 10:12] = 1
    density = cast(alpha)  # type: ignore[operator]
    assert density.shape == alpha.shape
    assert 0 <= density.min() <= density.max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("fields", [{"shadow": "soft"}, {"background": "blur"}, {"background_picture": good("png")}])
def test_a_strip_longer_than_the_limit_is_made(fields: dict[str, object]) -> None:
    rgb = np.full((40, 33_000, 3), 230, np.uint8)
    rgb[8:32, 5000:28_000] = (160, 40, 30)
    data = _png(Picture(rgb, np.where(rgb[..., 1] < 200, np.uint8(180), np.uint8(0))))
    assert remove(data, Options.from_fields(fields)).size == Size(33_000, 40)


def _png(picture: Picture) -> bytes:
    return codecs.encode(picture.rgb, picture.alpha, format="png")
