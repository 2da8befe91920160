"""Rotation: quarter turns only move pixels; other angles keep shapes, edges and hidden colours."""

from __future__ import annotations

from math import cos, radians, sin

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.core.geometry import Box, Size, reached_edges
from packshot.core.matte import bounding_box
from packshot.core.options import Options
from packshot.core.picture import Float32, Picture
from packshot.core.plain_ground import GroundColours
from packshot.core.rotate import turn_ground, turn_matte, turn_picture, turned_edges, turned_size
from packshot.core.values import MOST_PIXELS

sides = st.integers(1, 90)
slants = st.floats(-179.5, 179.5).filter(lambda degrees: abs(degrees / 90 - round(degrees / 90)) > 1e-3)


def noise(width: int, height: int, channels: int) -> Picture:
    pixels = np.random.default_rng(width * height).integers(0, 256, (height, width, channels), np.uint8)
    return Picture(
        np.ascontiguousarray(pixels[..., :3]), np.ascontiguousarray(pixels[..., 3]) if channels == 4 else None
    )


@given(sides, sides, st.sampled_from([3, 4]), st.integers(1, 3))
def test_a_quarter_moves_every_pixel_and_changes_none(width: int, height: int, channels: int, quarters: int) -> None:
    picture = noise(width, height, channels)
    matte = (picture.rgb[..., 0] / 255).astype(np.float32)
    degrees = {1: 90, 2: 180, 3: -90}[quarters]
    turned = turn_picture(picture, degrees)
    assert np.array_equal(turned.rgb, np.rot90(picture.rgb, -quarters))
    assert np.array_equal(turn_matte(matte, degrees), np.rot90(matte, -quarters))
    assert turned.size == turned_size(picture.size, degrees)
    for _ in range(3):
        turned = turn_picture(turned, degrees)
    assert np.array_equal(turned.rgb, picture.rgb)
    assert picture.alpha is None or np.array_equal(np.asarray(turned.alpha), picture.alpha)


@given(st.integers(1, 60_000), st.integers(1, 60_000), st.floats(-179, 180))
def test_the_canvas_holds_the_whole_photo_within_the_most_that_an_output_may_have(
    width: int, height: int, degrees: float
) -> None:
    height = min(height, MOST_PIXELS // width)
    size = turned_size(Size(width, height), degrees)
    across, down = abs(cos(radians(degrees))), abs(sin(radians(degrees)))
    needed = (width * across + height * down, width * down + height * across)
    assert size.width * size.height <= MOST_PIXELS
    if (needed[0] + 1) * (needed[1] + 1) <= MOST_PIXELS:
        assert all(least - 0.02 <= side <= least + 1 for side, least in zip(size, needed, strict=True))


@given(slants, st.integers(40, 120), st.integers(40, 120))
@settings(max_examples=30)
def test_a_tilted_rectangle_becomes_upright_and_its_edges_stay_as_sharp(
    degrees: float, width: int, height: int
) -> None:
    side = 320
    direction = np.array(
        [[cos(radians(-degrees)), -sin(radians(-degrees))], [sin(radians(-degrees)), cos(radians(-degrees))]]
    )
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (width / 2, height / 2) @ direction.T + side / 2
    fine = np.zeros((4 * side, 4 * side), np.float32)
    cv2.fillPoly(fine, [np.rint(corners * 4 * 16).astype(np.int32)], 1.0, shift=4)
    tilted = cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA)
    turned = turn_matte(tilted, degrees)
    box = bounding_box(turned, 0.5)
    assert box is not None
    middle = np.array(box.size)
    assert np.abs(middle - (width, height)).max() <= 2
    inner, outer = (Box(box.left + by, box.top + by, box.right - by, box.bottom - by) for by in (3, -3))
    assert turned[inner.slices].min() > 0.97
    around = np.ones(turned.shape, bool)
    around[outer.slices] = False
    assert turned[around].max() < 0.03


@given(slants, st.integers(30, 90), st.integers(30, 90), st.floats(1.2, 6))  # 0.6 px is noise: 6 % are cut off
@settings(max_examples=30)
def test_a_soft_matte_keeps_its_weight_and_its_middle_and_is_a_matte(
    degrees: float, width: int, height: int, grain: float
) -> None:
    rng = np.random.default_rng(width)
    blobs = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), grain)
    matte = np.clip(blobs / blobs.std(), 0, 1).astype(np.float32)
    turned = turn_matte(matte, degrees)
    assert 0 <= turned.min() <= turned.max() <= 1
    assert turned.sum() == pytest.approx(matte.sum(), rel=0.05)


