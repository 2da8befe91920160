"""Mattes, enlarged from the network's size to the picture's size."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.core.geometry import Box, Size
from packshot.core.matte import bounding_box, is_empty, is_flat, network_input, refine
from packshot.core.picture import Float32, Picture
from tests.core.scenes import coarse_matte, noise, scene

sides = st.integers(32, 300)
sizes = st.builds(Size, sides, sides)


def enlarged(coarse: Float32, size: Size) -> Float32:
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR), np.float32)


def near_the_edge(matte: Float32, px: int = 20) -> np.ndarray:
    solid = (matte > 0.5).astype(np.uint8)
    return cv2.dilate(cv2.morphologyEx(solid, cv2.MORPH_GRADIENT, np.ones((3, 3))), np.ones((px, px))) > 0


class TestNetworkInput:
    def test_is_nchw_rgb_in_0_to_1(self) -> None:
        rgb = np.zeros((60, 90, 3), np.uint8)
        rgb[...] = 255, 102, 0
        tensor = network_input(Picture(rgb), Size(64, 32))
        assert (tensor.shape, tensor.dtype) == ((1, 3, 32, 64), np.float32)
        assert tensor[0, :, 5, 7] == pytest.approx([1, 0.4, 0])

    def test_shrinks_without_aliasing(self) -> None:
        rgb = np.zeros((1999, 1999, 3), np.uint8)
        rgb[::2] = 255
        tensor = network_input(Picture(rgb), Size(512, 512))
        assert np.abs(tensor - 0.5).max() < 0.05

    @pytest.mark.parametrize("length", [32, 513, 1023, 1024, 1999])
    def test_stays_aligned_to_a_tenth_of_its_own_pixel(self, length: int) -> None:
        ramp = np.linspace(0, 255, length, dtype=np.float32) / 255
        rgb = np.repeat(np.rint(ramp * 255).astype(np.uint8)[None, :, None], 3, 2).repeat(64, 0)
        seen = network_input(Picture(rgb), Size(128, 64))[0, 0, 30]
        centres = ((np.arange(128) + 0.5) * length / 128 - 0.5) / (length - 1)
        inner = slice(4, -4)
        assert np.abs(seen - centres)[inner].max() < 0.1 / 128 + 1 / 255


class TestIsFlat:
    @pytest.mark.parametrize("level", [0, 128, 255])
    def test_one_colour_is_flat_whatever_its_noise(self, level: int) -> None:
        grain = np.random.default_rng(1).normal(level, 4, (300, 400, 3))
        rgb = np.clip(np.rint(grain), 0, 255).astype(np.uint8)
        assert is_flat(network_input(Picture(rgb), Size(384, 288)))

    def test_a_faint_white_product_on_white_is_not(self) -> None:
        rgb = np.full((300, 400, 3), 255, np.uint8)
        rgb[120:180, 160:240] = 250
        assert not is_flat(network_input(Picture(rgb), Size(384, 288)))


class TestRefine:
    @given(sizes, st.integers(32, 96), st.floats(0.125, 0.875, width=32))
    @settings(max_examples=25)
    def test_an_even_matte_stays_even(self, size: Size, side: int, value: float) -> None:
        picture = Picture(noise(size))
        for level in (0.0, 1.0):
            assert (refine(picture, np.full((side, side), level, np.float32)) == level).all()
        even = refine(picture, np.full((side, side), value, np.float32))
        assert even.shape == (size.height, size.width)
        assert np.abs(even - value).max() < 0.02

    @given(sizes, st.integers(1, 40), st.integers(1, 40), st.integers(0, 9))
    @settings(max_examples=40)
    def test_any_input_gives_a_matte_of_the_pictures_size(self, size: Size, width: int, height: int, seed: int) -> None:
        coarse = np.random.default_rng(seed).random((height, width), np.float32)
        matte = refine(Picture(noise(size)), coarse)
        assert (matte.shape, matte.dtype) == ((size.height, size.width), np.float32)
        assert 0 <= matte.min() <= matte.max() <= 1

    @pytest.mark.parametrize("size", [Size(32, 1999), Size(1999, 32), Size(100, 80)])
    def test_strips_and_pictures_smaller_than_the_network(self, size: Size) -> None:
        known = scene(size)
        coarse = cv2.GaussianBlur(cv2.resize(known.matte, (512, 128)), (0, 0), 1)
        assert np.abs(refine(known.picture, coarse) - known.matte).mean() < 0.03

    @pytest.mark.parametrize("gray", [False, True])
    def test_edges_are_at_least_three_times_nearer_the_truth_than_enlarged_ones(self, gray: bool) -> None:
        known = scene()
        picture = known.picture
        if gray:
            picture = Picture(np.repeat(picture.rgb[..., :1], 3, axis=2))
        coarse = coarse_matte(known.matte)
        edge = near_the_edge(known.matte)
        plain = np.abs(enlarged(coarse, picture.size) - known.matte)[edge].mean()
        refined = np.abs(refine(picture, coarse) - known.matte)[edge].mean()
        assert refined < plain / 3

    def test_away_from_edges_it_is_exactly_0_or_1_even_where_the_network_only_nearly_said_so(self) -> None:
        known = scene()
        coarse = 0.015 + 0.97 * coarse_matte(known.matte)
        away = ~near_the_edge(known.matte, 60)
        assert np.array_equal(refine(known.picture, coarse)[away], known.matte[away])

    def test_an_even_half_transparent_part_stays_half_transparent(self) -> None:
        known = scene()
        matte = refine(known.picture, 0.5 * coarse_matte(known.matte))
        inside = cv2.erode((known.matte == 1).astype(np.uint8), np.ones((151, 151))) > 0
        assert np.abs(matte[inside] - 0.5).max() < 0.02

    def test_leaves_its_inputs_alone(self) -> None:
        known = scene(Size(120, 90))
        coarse = coarse_matte(known.matte, 64)
        before = known.picture.rgb.copy(), coarse.copy()
        refine(known.picture, coarse)
        assert np.array_equal(before[0], known.picture.rgb)
        assert np.array_equal(before[1], coarse)


class TestBoundingBox:
    @given(sizes, st.data())
    def test_is_the_smallest_that_holds_the_matte(self, size: Size, data: st.DataObject) -> None:
        left, top = data.draw(st.integers(0, size.width - 1)), data.draw(st.integers(0, size.height - 1))
        box = Box(left, top, data.draw(st.integers(left + 1, size.width)), data.draw(st.integers(top + 1, size.height)))
        matte = np.zeros((size.height, size.width), np.float32)
        matte[box.slices] = 1
        assert bounding_box(matte) == box

    def test_nothing_has_no_box_and_haze_below_the_threshold_is_nothing(self) -> None:
        assert bounding_box(np.zeros((40, 40), np.float32)) is None
        assert bounding_box(np.full((40, 40), 0.3, np.float32), threshold=0.5) is None


class TestIsEmpty:
    @pytest.mark.parametrize("side", [32, 512, 1999])
    def test_nothing_and_haze_are_empty_an_object_is_not(self, side: int) -> None:
        matte = np.zeros((side, side), np.float32)
        assert is_empty(matte)
        assert is_empty(matte + np.float32(0.4))
        matte[: side // 16, : side // 16] = 0.9
        assert not is_empty(matte)

    def test_a_few_sure_pixels_are_not_an_object(self) -> None:
        matte = np.zeros((512, 512), np.float32)
        matte[100:105, 100:105] = 1
        assert is_empty(matte)
