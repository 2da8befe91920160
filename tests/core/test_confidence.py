from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packshot.core.confidence import Calibration, confidence, stability
from packshot.core.picture import Float32

CURVE = Calibration("0" * 64, -2.0, 5.0, 0.6, 100, 0.7, 0.08, 0.01, 0.35)


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
    found = [confidence(disc(sigma), CURVE) or 0 for sigma in (20, 8, 2, 0)]
    assert 0 < found[0] < found[1] < found[2] < found[3] < 1
    assert confidence(np.zeros((4, 4), np.float32), CURVE) == pytest.approx(1 / (1 + np.exp(2)))


def test_no_calibration_no_confidence() -> None:
    assert confidence(disc(), None) is None


def test_a_curve_that_falls_is_refused() -> None:
    with pytest.raises(ValueError, match="slope"):
        replace(CURVE, slope=-1.0)
