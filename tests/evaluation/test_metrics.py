"""Every figure must get worse when what it stands for gets worse, and be perfect when the matte is."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import pytest

from evaluation.metrics import Score, score
from packshot.core.picture import Float32

HEIGHT, WIDTH = 120, 160
BETTER_LOW = {"mae", "mse", "sad", "background_kept", "band_mae"}


def mug() -> Float32:
    """A body with a handle: one object, one hole, clear of the borders."""
    truth = np.zeros((HEIGHT, WIDTH), np.float32)
    truth[25:100, 40:95] = 1
    cv2.circle(truth, (105, 60), 26, 1, thickness=8)
    return truth


def haze(matte: Float32) -> Float32:
    return 0.3 + 0.7 * matte


def low(matte: Float32) -> Float32:
    """Unsure all over: right at 1/2, and nothing to be pleased with."""
    return 0.4 + 0.2 * matte


def blur(matte: Float32) -> Float32:
    return np.clip(cv2.GaussianBlur(matte, (0, 0), 6), 0, 1)


def shift(matte: Float32) -> Float32:
    return np.roll(matte, 5, 1)


def dilate(matte: Float32) -> Float32:
    return cv2.dilate(matte, np.ones((5, 5), np.uint8))


def fill_hole(matte: Float32) -> Float32:
    filled = matte.copy()
    cv2.circle(filled, (105, 60), 26, 1, thickness=-1)
    return filled


def keep_shadow(matte: Float32) -> Float32:
    kept = matte.copy()
    kept[104:116, 20:120] = 1
    return kept


def lose_part(matte: Float32) -> Float32:
    lost = matte.copy()
    lost[25:60] = 0
    return lost


def invert(matte: Float32) -> Float32:
    return 1 - matte


FIELD = ("mae", "mse", "sad", "weighted_f", "s_measure", "e_measure")
REGION = ("iou", "boundary_iou", "max_f")
EDGE = (*REGION, "band_mae")
HURTS: list[tuple[Callable[[Float32], Float32], tuple[str, ...]]] = [
    (haze, FIELD),
    (low, FIELD),
    (blur, (*FIELD, *EDGE)),
    (shift, (*FIELD, *EDGE)),
    (dilate, (*FIELD, *EDGE)),
    (fill_hole, (*FIELD, *EDGE, "background_kept", "holes_opened")),
    (keep_shadow, (*FIELD, *REGION, "background_kept")),
    (lose_part, (*FIELD, *EDGE)),
    (invert, (*FIELD, *EDGE, "background_kept", "holes_opened")),
]


def identity(matte: Float32) -> Float32:
    return matte


@cache
def scored(damage: Callable[[Float32], Float32], times: int = 1) -> Score:
    matte = mug()
    for _ in range(times):
        matte = damage(matte)
    return score(matte, mug())


def figure(of: Score, name: str) -> float:
    """The figure, signed so that higher is better."""
    return -getattr(of, name) if name in BETTER_LOW else getattr(of, name)


@pytest.mark.parametrize(
    ("damage", "name"),
    [pytest.param(damage, name, id=f"{damage.__name__}-{name}") for damage, names in HURTS for name in names],
)
def test_damage_is_seen(damage: Callable[[Float32], Float32], name: str) -> None:
    assert figure(scored(damage), name) < figure(scored(identity), name)


@pytest.mark.parametrize("truth", [mug(), np.ones((40, 60), np.float32), 1 - mug()], ids=["mug", "full", "inverse"])
def test_a_perfect_matte_is_perfect(truth: Float32) -> None:
    perfect = {name: value for name, value in score(truth, truth).row().items() if value is not None}
    assert perfect.pop("holes") == perfect.pop("holes_opened")
    for name, value in perfect.items():
        # The mean of E includes the threshold 0, at which every matte is all foreground: 1 is not quite reached.
        assert value == pytest.approx(0 if name in BETTER_LOW else 1, abs=0.01), name


@pytest.mark.parametrize("damage", [blur, shift, dilate], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", ["mae", "iou", "boundary_iou", "s_measure", "weighted_f"])
def test_twice_the_damage_is_worse(damage: Callable[[Float32], Float32], name: str) -> None:
    assert figure(scored(damage, times=2), name) < figure(scored(damage), name)


def test_no_figure_rescales_the_matte() -> None:
    """A library's default would stretch this matte to 0..1 and call it perfect."""
    assert score(low(mug()), mug()).mae == pytest.approx(0.4, abs=1e-6)


def test_the_boundary_tells_what_the_inside_drowns() -> None:
    large = np.zeros((400, 400), np.float32)
    large[40:360, 40:360] = 1
    wavy = cv2.dilate(large, np.ones((7, 7), np.uint8))
    found = score(wavy, large)
    assert found.iou > 0.95
    assert found.boundary_iou < 0.75


def test_soft_errors_count_by_their_size() -> None:
    truth = 0.5 * mug() + 0.5 * blur(mug())
    off = np.clip(truth + 0.1, 0, 1).astype(np.float32)
    found, clipped = score(off, truth), np.abs(off - truth)
    assert found.mae == pytest.approx(clipped.mean(), rel=1e-5)
    assert found.sad == pytest.approx(clipped.sum() / 1000, rel=1e-5)
    assert found.mse == pytest.approx((clipped**2).mean(), rel=1e-5)


def test_kept_background_is_a_share_of_the_background_that_is_far_from_the_edge() -> None:
    truth = np.zeros((100, 100), np.float32)
    truth[:, :50] = 1
    kept = truth.copy()
    kept[:10, 60:] = 1
    # 1 % of the diagonal is 1 px: 49 of the 50 background columns count, and 10 x 40 px are kept.
    assert score(kept, truth).background_kept == pytest.approx(400 / 4900)
    assert score(cv2.dilate(truth, np.ones((3, 3), np.uint8)), truth).background_kept == 0


def test_holes_are_counted_once_they_are_half_removed() -> None:
    truth = np.ones((100, 100), np.float32)
    truth[20:40, 20:40] = truth[60:80, 60:80] = truth[50, 50] = 0  # the single pixel is noise
    truth[0:10, 40:60] = 0  # touches the border: no hole
    matte = truth.copy()
    matte[60:75, 60:80] = 1
    found = score(matte, truth)
    assert (found.holes, found.holes_opened) == (2, 1)


def test_without_foreground_only_what_is_left_of_the_background_counts() -> None:
    nothing, some = np.zeros((100, 100), np.float32), np.zeros((100, 100), np.float32)
    some[:10] = 1
    clean, kept = score(nothing, nothing), score(some, nothing)
    assert not kept.has_foreground
    assert (clean.mae, clean.background_kept) == (0, 0)
    assert (kept.mae, kept.background_kept) == (pytest.approx(0.1), 0.1)
    known = {name for name, value in kept.row().items() if value is not None}
    assert known == {"mae", "mse", "sad", "background_kept", "holes", "holes_opened"}
