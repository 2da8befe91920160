from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packshot.core.confidence import Calibration, Signs, confidence, find_signs, stability
from packshot.core.picture import Float32

WEIGHTS = {"stability": 5.0, "scene": -1.0, "contested": -4.0, "unseen": -6.0, "cut": -2.0}
CURVE = Calibration("0" * 64, -2.0, WEIGHTS, 0.6, 100, 0.7, 0.08, 0.01, 0.35, 0.3)


def disc(sigma: float = 0, peak: float = 1) -> Float32:
    matte = np.zeros((128, 128), np.float32)
    cv2.circle(matte, (60, 64), 40, peak, -1)
    return cv2.GaussianBlur(matte, (0, 0), sigma) if sigma else matte


def test_a_matte_with_nothing_undecided_is_stable() -> None:
    assert stability(disc()) == 1
    assert stability(np.ones((8, 8), np.float32)) == 1


@pytest.mark.parametrize("value", [0.0, 0.05, 0.3, 0.5, 0.59])
def test_a_matte_that_decides_nothing_is_not(value: float) -> None:
    assert stability(np.full((8, 8), value, np.float32)) == 0


def test_the_less_is_decided_the_lower() -> None:
    blurs = [stability(disc(sigma)) for sigma in (1, 3, 6, 12)]
    assert blurs == sorted(blurs, reverse=True)
    doubtful_part = disc()
    doubtful_part[90:] = np.maximum(doubtful_part[90:], 0.35)
    assert stability(doubtful_part) < stability(disc())


@given(seed=st.integers(0, 1000), side=st.integers(1, 40))
def test_it_is_a_share_whatever_the_matte_and_does_not_see_mirrors(seed: int, side: int) -> None:
    matte = np.random.default_rng(seed).random((side, side), np.float32) ** 2
    assert 0 <= stability(matte) <= 1
    assert stability(matte) == stability(matte[:, ::-1]) == stability(matte.T)


def test_a_stabler_matte_has_more_confidence_and_all_stay_between_0_and_1() -> None:
    found = [confidence(Signs(stability(disc(sigma))), CURVE) or 0 for sigma in (20, 8, 2, 0)]
    assert 0 < found[0] < found[1] < found[2] < found[3] < 1
    assert confidence(Signs(0), CURVE) == pytest.approx(1 / (1 + np.exp(2)))


@pytest.mark.parametrize("fault", ["contested", "unseen", "scene", "cut"])
def test_a_fault_takes_confidence_away(fault: str) -> None:
    faulty = confidence(Signs(0.9, **{fault: 0.5}), CURVE)
    sound = confidence(Signs(0.9), CURVE)
    assert faulty is not None
    assert sound is not None
    assert faulty < sound


