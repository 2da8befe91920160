"""Every figure must fall with the quality that it measures, and be perfect for a perfect matte."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.field import Mask
from evaluation.metrics import Score, count_damage, score
from packshot.core.picture import Float32

HEIGHT, WIDTH = 120, 160
BETTER_LOW = {"mae", "mse", "sad", "background_kept", "band_mae", "parts_lost", "holes_torn"}


def mug() -> Float32:
    """A body with a handle: one object, one hole, clear of the borders."""
    truth = np.zeros((HEIGHT, WIDTH), np.float32)
    truth[25:100, 40:95] = 1
    cv2.circle(truth, (105, 60), 26, 1, thickness=8)
    return truth


def haze(matte: Float32) -> Float32:
    return 0.3 + 0.7 * matte


def low(matte: Float32) -> Float32:
    """Uncertain everywhere: correct at threshold 1/2, but poor."""
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


def tear(matte: Float32) -> Float32:
    torn = matte.copy()
    torn[70:82, 55:70] = 0
    return torn


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
    (lose_part, (*FIELD, *EDGE, "parts_lost")),
    (tear, (*FIELD, *REGION, "holes_torn")),
    (invert, (*FIELD, *EDGE, "background_kept", "holes_opened", "parts_lost")),
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
    """A library's default would stretch this matte to 0..1 and call the result perfect."""
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


def ladder() -> Mask:
    """800x600: two legs with a rung of 4x60 px between them, a disc with a spike to the right, and a ball."""
    drawn = np.zeros((600, 800), np.uint8)
    drawn[100:500, 60:100] = drawn[100:500, 160:200] = drawn[298:302, 100:160] = 1
    cv2.circle(drawn, (420, 300), 120, 1, -1)
    cv2.fillPoly(drawn, [np.array([[530, 280], [530, 320], [640, 300]])], 1)  # 21 degrees
    cv2.circle(drawn, (720, 120), 20, 1, -1)
    return drawn.astype(bool)


LADDER = ladder()


def without(*boxes: tuple[int, int, int, int]) -> Mask:
    """The ladder without some boxes: top, bottom, left, right."""
    mask = LADDER.copy()
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = False
    return mask


RUNG, BALL, SPIKE, LEG = (298, 302, 100, 160), (100, 141, 700, 741), (270, 330, 540, 641), (350, 500, 50, 110)
TEAR, OTHER_TEAR, CRACK = (290, 302, 380, 390), (330, 345, 430, 445), (250, 360, 420, 421)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("boxes", "damage"),
    [
        pytest.param([], (0, 0), id="nothing"),
        pytest.param([RUNG], (1, 0), id="rung"),
        pytest.param([BALL], (1, 0), id="separate object"),
        pytest.param([SPIKE], (1, 0), id="spike"),
        pytest.param([RUNG, BALL, SPIKE, LEG], (4, 0), id="four parts"),
        pytest.param([(298, 302, 121, 139)], (0, 0), id="gap of 18 px in the rung"),
        pytest.param([(0, 600, 0, 800)], (3, 0), id="all"),  # each separate object is a part
        pytest.param([(150, 450, 60, 69)], (0, 0), id="9 px off a side"),
        pytest.param([(150, 450, 60, 72)], (1, 0), id="12 px off a side"),
        pytest.param([TEAR], (0, 1), id="tear"),
        pytest.param([CRACK], (0, 1), id="crack of one px"),
        pytest.param([TEAR, OTHER_TEAR], (0, 2), id="two tears"),
        pytest.param([(290, 299, 380, 389)], (0, 0), id="tear of 81 px"),
        pytest.param([TEAR, RUNG], (1, 1), id="both"),
        pytest.param([(288, 312, 260, 400)], (1, 0), id="tunnel from outside"),
    ],
)
def test_lost_parts_and_torn_holes_are_counted(boxes: list[tuple[int, int, int, int]], damage: tuple[int, int]) -> None:
    mask = without(*boxes)
    assert count_damage(mask, LADDER) == damage
    found = score(mask.astype(np.float32), LADDER.astype(np.float32))
    assert (found.parts_lost, found.holes_torn) == damage
    assert found.damaged == (damage != (0, 0))


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.5, 2, 3])
@pytest.mark.parametrize("boxes", [[RUNG], [BALL, TEAR], [RUNG, LEG, TEAR, OTHER_TEAR]])
def test_damage_is_the_same_at_any_size(boxes: list[tuple[int, int, int, int]], scale: float) -> None:
    def resized(mask: Mask) -> Mask:
        size = (round(800 * scale), round(600 * scale))
        return cv2.resize(mask.view(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)

    mask = without(*boxes)
    assert count_damage(resized(mask), resized(LADDER)) == count_damage(mask, LADDER)


@pytest.mark.parametrize("width_px", [1, 2, 3])
def test_an_edge_drawn_too_far_inside_is_no_lost_part(width_px: int) -> None:
    """This holds even at the spike: its tip loses 5.5 px per px, in one piece with the rest of the edge."""
    solid = without(RUNG)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width_px + 1, 2 * width_px + 1))
    inside = cv2.erode(solid.view(np.uint8), kernel).astype(bool)
    assert count_damage(inside, solid) == (0, 0)
    assert count_damage(np.roll(solid, width_px, 1) & solid, solid) == (0, 0)
    # A rung as thin as the sliver is lost.
    assert count_damage(inside & without(RUNG), LADDER) == (1, 0)


