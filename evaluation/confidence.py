"""Fit a card's confidence: `python -m evaluation.confidence REPORT ... --model NAME --write`.

REPORT is what `python -m evaluation` wrote with --out for that model. Several are pooled: a curve that holds for what a
shop sends must have seen some. It is a logistic curve from the stability of the coarse matte (core.confidence) to
the IoU of the matte that comes of it. The figures are those of pictures that a curve was not fitted to: five curves,
each from four fifths, predict the fifth that is left out. The curve on the card is fitted to all.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evaluation.reliability import Figures, bins, calibration_error, caught, rank_correlation, reviewed
from packshot.core.confidence import Calibration
from packshot.engine.card import ModelCard
from packshot.engine.weights import DEFAULT_MODEL, find_card

FOLDS = 5
EXTREME = 1e-3  # no curve reaches an IoU of 0 or 1
RIDGE = 1e-3  # on the slope per standard deviation: keeps it finite where a threshold divides good from bad


@dataclass(frozen=True)
class Curve:
    """confidence = 1 / (1 + exp(-intercept - slope * stability))."""

    intercept: float
    slope: float

    def __call__(self, stable: Figures) -> Figures:
        return logistic(self.intercept + self.slope * stable)


def logistic(x: Figures) -> Figures:
    """1 / (1 + exp(-x)), by tanh, which does not overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def fit(stable: Figures, ious: Figures) -> Curve:
    """The curve of the least cross entropy against IoU taken as a share, by Newton's method.

    Its mean is then that of IoU. Source: Papke and Wooldridge 1996, "Econometric methods for fractional response
    variables". Parameters: stable, ious, float64 (n,) in 0..1.
    """
    ious = np.clip(ious, EXTREME, 1 - EXTREME)
    mean, spread = float(stable.mean()), max(float(stable.std()), 1e-6)
    design = np.stack([np.ones_like(stable), (stable - mean) / spread], axis=1)
    ridge = np.diag([0.0, RIDGE])
    weights = np.array([np.log(ious.mean() / (1 - ious.mean())), 0.0])

    def loss(weights: Figures) -> float:
        logit = design @ weights
        return float((np.logaddexp(0, logit) - ious * logit).mean() + weights @ ridge @ weights / 2)

    for _ in range(50):
        said = logistic(design @ weights)
        slope = design.T @ (said - ious) / len(ious) + ridge @ weights
        bend = (design.T * (said * (1 - said))) @ design / len(ious) + ridge
        step = np.linalg.solve(bend, slope)
        # A full step overshoots where nearly all mattes are good: there the curve is flat, and hardly bends.
        while np.abs(step).max() > 1e-10 and loss(weights - step) > loss(weights):
            step /= 2
        weights -= step
        if np.abs(step).max() < 1e-10:
            break
    return Curve(float(weights[0] - weights[1] * mean / spread), float(weights[1] / spread))


def predicted(stable: Figures, ious: Figures, seed: int = 1) -> Figures:
    """The confidence in each picture by a curve fitted without its fifth of the pictures."""
    order = np.random.default_rng(seed).permutation(len(ious))
    said = np.empty_like(ious)
    for fold in range(FOLDS):
        left_out = order[fold::FOLDS]
        others = np.setdiff1d(order, left_out)
        said[left_out] = fit(stable[others], ious[others])(stable[left_out])
    return said


def calibrate(stable: Figures, ious: Figures, sha256: str) -> tuple[Calibration, Figures]:
    """The calibration for a card, and the out-of-fold confidences that its figures come from."""
    curve, said = fit(stable, ious), predicted(stable, ious)
    flagged = curve(stable)[reviewed(said)]
    calibration = Calibration(
        sha256=sha256,
        intercept=round(curve.intercept, 4),
        slope=round(curve.slope, 4),
        review_below=round(float(flagged.max()), 4),
        pictures=len(ious),
        rank_correlation=round(rank_correlation(said, ious), 4),
        mean_error=round(float(np.abs(said - ious).mean()), 4),
        calibration_error=round(calibration_error(said, ious), 4),
        caught=round(caught(said, ious), 4),
    )
    return calibration, said


@dataclass(frozen=True)
class Measured:
    """What reports of one model say of their pictures: stability, IoU and set of each whose truth has foreground."""

    stable: Figures
    ious: Figures
    groups: list[str]


def measured(reports: Sequence[Path], card: ModelCard) -> Measured:
    """Raises: SystemExit when a report is of another file or side, or all have too few pictures."""
    stable, ious, groups = [], [], []
    for path in reports:
        report = json.loads(path.read_text(encoding="utf-8"))
        if (report["model"]["sha256"], report["model"]["side_px"]) != (card.sha256, card.input.side_px):
            raise SystemExit(f"{path} was measured on another file than {card.file}, or at another side")
        for picture in report["pictures"]:
            if picture["iou"] is not None:
                stable.append(picture["stability"])
                ious.append(picture["iou"])
                groups.append(picture["strata"][0])
    if len(ious) < 10 * FOLDS:
        raise SystemExit(f"{len(ious)} pictures are too few: give at least {10 * FOLDS}")
    return Measured(np.array(stable), np.array(ious), groups)


def table(said: Figures, ious: Figures) -> str:
    """The reliability table: tenths of the pictures, the least sure first."""
    lines = ["pictures  confidence     mean  mean IoU  IoU < .80"]
    for each in bins(said, ious):
        span = f"{each.lowest:.3f}-{each.highest:.3f}"
        lines.append(f"{each.pictures:8}  {span}  {each.confidence:.3f}     {each.iou:.3f}      {each.poor:.3f}")
    return "\n".join(lines)


def by_set(said: Figures, ious: Figures, groups: Sequence[str]) -> str:
    """What each set was promised, and what it got."""
    lines = []
    for name in sorted(set(groups)):
        own = np.array(groups) == name
        lines.append(f"{name}: {own.sum()} pictures, confidence {said[own].mean():.3f}, IoU {ious[own].mean():.3f}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", type=Path, nargs="+", help="reports of `python -m evaluation ... --out REPORT`")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="name of a model, or path of an .onnx file")
    parser.add_argument("--write", action="store_true", help="put the calibration on the model's card")
    options = parser.parse_args(arguments)
    card, path = find_card(options.model)
    found = measured(options.reports, card)
    try:
        calibration, said = calibrate(found.stable, found.ious, card.sha256)
    except ValueError as error:
        raise SystemExit(f"these pictures give no calibration: {error}") from error
    print(f"confidence of {card.name}, each picture by a curve fitted without it")
    print(table(said, found.ious))
    print(by_set(said, found.ious, found.groups))
    print(calibration)
    if options.write:
        path.with_suffix(".json").write_text(replace(card, confidence=calibration).to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