def test_no_calibration_no_confidence() -> None:
    assert confidence(Signs(1), None) is None


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ({"stability": -1.0}, "stability must be positive"),
        ({"scene": -1.0}, "stability must be positive"),
        ({"stability": 1.0, "scene": 2.0}, "weight of scene must not be positive"),
        ({"stability": 1.0, "luck": -1.0}, "luck"),
    ],
)
def test_weights_that_make_no_sense_are_refused(weights: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        replace(CURVE, weights=weights)


def seen_of(product: Float32, colour: float = 60.0, ground: float = 250.0) -> Float32:
    """A product of one colour on a ground of another, float32 (h, w, 3)."""
    return np.repeat((ground + (colour - ground) * product)[..., None], 3, axis=2).astype(np.float32)


class TestSigns:
    def test_a_sound_matte_on_a_plain_ground_shows_no_fault(self) -> None:
        assert find_signs(disc(), disc(), seen_of(disc()), disc() * 0) == Signs(stability=1)

    def test_a_ground_that_is_not_plain_is_a_scene(self) -> None:
        assert find_signs(disc(), disc(), seen_of(disc())) == Signs(stability=1, scene=1)

    def test_an_empty_matte_has_a_stability_and_nothing_else(self) -> None:
        assert find_signs(disc() * 0, disc() * 0, seen_of(disc()), disc() * 0) == Signs(0)

    def test_a_hole_in_a_smooth_surface_is_unseen_and_one_that_shows_the_ground_is_not(self) -> None:
        hole = np.zeros((128, 128), np.float32)
        cv2.circle(hole, (60, 64), 12, 1, -1)
        matte = disc() - hole
        assert find_signs(matte, matte, seen_of(disc())).unseen > 0.2
        assert find_signs(matte, matte, seen_of(matte)).unseen == 0

    def test_an_outline_that_the_picture_does_not_show_is_unseen(self) -> None:
        bitten = disc()
        bitten[64:, 60:] = 0
        assert find_signs(bitten, bitten, seen_of(disc())).unseen > 0.2
        assert find_signs(bitten, bitten, seen_of(bitten)).unseen == 0

    def test_the_more_is_contested_the_worse(self) -> None:
        found = []
        for side in (0, 5, 10, 20):
            contested = disc() * 0
            contested[:side, :side] = 1
            found.append(find_signs(disc(), disc(), seen_of(disc()), contested).contested)
        assert found == sorted(set(found))
        assert found[2] == pytest.approx(np.sqrt(100 / disc().sum()))

    @pytest.mark.parametrize("scale", [1, 3])
    @pytest.mark.parametrize("angle", [0, 2, 17, 90, 130])
    def test_one_thing_cut_straight_through_is_told_from_two_things(self, angle: float, scale: int) -> None:
        side = 128 * scale
        block, gap = np.zeros((128, 128), np.float32), np.zeros((128, 128), np.float32)
        block[20:108, 46:82] = 1
        gap[52:76] = 1

        def turned(plane: Float32, degrees: float) -> Float32:
            turn = cv2.getRotationMatrix2D((64, 64), degrees, scale)
            turn[:, 2] += 64 * (scale - 1)
            return np.asarray(cv2.warpAffine(plane, turn, (side, side), flags=cv2.INTER_NEAREST), np.float32)

        block, gap = turned(block, angle), turned(gap, angle + 2)  # a cut is never quite straight
        cut = np.asarray(block * (1 - gap), np.float32)
        assert find_signs(cut, cut, seen_of(cut)).cut == 1
        assert find_signs(np.asarray(block), np.asarray(block), seen_of(np.asarray(block))).cut == 0
        discs = np.zeros((128, 128), np.float32)
        for at in (40, 90):
            cv2.circle(discs, (at, 64), 18, 1, -1)
        assert find_signs(discs, discs, seen_of(discs)).cut == 0

    def test_two_halves_of_other_colours_are_two_things(self) -> None:
        halves = np.zeros((128, 128), np.float32)
        halves[20:52, 46:82], halves[76:108, 46:82] = 1, 1
        seen = seen_of(halves)
        seen[76:108, 46:82] = (200, 30, 30)
        assert find_signs(halves, halves, seen).cut == 0

    @given(seed=st.integers(0, 500))
    def test_all_are_shares_and_no_mirror_changes_them(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        matte = cv2.GaussianBlur(random.random((64, 80)).astype(np.float32), (0, 0), 3)
        matte = np.clip((matte - 0.5) * 20 + 0.5, 0, 1).astype(np.float32)
        seen = cv2.GaussianBlur(random.uniform(0, 255, (64, 80, 3)).astype(np.float32), (0, 0), 2)
        signs = find_signs(matte, matte, seen)
        assert all(0 <= value <= 1 for value in signs.values().values())
        mirrored = find_signs(matte[:, ::-1].copy(), matte[:, ::-1].copy(), seen[:, ::-1].copy())
        for name in ("stability", "unseen", "scene", "contested"):
            assert getattr(mirrored, name) == pytest.approx(getattr(signs, name), abs=1e-6)
