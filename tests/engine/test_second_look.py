"""The second look: a network that sees a small product again, without most of the scene."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

import packshot
from packshot.core.geometry import Box, Size
from packshot.core.options import Options
from packshot.core.picture import Float32, Picture, UInt8
from packshot.core.plain_ground import GroundColours
from packshot.engine.card import ModelCard
from packshot.engine.matting import find_matte
from packshot.engine.network import default_network
from tests.kit.images import as_png

CARD = replace(default_network().card, confidence=None, edges=None)


class Bright:
    """Finds what is bright, as it shows at the network's size. `blind` lists the looks that find nothing."""

    def __init__(self, card: ModelCard = CARD, blind: tuple[int, ...] = ()) -> None:
        self.card, self.blind = card, blind
        self.seen: list[Float32] = []

    def predict(self, rgb: Float32) -> Float32:
        self.seen.append(rgb)
        return np.zeros(rgb.shape[2:], np.float32) if len(self.seen) in self.blind else rgb[0].mean(axis=0)


class Sharp(Bright):
    """Sees sharply what is bright."""

    def predict(self, rgb: Float32) -> Float32:
        self.seen.append(rgb)
        return (rgb[0].min(axis=0) > 0.85).astype(np.float32)


def comb(left: int, top: int, side: int = 300, width: int = 1400, height: int = 1100) -> UInt8:
    """A white square on black, with teeth of 2 px, which a look at all of it cannot tell apart."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[top : top + side, left : left + side] = 255
    picture[top : top + side // 2, left + 10 : left + side - 10 : 4] = 0
    picture[top : top + side // 2, left + 11 : left + side - 10 : 4] = 0
    return picture


def error(found: Float32, picture: UInt8) -> float:
    return float(np.abs(found - picture[..., 0] / np.float32(255)).mean())


@pytest.mark.parametrize(("left", "top"), [(0, 0), (500, 410), (1100, 800)])
def test_a_small_product_is_seen_again_and_stays_at_its_place(left: int, top: int) -> None:
    picture = comb(left, top)
    twice, once = Bright(), Bright(replace(CARD, second_look_from=None))
    again, single = (find_matte(Picture(picture), each).matte for each in (twice, once))
    assert (len(twice.seen), len(once.seen)) == (2, 1)
    assert error(again, picture) < 0.9 * error(single, picture)
    solid = np.zeros_like(again, np.bool_)
    solid[top + 160 : top + 290, left + 10 : left + 290] = True
    assert again[solid].min() > 0.99
    around = cv2.dilate(picture[..., 0], np.ones((41, 41), np.uint8))
    assert again[around == 0].max() == 0


def test_a_large_product_is_seen_once() -> None:
    network = Bright()
    find_matte(Picture(comb(200, 100, side=900)), network)
    assert len(network.seen) == 1


def test_a_tiny_product_is_not_enlarged_beyond_its_pixels() -> None:
    network = Bright()
    find_matte(Picture(comb(600, 600, side=24)), network)
    first, second = (float((each[0, 0] > 0.4).sum()) for each in network.seen)
    assert 24 * 24 / 20 < first < second <= 4 * 24 * 24  # twice its size, at most


def test_a_second_look_that_loses_the_product_does_not_count() -> None:
    picture = Picture(comb(500, 410) // 2 + 40)  # the mean of the first answer and of none is below 1/2
    lost, once = Bright(blind=(2,)), Bright(replace(CARD, second_look_from=None))
    assert np.array_equal(find_matte(picture, lost).matte, find_matte(picture, once).matte)
    assert len(lost.seen) == 2


def painted(picture: UInt8, network: Bright, *areas: tuple[int, int, int, int]) -> Float32:
    """The matte with areas painted as product: left, top, right, bottom."""
    layer = np.full(picture.shape[:2], 128, np.uint8)
    for left, top, right, bottom in areas:
        layer[top:bottom, left:right] = 255
    touch_up = as_png(layer) if areas else None
    result = packshot.remove(as_png(picture), Options(form="mask", touch_up=touch_up), network=network)
    return cv2.imdecode(np.frombuffer(result.data, np.uint8), cv2.IMREAD_GRAYSCALE) / np.float32(255)


@pytest.mark.slow
@pytest.mark.parametrize("top", [420, 900])  # within the surroundings of the product, and far outside
def test_strokes_follow_the_pictures_edges_and_change_nothing_elsewhere(top: int) -> None:
    picture = np.zeros((1100, 1400, 3), np.uint8)
    picture[410:610, 200:400] = 255
    picture[top : top + 100, 450:560] = (90, 20, 20)  # too dark for the network
    network = Bright()
    before = painted(picture, network)
    after = painted(picture, network, (452, top + 2, 558, top + 98))
    assert len(network.seen) == 4, "both looked twice"
    assert after[top + 4 : top + 96, 454:556].min() == 1
    assert np.abs(after - (before + (picture[..., 0] == 90))).mean() < 0.1 * (picture[..., 0] == 90).mean()
    assert np.abs(after - before)[:, :420].mean() < 5e-5


@pytest.mark.slow
def test_strokes_far_from_a_tiny_product_leave_it_at_one_look() -> None:
    """The planes of a second look would be as large as the picture."""
    picture = comb(100, 100, side=40, width=4000, height=3000)
    after = painted(picture, Bright(), (3800, 2800, 3900, 2900))
    assert after[2810:2890, 3810:3890].min() == 1
    assert after[125:138, 105:135].min() > 0.9


def test_a_region_of_interest_and_a_second_look_add_up() -> None:
    picture = comb(900, 300, side=150)
    picture[50:400, 50:400] = 255  # outside the region
    network = Bright()
    result = packshot.remove(as_png(picture), Options(form="mask", roi="600 100 1300 900"), network=network)
    mask = cv2.imdecode(np.frombuffer(result.data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert len(network.seen) == 2
    assert mask[390:440, 910:1040].min() == 255
    assert mask[:, :860].max() == 0


def test_the_ground_is_known_in_the_whole_picture() -> None:
    """Spill is removed by the ground's colour, at the product's place."""
    ramp = np.linspace(100, 180, 1400, dtype=np.float32)
    picture = np.repeat(np.tile(ramp, (1100, 1))[..., None], 3, axis=2)
    picture[400:700, 500:800] = 255
    found = find_matte(Picture(picture.astype(np.uint8)), Sharp())
    assert found.ground is not None
    colours = found.ground.at(Size(1400, 1100))
    beside = np.s_[380:720, 480:820]
    assert np.abs(colours[beside] - np.tile(ramp, (1100, 1))[..., None][beside]).max() < 4


def test_a_grounds_colours_stay_where_they_were() -> None:
    plane = np.tile(np.linspace(0, 255, 96, dtype=np.float32)[None, :, None], (72, 1, 3))
    for box in (Box(0, 0, 400, 300), Box(333, 471, 733, 771), Box(600, 700, 1000, 1000), Box(10, 10, 14, 13)):
        placed = GroundColours(plane, Size(384, 288)).placed(box, Size(1000, 1000)).at(Size(1000, 1000))
        part = placed[box.slices]
        truth = np.linspace(0, 255, box.size.width)[None, :, None]
        assert placed.shape == (1000, 1000, 3)
        if box.size.width > 100:
            assert np.abs(part - truth).max() < 20  # three of its own pixels
        assert 0 <= placed.min() <= placed.max() <= 255.01