def test_a_product_that_fills_the_picture_is_lost_at_its_border_and_torn_inside() -> None:
    full = np.ones((300, 400), bool)
    corner, hole = full.copy(), full.copy()
    corner[:20, :20] = hole[1:21, 1:21] = False
    assert count_damage(corner, full) == (1, 0)
    assert count_damage(hole, full) == (0, 1)
    assert count_damage(~full, full) == (1, 0)
    slanting = full.copy()
    slanting[range(100, 200), range(100, 200)] = False
    assert count_damage(slanting, full) == (0, 1)


@pytest.mark.parametrize("shape", [(30, 40), (300, 400)])
def test_noise_of_single_pixels_is_no_damage(shape: tuple[int, int]) -> None:
    truth = np.ones(shape, bool)
    truth[:, : shape[1] // 4] = False
    noise = np.random.default_rng(1).random(shape) < 0.05
    assert (noise & truth).sum() > 40
    assert count_damage(truth & ~noise, truth) == (0, 0)


def blots(seed: int, over: float) -> Mask:
    noise = np.random.default_rng(seed).standard_normal((90, 130))
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 4) > over)


@given(seed=st.integers(0, 2**16))
def test_damage_is_the_same_in_a_mirror_and_transposed(seed: int) -> None:
    truth, mask = blots(seed, -0.05), blots(seed + 1, -0.06)
    damage = count_damage(mask, truth)
    for turned in (np.flipud, np.fliplr, np.transpose):
        assert count_damage(turned(mask), turned(truth)) == damage
    # Extra area outside the product neither helps nor hurts the figure.
    assert count_damage(mask & truth, truth) == damage


def test_without_foreground_only_what_is_left_of_the_background_counts() -> None:
    nothing, some = np.zeros((100, 100), np.float32), np.zeros((100, 100), np.float32)
    some[:10] = 1
    clean, kept = score(nothing, nothing), score(some, nothing)
    assert not kept.has_foreground
    assert (clean.mae, clean.background_kept) == (0, 0)
    assert (kept.mae, kept.background_kept) == (pytest.approx(0.1), 0.1)
    known = {name for name, value in kept.row().items() if value is not None}
    assert known == {"mae", "mse", "sad", "background_kept", "holes", "holes_opened", "parts_lost", "holes_torn"}
