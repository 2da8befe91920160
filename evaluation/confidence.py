"""Fit a card's confidence: `python -m evaluation.confidence REPORT ... --model NAME --write`.

REPORT is the --out file of `python -m evaluation` for that model. Several reports are pooled, with MOST pictures from
each: a curve for shops' photos must have seen such photos. The curve is logistic, from the signs of a matte
(core.confidence.Signs) to its quality: IoU, halved where a part is lost or a hole is torn, since IoU hides both. The
figures are out-of-fold: five curves, each fitted to four fifths of the pictures, predict the remaining fifth. The curve
on the card is fitted to all pictures.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evaluation.confidence_picture import svg
from evaluation.metrics import DAMAGED
from evaluation.reliability import (
    Figures,
    bins,
    calibration_error,
    caught,
    caught_damage,
    rank_correlation,
    reviewed,
)
from packshot.core.confidence import SIGNS, Calibration
from packshot.engine.card import ModelCard
from packshot.engine.weights import DEFAULT_MODEL, find_card

FOLDS = 5
EXTREME = 1e-3  # no curve reaches a quality of 0 or 1
RIDGE = 1e-3  # on the weight per standard deviation: keeps it finite where a threshold separates good from bad
MOST = 200  # pictures used from one report, evenly spaced: a large set of scenes must not outweigh products
LARGER_IS_BETTER = np.array([name == "stability" for name in SIGNS])


@dataclass(frozen=True)
class Curve:
    """quality = 1 / (1 + exp(-intercept - weights . signs)). weights: float64 (signs,), in the order of SIGNS."""

    intercept: float
    weights: Figures

    def __call__(self, signs: Figures) -> Figures:
        return logistic(self.intercept + signs @ self.weights)


def logistic(x: Figures) -> Figures:
    """1 / (1 + exp(-x)), computed by tanh, which does not overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def fit(signs: Figures, quality: Figures) -> Curve:
    """The curve with the least cross entropy, with quality as a share, by Newton's method.

    The curve's mean equals the mean quality. A sign is left out if its weight would mean that more of a fault makes a
    matte better. Source: Papke and Wooldridge 1996, "Econometric methods for fractional response variables".
    Parameters: signs, float64 (n, signs), quality, float64 (n,), in 0..1.
    """
    used = np.ones(signs.shape[1], bool)
    while True:
        curve = _fit(signs * used, quality)
        wrong = used & (np.where(LARGER_IS_BETTER, -1, 1) * curve.weights > 0)
        wrong &= ~LARGER_IS_BETTER  # the calibration rejects a stability without weight
        if not wrong.any():
            return Curve(curve.intercept, np.where(used, curve.weights, 0))
        used &= ~wrong


def _fit(signs: Figures, quality: Figures) -> Curve:
    quality = np.clip(quality, EXTREME, 1 - EXTREME)
    mean, spread = signs.mean(axis=0), np.maximum(signs.std(axis=0), 1e-6)
    design = np.hstack([np.ones((len(signs), 1)), (signs - mean) / spread])
    ridge = RIDGE * np.diag([0.0] + [1.0] * signs.shape[1])
    weights = np.zeros(design.shape[1])
    weights[0] = np.log(quality.mean() / (1 - quality.mean()))

    def loss(weights: Figures) -> float:
        logit = design @ weights
        return float((np.logaddexp(0, logit) - quality * logit).mean() + weights @ ridge @ weights / 2)

    for _ in range(50):
        said = logistic(design @ weights)
        slope = design.T @ (said - quality) / len(quality) + ridge @ weights
        bend = (design.T * (said * (1 - said))) @ design / len(quality) + ridge
        step = np.linalg.solve(bend, slope)
        # A full step overshoots where nearly all mattes are good: the curve is almost flat there.
        while np.abs(step).max() > 1e-10 and loss(weights - step) > loss(weights):
            step /= 2
        weights -= step
        if np.abs(step).max() < 1e-10:
            break
    each = weights[1:] / spread
    return Curve(float(weights[0] - each @ mean), each)


def predicted(signs: Figures, quality: Figures) -> Figures:
    """The confidence of each picture, from a curve fitted without its fifth of the pictures."""
    order = np.random.default_rng(1).permutation(len(quality))
    said = np.empty_like(quality)
    for fold in range(FOLDS):
        left_out = order[fold::FOLDS]
        others = np.setdiff1d(order, left_out)
        said[left_out] = fit(signs[others], quality[others])(signs[left_out])
    return said