def test_no_place_is_off_by_more_than_a_fraction_of_a_pixel_however_large_the_photo_is() -> None:
    """A ramp shows the source of each pixel, across the seams of the tiles of a large photo."""
    width, height, degrees = 2600, 300, 17.3
    slope = np.broadcast_to(np.linspace(0.1, 0.9, width, dtype=np.float32), (height, width)).copy()
    turned = turn_matte(slope, degrees)
    y, x = np.mgrid[: turned.shape[0], : turned.shape[1]] + 0.5
    across, down = cos(radians(degrees)), sin(radians(degrees))
    at = width / 2 + across * (x - turned.shape[1] / 2) + down * (y - turned.shape[0] / 2)
    row = height / 2 - down * (x - turned.shape[1] / 2) + across * (y - turned.shape[0] / 2)
    inside = (at > 4) & (at < width - 4) & (row > 4) & (row < height - 4)
    expected = 0.1 + 0.8 * (at - 0.5) / (width - 1)
    assert inside.sum() > 0.9 * slope.size
    assert np.abs(turned - expected)[inside].max() < 0.1 * 0.8 / width


@given(st.one_of(st.floats(5, 85), st.floats(-175, -95)))
@settings(max_examples=20)
def test_corners_that_the_photo_leaves_free_are_background(degrees: float) -> None:
    turned = turn_matte(np.ones((60, 80), np.float32), degrees)
    assert turned[0, 0] == turned[0, -1] == turned[-1, 0] == turned[-1, -1] == 0
    assert turned.sum() == pytest.approx(60 * 80, rel=0.05)


@given(slants)
@settings(max_examples=20)
def test_a_colour_that_nobody_sees_is_mixed_into_none(degrees: float) -> None:
    rgb = np.full((80, 100, 3), (255, 0, 255), np.uint8)
    alpha = np.zeros((80, 100), np.uint8)
    cv2.circle(alpha, (50, 40), 25, 255, -1, cv2.LINE_AA)
    rgb[alpha > 0] = (20, 120, 40)
    turned = turn_picture(Picture(rgb, alpha), degrees)
    assert turned.alpha is not None
    assert np.abs(turned.rgb[turned.alpha > 25].astype(int) - (20, 120, 40)).max() <= 12


@given(
    st.sets(st.sampled_from(["left", "upper", "right", "lower"])),
    st.sampled_from([0, 90, 180, -90]),
    st.floats(-44, 44),
)
def test_edges_are_named_as_they_lie_afterwards(edges: set[str], quarter: int, rest: float) -> None:
    size = Size(60, 40)
    box = Box(
        0 if "left" in edges else 9,
        0 if "upper" in edges else 9,
        60 if "right" in edges else 50,
        40 if "lower" in edges else 30,
    )
    matte = np.zeros((40, 60), np.float32)
    matte[box.slices] = 1
    turned = turn_matte(matte, quarter)
    reached = bounding_box(turned)
    assert reached is not None
    assert turned_edges(reached_edges(box, size), quarter + rest) == reached_edges(reached, turned_size(size, quarter))


def ground() -> tuple[GroundColours, Float32]:
    y, x = np.mgrid[:30, :40].astype(np.float32)
    colours = np.stack([100 + 2 * x, 50 + y, 200 - x], axis=-1).astype(np.float32)
    return GroundColours(colours, Size(40, 30)), colours


@pytest.mark.parametrize("degrees", [90, 180, -90, 11.0])
def test_the_ground_turns_with_the_photo(degrees: float) -> None:
    known, _ = ground()
    photo = Size(800, 600)
    turned = turn_ground(known, photo, degrees).at(turned_size(photo, degrees))
    straight = turn_picture(Picture(np.clip(known.at(photo), 0, 255).astype(np.uint8)), degrees)
    inside = turn_matte(np.ones((600, 800), np.float32), degrees) == 1
    assert np.abs(turned - straight.rgb)[inside].mean() < 1.5


def test_an_angle_may_be_written_in_any_way_that_people_write_it() -> None:
    def meaning(number: float) -> object:
        return Options(rotate=number).meaning("rotate")

    assert meaning(270) == meaning(-90) == -90
    assert meaning(-180) == meaning(180) == 180
    assert meaning(360) == meaning(0) == meaning(-360) == 0
    assert meaning(-3.7) == -3.7
