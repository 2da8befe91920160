"""Reliability of a confidence: its values against the measured quality."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Figures = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

POOR = 0.8  # IoU below which a picture needs manual work
REVIEWED = 0.1  # share of pictures that a human reviews


class Bin(NamedTuple):
    """Pictures of similar confidence: their number, range and mean of it, and results: mean IoU, share under 0.8."""

    pictures: int
    lowest: float
    highest: float
    confidence: float
    iou: float
    poor: float


def bins(confidence: Figures, iou: Figures, count: int = 10) -> list[Bin]:
    """Pictures by confidence, in `count` equal groups (deciles), the least confident first."""
    groups = np.array_split(np.argsort(confidence, kind="stable"), count)
    return [
        Bin(
            len(group),
            float(confidence[group[0]]),
            float(confidence[group[-1]]),
            float(confidence[group].mean()),
            float(iou[group].mean()),
            float((iou[group] < POOR).mean()),
        )
        for group in groups
        if len(group)
    ]


def calibration_error(confidence: Figures, iou: Figures) -> float:
    """Mean over deciles of |mean confidence - mean IoU|: 0 if each group's confidence equals its IoU."""
    return float(np.mean([abs(each.confidence - each.iou) for each in bins(confidence, iou)]))


def rank_correlation(confidence: Figures, iou: Figures) -> float:
    """Spearman's rank correlation of confidence and IoU; 0 if all values are equal."""
    ranks = _ranks(confidence), _ranks(iou)
    return float(np.corrcoef(*ranks)[0, 1]) if min(np.ptp(ranks[0]), np.ptp(ranks[1])) > 0 else 0.0


def _ranks(values: Figures) -> Figures:
    """Ranks from 0; equal values share their mean rank."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    return ((np.cumsum(counts) - 1) - (counts - 1) / 2)[group]


def reviewed(confidence: Figures) -> npt.NDArray[np.intp]:
    """The least confident tenth of the pictures."""
    return np.argsort(confidence, kind="stable")[: round(REVIEWED * len(confidence))]


def caught(confidence: Figures, iou: Figures) -> float:
    """Share of the pictures with an IoU under 0.8 that are in the least confident tenth; 1 if there is none."""
    return caught_damage(confidence, iou < POOR).share


class Caught(NamedTuple):
    """Share of the bad pictures in the least confident tenth, and its possible maximum; both 1 without bad pictures."""

    share: float
    at_most: float


def caught_damage(said: Figures, damaged: Flags) -> Caught:
    """Share of the damaged pictures (Score.damaged) found by reviewing the least confident tenth.

    Parameters: said, the confidences, float64 (n,); damaged, bool (n,).
    """
    looked_at, bad = reviewed(said), int(np.count_nonzero(damaged))
    if not bad:
        return Caught(1.0, 1.0)
    return Caught(int(np.count_nonzero(damaged[looked_at])) / bad, min(len(looked_at) / bad, 1.0))
