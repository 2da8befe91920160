"""Fit a card's confidence: `python -m evaluation.confidence --pairs DATA --split val --write`, or FOLDER, or both.

A logistic curve from the stability of the coarse matte (packshot.core.confidence) to the IoU of the matte that comes of
it. The figures are those of pictures that a curve was not fitted to: five curves, each from four fifths, predict the
fifth that is left out. The curve on the card is fitted to all. --write updates the card beside the .onnx file; --also
adds folders of pairs, for a curve that holds for what a shop sends must have seen some.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evaluation.metrics import iou
from evaluation.pairs import Pair, from_folder
from evaluation.reliability import Figures, bins, calibration_error, caught, rank_correlation, reviewed
from evaluation.run import load, parse, source_of, source_parser, title_of
from packshot.core.confidence import Calibration, stability
from packshot.core.picture import Float32
from packshot.engine.find import find_matte
from packshot.engine.network import Network
from packshot.engine.weights import find_card

FOLDS = 5
EXTREME = 1e-3  # no curve reaches an IoU of 0 or 1
RIDGE = 1e-3  # on the slope per standard deviation: keeps it finite where a threshold divides good from bad


@dataclass(frozen=True)
class Curve:
    """confidence = 1 / (1 + exp(-intercept - slope * stability))."""

    intercept: float
    slope: float

    def __call__(self, stable: Figures) -> Figures:
        return 1 / (1 + np.exp(-self.intercept - self.slope * stable))


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
    for _ in range(50):
        said = 1 / (1 + np.exp(-design @ weights))
        slope = design.T @ (said - ious) / len(ious) + ridge @ weights
        bend = (design.T * (said * (1 - said))) @ design / len(ious) + ridge
        step = np.linalg.solve(bend, slope)
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


class Listening:
    """A network that keeps the stability of what it said last; one for each picture at a time."""

    def __init__(self, network: Network) -> None:
        self.card, self._network = network.card, network
        self.stability = 0.0

    def predict(self, rgb: Float32) -> Float32:
        coarse = self._network.predict(rgb)
        self.stability = stability(coarse)
        return coarse


def measure(network: Network, pairs: Sequence[Pair], threads: int) -> tuple[Figures, Figures, list[str]]:
    """Stability, IoU and set of each picture whose truth has foreground."""

    def one(pair: Pair) -> tuple[float, float, str] | None:
        example, listening = pair.load(), Listening(network)
        truth = example.truth >= 0.5
        matte = find_matte(example.picture, listening).matte
        return (listening.stability, iou(matte >= 0.5, truth), pair.group) if truth.any() else None

    with ThreadPoolExecutor(threads) as pool:
        found = [each for each in pool.map(one, pairs) if each is not None]
    if len(found) < 10 * FOLDS:
        raise SystemExit(f"{len(found)} pictures are too few: give at least {10 * FOLDS}")
    stable, ious, groups = zip(*found, strict=True)
    return np.array(stable), np.array(ious), list(groups)


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
    parser = source_parser(__doc__)
    parser.add_argument("--also", type=Path, nargs="+", default=[], help="more folders of pairs")
    parser.add_argument("--write", action="store_true", help="put the calibration on the model's card")
    options = parse(parser, arguments)
    network = load(options.model)
    with source_of(options) as source:
        more = [pair for folder in options.also for pair in from_folder(folder).pairs]
        stable, ious, groups = measure(network, [*source.pairs, *more], options.threads)
    try:
        calibration, said = calibrate(stable, ious, network.card.sha256)
    except ValueError as error:
        raise SystemExit(f"these pictures give no calibration: {error}") from error
    print(f"{title_of(options)}: confidence of {network.card.name}, each picture by a curve fitted without it")
    print(table(said, ious))
    print(by_set(said, ious, groups))
    print(calibration)
    if options.write:
        card, path = find_card(options.model)
        path.with_suffix(".json").write_text(replace(card, confidence=calibration).to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
