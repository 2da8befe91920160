from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.reliability import bins, calibration_error, caught, caught_damage, rank_correlation, reviewed

SEEDS = st.integers(0, 2**16)


@given(seed=SEEDS, count=st.integers(10, 200))
def test_bins_divide_the_pictures_by_confidence(seed: int, count: int) -> None:
    said, ious = np.random.default_rng(seed).random((2, count))
    found = bins(said, ious)
    assert sum(each.pictures for each in found) == count
    assert np.average([each.iou for each in found], weights=[each.pictures for each in found]) == pytest.approx(
        ious.mean()
    )
    edges = [edge for each in found for edge in (each.lowest, each.highest)]
    assert edges == sorted(edges)


def test_who_gets_what_was_promised_has_no_error() -> None:
    ious = np.linspace(0, 1, 100)
    assert calibration_error(ious, ious) == pytest.approx(0)
    assert calibration_error(np.clip(ious + 0.1, 0, 1), ious) == pytest.approx(0.095, abs=0.01)
    assert calibration_error(np.full(100, 0.5), ious) > 0.2


@given(seed=SEEDS)
def test_rank_correlation_sees_order_alone(seed: int) -> None:
    ious = np.random.default_rng(seed).permutation(30) / 30
    assert rank_correlation(ious**3, ious) == pytest.approx(1)
    assert rank_correlation(-ious, ious) == pytest.approx(-1)


def test_equal_values_share_a_rank() -> None:
    # Two ties: ranks 0.5 0.5 2.5 2.5 against 0 1 2 3, a correlation of 2/sqrt(5).
    assert rank_correlation(np.ones(4), np.arange(4.0)) == 0
    assert rank_correlation(np.array([1.0, 1, 2, 2]), np.array([1.0, 2, 3, 4])) == pytest.approx(2 / 5**0.5)


def test_the_least_sure_tenth_is_reviewed_and_catches_what_it_holds() -> None:
    said = np.arange(40) / 40
    ious = np.ones(40)
    ious[[0, 3, 20, 30]] = 0.5
    assert list(reviewed(said)) == [0, 1, 2, 3]
    assert caught(said, ious) == 0.5
    assert caught(said, np.ones(40)) == 1


def test_caught_damage_says_what_a_tenth_holds_and_what_it_can_hold() -> None:
    said, damaged = np.arange(40) / 40, np.zeros(40, bool)
    assert caught_damage(said, damaged) == (1, 1)
    damaged[[0, 20]] = True
    assert caught_damage(said, damaged) == (0.5, 1)
    damaged[[0, 20, 21, 22, 23, 24, 25, 26]] = True
    assert caught_damage(said, damaged) == (1 / 8, 4 / 8)


@given(seed=SEEDS, count=st.integers(10, 100), bad=st.integers(1, 10))
def test_no_confidence_catches_more_than_the_bound_and_the_best_reaches_it(seed: int, count: int, bad: int) -> None:
    random = np.random.default_rng(seed)
    said, damaged = random.random(count), random.permutation(count) < bad
    found, best, worst = (caught_damage(each, damaged) for each in (said, 1.0 - damaged, 1.0 * damaged))
    assert worst.share <= found.share <= best.share == best.at_most == found.at_most
