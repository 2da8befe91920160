"""The fit on mattes whose IoU follows a known law, and the command on generated pictures."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation import confidence, run
from evaluation.confidence import DAMAGED, Curve, Measured, calibrate, fit, predicted
from evaluation.reliability import caught_damage
from packshot import remove
from packshot.core.confidence import SIGNS
from packshot.engine.card import read_card
from packshot.engine.weights import DEFAULT_MODEL, find_card
from tests.evaluation.shapes import draw_pairs

UNSEEN = SIGNS.index("unseen")
TRUE = Curve(-3.0, np.array([{"stability": 7.0, "unseen": -4.0}.get(name, 0.0) for name in SIGNS]))


def signs_of(stable: np.ndarray, unseen: np.ndarray | float = 0.0) -> np.ndarray:
    """Signs of mattes with this stability and this share of unseen outline; no other fault."""
    signs = np.zeros((len(stable), len(SIGNS)))
    signs[:, 0], signs[:, UNSEEN] = stable, unseen
    return signs


def sample(count: int, seed: int = 0, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Signs, and qualities that scatter around the true curve."""
    random = np.random.default_rng(seed)
    signs = signs_of(random.beta(4, 1.5, count), random.beta(1, 12, count))
    return signs, np.clip(TRUE(signs) + random.normal(0, noise, count), 0, 1)


def found_of(signs: np.ndarray, ious: np.ndarray, damaged: np.ndarray | None = None) -> Measured:
    return Measured(signs, ious, np.zeros(len(ious), bool) if damaged is None else damaged, ["one"] * len(ious))


def test_a_known_curve_is_found_again() -> None:
    signs, quality = sample(4000, noise=0.03)
    found = fit(signs, quality)
    at = signs_of(np.linspace(0.2, 1, 9), np.linspace(0, 0.3, 9))
    np.testing.assert_allclose(found(at), TRUE(at), atol=0.02)


def test_a_fault_that_seems_to_make_mattes_better_says_nothing() -> None:
    signs, quality = sample(1000)
    signs[:, SIGNS.index("cut")] = quality > 0.8
    found = fit(signs, quality)
    assert found.weights[SIGNS.index("cut")] == 0
    assert found.weights[UNSEEN] < 0 < found.weights[0]


@given(seed=st.integers(0, 2**16))
def test_the_mean_is_kept(seed: int) -> None:
    signs, quality = sample(60, seed)
    assert fit(signs, quality)(signs).mean() == pytest.approx(quality.mean(), abs=1e-3)


def test_mattes_that_are_all_alike_can_be_fitted() -> None:
    for value in (0.97, 1.0, 0.0):
        curve = fit(signs_of(np.full(50, 0.9)), np.full(50, value))
        assert curve(signs_of(np.array([0.9])))[0] == pytest.approx(value, abs=0.01)


@pytest.mark.parametrize("bad", [1, 2, 5])
def test_nearly_all_good_mattes_can_be_fitted(bad: int) -> None:
    random = np.random.default_rng(bad)
    stable = np.concatenate([random.uniform(0, 0.3, bad), random.uniform(0.97, 1, 50 - bad)])
    quality = np.concatenate([np.full(bad, 0.01), np.full(50 - bad, 0.999)])
    curve = fit(signs_of(stable), quality)
    assert curve(signs_of(stable)).mean() == pytest.approx(quality.mean(), abs=1e-3)
    assert curve(signs_of(np.array([0.1])))[0] < 0.2
    assert curve(signs_of(np.array([0.99])))[0] > 0.9


def test_no_picture_is_predicted_by_a_curve_that_saw_it() -> None:
    signs, quality = sample(200)
    before = predicted(signs, quality)
    quality = quality.copy()
    quality[17] = 1 - quality[17]
    after = predicted(signs, quality)
    assert after[17] == before[17]
    assert (after != before).sum() > 100


def test_a_calibration_says_how_well_it_does() -> None:
    signs, ious = sample(2000)
    found, said = calibrate(found_of(signs, ious), "0" * 64)
    assert found.pictures == 2000
    assert found.calibration_error < 0.02
    assert found.rank_correlation > 0.7
    assert (TRUE(signs) < found.review_below).mean() == pytest.approx(0.1, abs=0.02)
    blind = signs_of(np.random.default_rng(1).random(2000))
    try:
        unseeing, _ = calibrate(found_of(blind, ious), "0" * 64)
    except ValueError:  # a meaningless stability may get a weight below 0
        return
    assert abs(unseeing.rank_correlation) < 0.1
    assert unseeing.caught < found.caught
    assert len(said) == 2000


def test_a_lost_part_halves_the_quality_that_iou_does_not_see() -> None:
    ious = np.array([0.9, 0.9])
    damaged = found_of(signs_of(np.ones(2)), ious, np.array([False, True]))
    assert list(damaged.quality) == [0.9, 0.9 * DAMAGED]


def test_signs_of_damage_find_what_stability_cannot() -> None:
    random = np.random.default_rng(2)
    torn = random.random(1000) < 0.08
    signs = signs_of(random.uniform(0.9, 1, 1000), torn * random.uniform(0.2, 0.6, 1000))
    ious = np.full(1000, 0.96)
    found, _ = calibrate(found_of(signs, ious, torn), "0" * 64)
    assert found.caught_damage > 0.9
    blind = signs.copy()
    blind[:, UNSEEN] = 0
    said = predicted(blind, found_of(signs, ious, torn).quality)
    assert caught_damage(said, torn).share < 0.3


@pytest.mark.slow
def test_the_command_puts_a_calibration_on_the_card_and_the_line_then_says_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card, path = find_card(DEFAULT_MODEL)
    folder, model = draw_pairs(tmp_path / "shapes", 55, fade=1), tmp_path / path.name
    shutil.copy(path, model)
    small = replace(card, input=replace(card.input, side_px=128), confidence=None)  # faster
    model.with_suffix(".json").write_text(small.to_json())
    report = tmp_path / "report.json"
    run.main([str(folder), "--model", str(model), "--out", str(report)])
    confidence.main([str(report), "--model", str(model), "--write"])
    assert "pictures=5" in capsys.readouterr().out
    written = read_card(model.with_suffix(".json"))
    assert written.confidence is not None
    assert written.confidence.sha256 == card.sha256
    from packshot.engine.network import load_network

    result = remove((folder / "im" / "shape00.png").read_bytes(), network=load_network(str(model)))
    assert result.confidence is not None
    assert 0 < result.confidence < 1


def test_a_stability_that_says_nothing_is_refused() -> None:
    signs, ious = sample(100)
    signs[:, 0] = 1 - signs[:, 0]
    with pytest.raises(ValueError, match="stability"):
        calibrate(found_of(signs, ious), "0" * 64)


@pytest.mark.slow
def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    run.main([str(draw_pairs(tmp_path / "shapes", 3)), "--out", str(report)])
    with pytest.raises(SystemExit, match="too few"):
        confidence.main([str(report)])
    report.write_text(report.read_text().replace(find_card(DEFAULT_MODEL)[0].sha256, "0" * 64))
    with pytest.raises(SystemExit, match="another file"):
        confidence.main([str(report)])