@dataclass(frozen=True)
class Measured:
    """The figures from one model's reports, for pictures whose truth has foreground.

    signs: float64 (n, signs), in the order of SIGNS. ious: float64 (n,). damaged: bool (n,), whether a part is lost or
    a hole is torn. groups: the test set of each picture.
    """

    signs: Figures
    ious: Figures
    damaged: npt.NDArray[np.bool_]
    groups: list[str]

    @property
    def quality(self) -> Figures:
        return np.asarray(self.ious * np.where(self.damaged, DAMAGED, 1), np.float64)


def calibrate(found: Measured, sha256: str) -> tuple[Calibration, Figures]:
    """The calibration for a card, and the out-of-fold confidences behind its figures."""
    curve, said = fit(found.signs, found.quality), predicted(found.signs, found.quality)
    flagged = curve(found.signs)[reviewed(said)]
    calibration = Calibration(
        sha256=sha256,
        intercept=round(curve.intercept, 4),
        weights={name: round(float(each), 4) for name, each in zip(SIGNS, curve.weights, strict=True) if each},
        review_below=round(float(flagged.max()), 4),
        pictures=len(found.ious),
        rank_correlation=round(rank_correlation(said, found.quality), 4),
        mean_error=round(float(np.abs(said - found.quality).mean()), 4),
        calibration_error=round(calibration_error(said, found.quality), 4),
        caught=round(caught(said, found.ious), 4),
        caught_damage=round(caught_damage(said, found.damaged).share, 4),
    )
    return calibration, said


def measured(reports: Sequence[Path], card: ModelCard) -> Measured:
    """Raises: SystemExit if a report is for another file or side, or if the pictures are too few."""
    pictures = []
    for path in reports:
        report = json.loads(path.read_text(encoding="utf-8"))
        if (report["model"]["sha256"], report["model"]["side_px"]) != (card.sha256, card.input.side_px):
            raise SystemExit(f"{path} was measured with another file than {card.file}, or at another side")
        own = [each for each in report["pictures"] if each["iou"] is not None and each["signs"]]
        pictures += [own[round(at)] for at in np.linspace(0, len(own) - 1, min(MOST, len(own)))]
    if len(pictures) < 10 * FOLDS:
        raise SystemExit(f"{len(pictures)} pictures are too few: give at least {10 * FOLDS}")
    return Measured(
        np.array([[each["signs"][name] for name in SIGNS] for each in pictures]),
        np.array([each["iou"] for each in pictures]),
        np.array([each["parts_lost"] + each["holes_torn"] > 0 for each in pictures]),
        [each["strata"][0] for each in pictures],
    )


def table(said: Figures, found: Measured) -> str:
    """The reliability table: tenths of the pictures, the least confident first."""
    lines = ["pictures  confidence     mean  quality  under .80"]
    for each in bins(said, found.quality):
        span = f"{each.lowest:.3f}-{each.highest:.3f}"
        lines.append(f"{each.pictures:8}  {span}  {each.confidence:.3f}    {each.iou:.3f}      {each.poor:.3f}")
    bad = caught_damage(said, found.damaged)
    lines.append(
        f"of {found.damaged.sum()} damaged, the first tenth holds {bad.share:.3f} of at most {bad.at_most:.3f}"
    )
    return "\n".join(lines)


def by_set(said: Figures, found: Measured) -> str:
    """The mean confidence and the mean quality of each set."""
    lines = []
    for name in sorted(set(found.groups)):
        own = np.array(found.groups) == name
        promised, got = said[own].mean(), found.quality[own].mean()
        lines.append(f"{name}: {own.sum()} pictures, confidence {promised:.3f}, quality {got:.3f}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", type=Path, nargs="+", help="reports of `python -m evaluation ... --out REPORT`")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="name of a model, or path of an .onnx file")
    parser.add_argument("--picture", type=Path, help="write the reliability as an SVG")
    parser.add_argument("--write", action="store_true", help="write the calibration to the model's card")
    options = parser.parse_args(arguments)
    card, path = find_card(options.model)
    found = measured(options.reports, card)
    try:
        calibration, said = calibrate(found, card.sha256)
    except ValueError as error:
        raise SystemExit(f"no calibration from these pictures: {error}") from error
    print(f"confidence of {card.name}, each picture by a curve fitted without it")
    print(table(said, found))
    print(by_set(said, found))
    print(calibration)
    if options.picture:
        alone = predicted(found.signs * LARGER_IS_BETTER, found.ious)
        ways = {"this confidence": said, "stability alone": alone}
        options.picture.write_text(svg(said, found.quality, ways, found.damaged), encoding="utf-8")
    if options.write:
        path.with_suffix(".json").write_text(replace(card, confidence=calibration).to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
