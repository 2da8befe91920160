"""packshot's versions of the field's measures, compared with the field's library, on mattes of every kind."""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation import field

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its docstrings hold invalid escapes
    import py_sod_metrics as sod


def theirs(matte: field.Matte, truth: field.Mask) -> dict[str, object]:
    measures = {
        "weighted_f": sod.WeightedFmeasure(),
        "s_measure": sod.Smeasure(),
        "e_measure": sod.Emeasure(),
        "f_curve": sod.FmeasureV2({"f": sod.FmeasureHandler(with_dynamic=True, with_adaptive=False, beta=0.3)}),
    }
    for measure in measures.values():
        measure.step(matte, truth, normalize=False)
    found = {name: measure.get_results() for name, measure in measures.items()}
    return {
        "weighted_f": found["weighted_f"]["wfm"],
        "s_measure": found["s_measure"]["sm"],
        "e_measure": found["e_measure"]["em"]["curve"].mean(),
        "f_curve": found["f_curve"]["f"]["dynamic"],
    }


def ours(matte: field.Matte, truth: field.Mask) -> dict[str, object]:
    at = field.levels(matte, truth)
    return {
        "weighted_f": field.weighted_f(matte, truth),
        "s_measure": field.s_measure(matte, truth),
        "e_measure": field.e_measure(at),
        "f_curve": field.f_curve(at),
    }


def assert_equal(matte: field.Matte, truth: field.Mask) -> None:
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # means of nothing: see below
        expected = theirs(matte, truth)
    for name, value in ours(matte, truth).items():
        if name == "s_measure" and np.isnan(expected[name]):
            continue  # theirs returns no value when the object's centre is in the last row or column
        assert value == pytest.approx(expected[name], abs=1e-9), name


def blobs(seed: int, height: int, width: int, coarseness: int) -> field.Matte:
    """Noise of a chosen coarseness, over all of 0..1."""
    cells = np.random.default_rng(seed).random((max(2, height // coarseness), max(2, width // coarseness)))
    return np.clip(1.5 * cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC) - 0.25, 0, 1)


@pytest.mark.slow
@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**16),
    size=st.tuples(st.integers(3, 60), st.integers(3, 60)),
    coarseness=st.integers(1, 20),
    agreement=st.floats(0, 1),
)
def test_equal_on_any_matte(seed: int, size: tuple[int, int], coarseness: int, agreement: float) -> None:
    truth = blobs(seed, *size, coarseness)
    truth = truth >= np.median(truth)  # never empty
    matte = agreement * truth + (1 - agreement) * blobs(seed + 1, *size, coarseness)
    assert_equal(np.clip(matte, 0, 1), truth)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_equal_on_even_mattes_and_extreme_truths(value: float) -> None:
    shape = (20, 30)
    dot, corner, full = np.zeros(shape, bool), np.zeros(shape, bool), np.ones(shape, bool)
    dot[7, 9] = corner[-1, -1] = True
    for truth in (dot, corner, full, ~dot):
        assert_equal(np.full(shape, value), truth)
