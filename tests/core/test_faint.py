"""Faint areas far from the product vanish; soft areas next to the product stay."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from packshot.core.geometry import Box
from packshot.core.matte import RESIDUE, bounding_box, drop_faint, visible_box
from packshot.core.picture import Float32


def soft_disc() -> Float32:
    matte = np.zeros((400, 400), np.float32)
    cv2.circle(matte, (200, 200), 100, 1.0, -1)
    return np.asarray(cv2.GaussianBlur(matte, (7, 7), 0), np.float32)


def without_residue(matte: Float32) -> Float32:
    return np.where(matte < RESIDUE, np.float32(0), matte)


def test_a_faint_ring_on_the_table_goes_and_the_product_gets_its_own_box() -> None:
    clean = soft_disc()
    matte = clean.copy()
    matte[340:350, 20:380] = 0.08
    assert bounding_box(matte) != bounding_box(clean)
    assert np.array_equal(drop_faint(matte), without_residue(clean))


def test_soft_edges_and_nothing_at_all_stay_as_they_are() -> None:
    for matte in (soft_disc(), np.zeros((40, 40), np.float32)):
        assert np.array_equal(drop_faint(matte), without_residue(matte))


@pytest.mark.parametrize("size", [(1000, 1000), (1250, 1003), (401, 399)])
def test_nothing_is_left_that_a_jpegs_noise_hides_and_solid_parts_are_as_they_were(size: tuple[int, int]) -> None:
    matte = np.random.default_rng(1).random(size, np.float32)
    kept = drop_faint(matte)
    assert kept[kept > 0].min() >= 0.02
    assert np.array_equal(kept[matte > 0.11], matte[matte > 0.11])


@pytest.mark.parametrize(("side", "level"), [(2, 1.0), (4, 0.3), (10, 0.3), (10, 0.45)])
def test_specks_go_and_the_frame_does_not_follow_them(side: int, level: float) -> None:
    clean = soft_disc()
    matte = clean.copy()
    matte[30 : 30 + side, 350 : 350 + side] = level
    assert np.array_equal(drop_faint(matte), without_residue(clean))
    assert visible_box(matte) == visible_box(clean)


@pytest.mark.parametrize(("side", "level"), [(5, 1.0), (9, 0.6), (20, 0.9), (40, 0.3)])
def test_a_small_part_of_a_set_stays_and_is_framed_with_it(side: int, level: float) -> None:
    matte = soft_disc()
    matte[30 : 30 + side, 350 : 350 + side] = level
    assert np.array_equal(drop_faint(matte), without_residue(matte))
    assert visible_box(matte).top == 30


def test_a_chain_of_small_links_stays_whole() -> None:
    matte = soft_disc()
    for left in range(310, 390, 8):
        matte[200:202, left : left + 3] = 0.7
    assert np.array_equal(drop_faint(matte), without_residue(matte))


def test_two_parts_of_one_size_are_no_specks_of_each_other() -> None:
    matte = np.zeros((1000, 1000), np.float32)
    matte[400:409, 200:209] = matte[400:409, 700:709] = 1
    assert np.array_equal(drop_faint(matte), matte)


@pytest.mark.parametrize("name", ["bear", "bottle", "jars", "mug", "stool", "teapot"])
def test_the_true_mattes_of_the_examples_lose_nothing_that_is_seen(name: str) -> None:
    path = Path(__file__).parents[2] / "examples" / "truth" / f"{name}.png"
    truth = np.asarray(Image.open(path).convert("L"), np.float32) / 255
    lost = truth - drop_faint(truth)
    assert lost.max() < 0.1
    assert lost.sum() < 1e-3 * truth.sum()


def test_glass_far_from_its_rim_stays() -> None:
    matte = np.zeros((400, 400), np.float32)
    matte[50:350, 50:350] = 0.15
    cv2.rectangle(matte, (50, 50), (350, 350), 1.0, 2)
    assert np.array_equal(drop_faint(matte), matte)


def test_the_callers_matte_is_not_touched() -> None:
    matte = soft_disc()
    matte[380, 380] = 0.05
    before = matte.copy()
    drop_faint(matte)
    assert np.array_equal(matte, before)


def test_the_visible_box_leaves_the_last_of_a_soft_edge_out() -> None:
    matte = soft_disc()
    outer = bounding_box(matte)
    assert outer is not None
    inner = visible_box(matte)
    assert outer.size.width - 6 < inner.size.width < outer.size.width


def test_a_matte_that_is_faint_throughout_has_a_visible_box_still() -> None:
    matte = np.zeros((40, 40), np.float32)
    matte[10:20, 10:30] = 0.06
    assert visible_box(matte) == Box(10, 10, 30, 20)
