"""The fit on mattes whose IoU follows a known law, and the command on pictures made here."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation import confidence, run
from evaluation.confidence import Curve, calibrate, fit, predicted
from packshot.engine.card import read_card
from packshot.engine.remove import remove
from packshot.engine.weights import DEFAULT_MODEL, find_card
from tests.evaluation.shapes import draw_pairs

TRUE = Curve(-3.0, 7.0)


def sample(count: int, seed: int = 0, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Stabilities, and IoUs that scatter around the true curve."""
    random = np.random.default_rng(seed)
    stable = random.beta(4, 1.5, count)
    return stable, np.clip(TRUE(stable) + random.normal(0, noise, count), 0, 1)


def test_a_known_curve_is_found_again() -> None:
    stable, ious = sample(4000, noise=0.03)
    found = fit(stable, ious)
    at = np.linspace(0.2, 1, 9)
    np.testing.assert_allclose(found(at), TRUE(at), atol=0.02)


@given(seed=st.integers(0, 2**16))
def test_the_mean_is_kept(seed: int) -> None:
    stable, ious = sample(60, seed)
    assert fit(stable, ious)(stable).mean() == pytest.approx(ious.mean(), abs=1e-3)


def test_mattes_that_are_all_alike_can_be_fitted() -> None:
    for value in (0.97, 1.0, 0.0):
        curve = fit(np.full(50, 0.9), np.full(50, value))
        assert curve(np.array([0.9]))[0] == pytest.approx(value, abs=0.01)


@pytest.mark.parametrize("bad", [1, 2, 5])
def test_nearly_all_good_mattes_can_be_fitted(bad: int) -> None:
    random = np.random.default_rng(bad)
    stable = np.concatenate([random.uniform(0, 0.3, bad), random.uniform(0.97, 1, 50 - bad)])
    ious = np.concatenate([np.full(bad, 0.01), np.full(50 - bad, 0.999)])
    curve = fit(stable, ious)
    assert curve(stable).mean() == pytest.approx(ious.mean(), abs=1e-3)
    assert curve(np.array([0.1]))[0] < 0.2
    assert curve(np.array([0.99]))[0] > 0.9


def test_no_picture_is_predicted_by_a_curve_that_saw_it() -> None:
    stable, ious = sample(200)
    before = predicted(stable, ious)
    ious = ious.copy()
    ious[17] = 1 - ious[17]
    after = predicted(stable, ious)
    assert after[17] == before[17]
    assert (after != before).sum() > 100


def test_a_calibration_says_how_well_it_does() -> None:
    stable, ious = sample(2000)
    found, said = calibrate(stable, ious, "0" * 64)
    assert found.pictures == 2000
    assert found.calibration_error < 0.02
    assert found.rank_correlation > 0.7
    assert (TRUE(stable) < found.review_below).mean() == pytest.approx(0.1, abs=0.02)
    blind, _ = calibrate(np.random.default_rng(1).random(2000), ious, "0" * 64)
    assert abs(blind.rank_correlation) < 0.1
    assert blind.caught < found.caught
    assert len(said) == 2000


def test_the_command_puts_a_calibration_on_the_card_and_the_line_then_says_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card, path = find_card(DEFAULT_MODEL)
    folder, model = draw_pairs(tmp_path / "shapes", 50, fade=1), tmp_path / path.name
    shutil.copy(path, model)
    small = replace(card, input=replace(card.input, side_px=128), confidence=None)  # quicker
    model.with_suffix(".json").write_text(small.to_json())
    report = tmp_path / "report.json"
    run.main([str(folder), "--model", str(model), "--out", str(report)])
    confidence.main([str(report), "--model", str(model), "--write"])
    assert "50 pictures" in capsys.readouterr().out
    written = read_card(model.with_suffix(".json"))
    assert written.confidence is not None
    assert written.confidence.sha256 == card.sha256
    from packshot.engine.network import load_network

    result = remove((folder / "im" / "shape00.png").read_bytes(), network=load_network(str(model)))
    assert result.confidence is not None
    assert 0 < result.confidence < 1


def test_a_stability_that_says_nothing_is_refused() -> None:
    stable, ious = sample(100)
    with pytest.raises(ValueError, match="slope"):
        calibrate(1 - stable, ious, "0" * 64)


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    run.main([str(draw_pairs(tmp_path / "shapes", 3)), "--out", str(report)])
    with pytest.raises(SystemExit, match="too few"):
        confidence.main([str(report)])
    report.write_text(report.read_text().replace(find_card(DEFAULT_MODEL)[0].sha256, "0" * 64))
    with pytest.raises(SystemExit, match="another file"):
        confidence.main([str(report)])
