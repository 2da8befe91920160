"""What is faint and far from the product goes; what is soft beside it stays."""

from __future__ import annotations

import cv2
import numpy as np

from packshot.core.geometry import Box
from packshot.core.matte import bounding_box, drop_faint, visible_box
from packshot.core.picture import Float32


def soft_disc() -> Float32:
    matte = np.zeros((400, 400), np.float32)
    cv2.circle(matte, (200, 200), 100, 1.0, -1)
    return np.asarray(cv2.GaussianBlur(matte, (7, 7), 0), np.float32)


def test_a_faint_ring_on_the_table_goes_and_the_product_gets_its_own_box() -> None:
    clean = soft_disc()
    matte = clean.copy()
    matte[340:350, 20:380] = 0.08
    assert bounding_box(matte) != bounding_box(clean)
    assert np.array_equal(drop_faint(matte), clean)


def test_soft_edges_and_nothing_at_all_stay_as_they_are() -> None:
    for matte in (soft_disc(), np.zeros((40, 40), np.float32)):
        assert np.array_equal(drop_faint(matte), matte)


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
