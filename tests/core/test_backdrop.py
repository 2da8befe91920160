"""The background of a product."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.core.backdrop import blurred, cover
from packshot.core.geometry import Size
from packshot.core.picture import Float32, Picture, UInt8
from tests.core.scenes import noise

GREEN = (70, 150, 60)


def disc(width: int = 640, height: int = 480, radius: int = 130) -> Float32:
    plane = np.zeros((height, width), np.float32)
    cv2.circle(plane, (width // 2, height // 2), radius, 1.0, -1)
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), 1.5), np.float32)


def shot(matte: Float32, product: tuple[int, int, int], ground: Float32) -> Picture:
    share = matte[..., None]
    return Picture(np.rint(share * np.array(product, np.float32) + (1 - share) * ground).astype(np.uint8))


def green(height: int = 480, width: int = 640) -> Float32:
    return np.full((height, width, 3), GREEN, np.float32)


class TestBlurred:
    @pytest.mark.parametrize("product", [(220, 20, 20), (0, 0, 0), (255, 255, 255)])
    def test_nothing_of_the_product_tints_its_surroundings(self, product: tuple[int, int, int]) -> None:
        matte = disc()
        behind = blurred(shot(matte, product, green()), matte)
        assert (behind.shape, behind.dtype) == ((480, 640, 3), np.uint8)
        assert np.abs(behind.astype(int) - np.array(GREEN)).max() <= 2

    def test_colours_flow_in_from_the_side_that_they_are_on(self) -> None:
        ground = green()
        ground[:, 320:] = 200, 200, 40
        matte = disc()
        behind = blurred(shot(matte, (90, 0, 160), ground), matte)
        assert np.abs(behind[240, 220].astype(int) - np.array(GREEN)).max() < 40
        assert np.abs(behind[240, 420].astype(int) - [200, 200, 40]).max() < 40

    def test_detail_goes_and_large_shapes_stay(self) -> None:
        ground = green()
        ground[::8] += 60
        ground[:, :200] = 240, 240, 240
        behind = blurred(shot(disc(), (220, 20, 20), ground), disc())
        assert behind[100:400, 450:600, 0].std() < 3
        assert behind[:, :60].min() > 225

    def test_a_lamp_becomes_a_bright_disc(self) -> None:
        ground = np.full((480, 640, 3), 20, np.float32)
        ground[90:110, 90:110] = 255
        behind = blurred(shot(disc(), (220, 20, 20), ground), disc())[..., 0]
        as_values = 20 + 235 * 400 / (np.pi * 32**2)
        assert behind[100, 100] > as_values + 25
        assert behind[100, 160] <= 22

    @given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 9))
    @settings(max_examples=25)
    def test_any_picture_and_matte(self, width: int, height: int, seed: int) -> None:
        matte = np.random.default_rng(seed).random((height, width), np.float32).round(seed % 3)
        assert blurred(Picture(noise(Size(width, height))), matte).shape == (height, width, 3)

    def test_one_colour_stays_it_even_where_the_product_is_all_there_is(self) -> None:
        flat = Picture(np.full((300, 400, 3), (12, 130, 250), np.uint8))
        for level in (0, 1):
            behind = blurred(flat, np.full((300, 400), level, np.float32))
            assert np.abs(behind.astype(int) - [12, 130, 250]).max() <= 1

    def test_colours_hidden_under_transparency_stay_hidden(self) -> None:
        matte = disc()
        alpha = np.rint(matte * 255).astype(np.uint8)
        behind = blurred(Picture(noise(Size(640, 480)), alpha), matte)
        assert behind.min() > 250


class TestCover:
    @pytest.mark.slow
    @given(st.integers(1, 120), st.integers(1, 120), st.integers(1, 120), st.integers(1, 120))
    @settings(max_examples=60)
    def test_fills_the_frame_and_one_colour_stays_it(self, width: int, height: int, across: int, down: int) -> None:
        covered = cover(np.full((height, width, 3), (9, 99, 199), np.uint8), Size(across, down))
        assert covered.shape == (down, across, 3)
        assert (covered == (9, 99, 199)).all()

    @pytest.mark.parametrize("size", [Size(200, 200), Size(1200, 500), Size(300, 900)])
    def test_keeps_the_aspect_and_the_middle(self, size: Size) -> None:
        rgb = np.repeat(np.rint(255 * disc(radius=60)).astype(np.uint8)[..., None], 3, 2)
        left, top, width, height = cv2.boundingRect((cover(rgb, size)[..., 0] > 127).astype(np.uint8))
        scale = max(size.width / 640, size.height / 480)
        assert width == pytest.approx(120 * scale, abs=1.5 * scale)
        assert height == pytest.approx(120 * scale, abs=1.5 * scale)
        assert left + width / 2 == pytest.approx(size.width / 2, abs=1.2 * scale)  # one pixel of the photo
        assert top + height / 2 == pytest.approx(size.height / 2, abs=1.2 * scale)

    def test_shrinks_without_aliasing_and_enlarges_without_steps(self) -> None:
        stripes: UInt8 = np.zeros((600, 600, 3), np.uint8)
        stripes[::2] = 255
        assert np.abs(cover(stripes, Size(130, 130)).astype(int) - 127).max() < 12
        ramp = np.repeat(np.arange(0, 250, 25, dtype=np.uint8)[None, :, None], 10, 0).repeat(3, 2)
        assert np.abs(np.diff(cover(ramp, Size(200, 200))[100, :, 0].astype(int))).max() <= 2
