"""Measuring finished pictures, as other tools make them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from packshot.core import codecs
from packshot.core.geometry import Box, Size, reached_edges
from packshot.core.measure import NEAR_PX, box_of, find_on_plain, measure_ground
from tests.kit.images import as_jpeg

UInt8 = npt.NDArray[np.uint8]
WHITE = (255, 255, 255)


def disc(ground: int = 255, size: int = 600, radius: int = 200) -> tuple[UInt8, UInt8]:
    """A red disc in the middle of a ground, and its mask."""
    mask = np.zeros((size, size), np.uint8)
    cv2.circle(mask, (size // 2, size // 2), radius, 1, -1)
    rgb = np.full((size, size, 3), ground, np.uint8)
    rgb[mask > 0] = (190, 40, 30)
    return rgb, mask


@pytest.mark.parametrize("options", [{"quality": 90}, {"quality": 60}, {"quality": 95, "subsampling": 0}])
def test_a_jpeg_on_white_is_pure_white_however_much_its_edges_ring(options: dict[str, int]) -> None:
    rgb, mask = disc()
    read = codecs.decode(as_jpeg(rgb, **options)).rgb
    assert (read[mask == 0] != 255).any()  # there is ringing
    assert measure_ground(read, None, mask, WHITE).off == 0


@pytest.mark.parametrize(("x", "y"), [(0, 0), (599, 599), (300, 5), (300, 83 - NEAR_PX), (520, 300)])
def test_one_gray_pixel_anywhere_around_is_found(x: int, y: int) -> None:
    rgb, mask = disc()
    rgb[y, x] = (255, 252, 255)
    ground = measure_ground(rgb, None, mask, WHITE)
    assert ground.off == 3
    assert 0 < ground.off_share < 1e-5


def test_an_off_white_ground_is_measured_whole() -> None:
    rgb, mask = disc(ground=250)
    ground = measure_ground(rgb, None, mask, WHITE)
    assert (ground.off, ground.off_share) == (5, 1.0)
    assert measure_ground(rgb, None, mask, WHITE, at_most_off=5).off_share == 0


def test_what_is_not_opaque_is_transparent() -> None:
    rgb, mask = disc()
    assert measure_ground(rgb, mask * np.uint8(255), mask, WHITE).transparent
    assert not measure_ground(rgb, np.full_like(mask, 255), mask, WHITE).transparent


@pytest.mark.parametrize("ground", [255, 250, 128, 0])
@pytest.mark.parametrize("quality", [95, 70])
def test_the_product_is_what_differs_from_a_plain_ground(ground: int, quality: int) -> None:
    rgb, mask = disc(ground)
    found = find_on_plain(codecs.decode(as_jpeg(rgb, quality=quality)).rgb, None)
    assert found is not None
    box, true = box_of(found), box_of(mask)
    assert box is not None
    assert true is not None
    assert np.abs(np.subtract(box, true)).max() <= 2


def test_of_a_transparent_picture_the_product_is_what_is_opaque() -> None:
    rgb, mask = disc()
    found = find_on_plain(np.zeros_like(rgb), mask * np.uint8(3))
    assert found is not None
    assert (found == mask).all()


@pytest.mark.parametrize(("side", "is_part"), [(2, False), (3, False), (6, True), (20, True)])
def test_dust_is_no_product_and_a_screw_beside_it_is(side: int, is_part: bool) -> None:
    rgb, mask = disc()
    rgb[40 : 40 + side, 40 : 40 + side] = (60, 60, 60)
    found = find_on_plain(rgb, None)
    assert found is not None
    assert bool(found[40 : 40 + side, 40 : 40 + side].all()) == is_part
    assert bool(found[mask > 0].all())


def test_a_product_that_an_edge_cuts_does_not_hide_the_ground() -> None:
    rgb, _ = disc()
    cut = rgb[:, 150:]  # the cut goes through the disc: half of the left edge is red
    found = find_on_plain(cut, None)
    assert found is not None
    box = box_of(found)
    assert box is not None
    assert reached_edges(box, Size(450, 600)) == ("left",)


def test_a_photo_of_a_room_is_left_to_the_network() -> None:
    rgb, _ = disc()
    rgb = (rgb * np.linspace(0.3, 1, 600)[:, None, None]).astype(np.uint8)
    assert find_on_plain(rgb, None) is None


def test_nothing_on_white_has_no_box() -> None:
    found = find_on_plain(np.full((100, 100, 3), 255, np.uint8), None)
    assert found is not None
    assert box_of(found) is None


def test_every_edge_is_named() -> None:
    size = Size(40, 30)
    assert reached_edges(Box.full(size), size) == ("left", "upper", "right", "lower")
    assert reached_edges(Box(1, 1, 39, 29), size) == ()
