"""The field's standard measures for a matte against a binary truth: F over all thresholds, weighted F, S and E.

Implemented from the papers, and equal to pysodmetrics with normalize=False to 1e-9 (tests/evaluation/test_field.py
checks this). Nothing is rescaled. That library's default first scales every matte to 0..1 by its own extremes, which
turns an uncertain network, or a haze over the whole picture, into a perfect score.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt  # type: ignore[import-untyped]  # comes with pysodmetrics

Mask = npt.NDArray[np.bool_]
Matte = npt.NDArray[np.float64]
Curve = npt.NDArray[np.float64]

F_BETA_SQUARED = 0.3  # Achanta et al. 2009: precision counts more
NEAR = cv2.getGaussianKernel(7, 5)  # Margolin et al. 2014: reach of an error inside the object, px
FADE_PX = 5.0  # as above: distance from the object at which an error's weight is half way to its maximum
TINY = float(np.spacing(1))


@dataclass(frozen=True)
class Levels:
    """Pixels that reach each of 256 thresholds, from 1 down to 0, inside and outside the true foreground."""

    hits: Curve
    false_alarms: Curve
    foreground: int
    background: int


def levels(matte: Matte, truth: Mask) -> Levels:
    """The counts for F and E at every threshold. matte (H, W) in 0..1, truth (H, W)."""
    steps = (matte * 255).astype(np.uint8)
    hits = np.bincount(steps[truth], minlength=256)
    every = np.bincount(steps.reshape(-1), minlength=256)
    foreground = int(hits.sum())
    return Levels(
        hits=np.cumsum(hits[::-1]).astype(np.float64),
        false_alarms=np.cumsum((every - hits)[::-1]).astype(np.float64),
        foreground=foreground,
        background=truth.size - foreground,
    )


def f_curve(at: Levels) -> Curve:
    """F measure, beta^2 = 0.3 (Achanta et al. 2009), at 256 thresholds from 1 down to 0."""
    precision = at.hits / np.maximum(at.hits + at.false_alarms, 1)
    recall = at.hits / at.foreground
    weighted = F_BETA_SQUARED * precision + recall
    return np.asarray((1 + F_BETA_SQUARED) * precision * recall / np.where(weighted > 0, weighted, 1))


def e_measure(at: Levels) -> float:
    """Enhanced-alignment measure (Fan et al. 2018), the mean over the 256 thresholds.

    Compares binary masks, less their means, pixel by pixel. Only four kinds of pixel exist, so counts suffice.
    """
    size, kept = at.foreground + at.background, at.hits + at.false_alarms
    if not at.background:
        return float((kept / (size - 1 + TINY)).mean())
    mean, mean_truth = kept / size, at.foreground / size
    kinds = (
        (at.hits, 1 - mean, 1 - mean_truth),
        (at.false_alarms, 1 - mean, -mean_truth),
        (at.foreground - at.hits, -mean, 1 - mean_truth),
        (at.background - at.false_alarms, -mean, -mean_truth),
    )
    aligned = sum(count * (2 * a * b / (a**2 + b**2 + TINY) + 1) ** 2 / 4 for count, a, b in kinds)
    return float(np.mean(aligned / (size - 1 + TINY)))


def s_measure(matte: Matte, truth: Mask) -> float:
    """Structure measure (Fan et al. 2017), alpha 1/2: similarity of the object and of the quarters round its centre."""
    share = float(truth.mean())
    if share == 1:
        return float(matte.mean())
    objects = share * _likeness(matte[truth]) + (1 - share) * _likeness(1 - matte[~truth])
    return max(0.0, (objects + _quarters(matte, truth)) / 2)


def _likeness(values: Matte) -> float:
    """How close a region's values are to a uniform 1."""
    mean = float(values.mean())
    spread = float(values.std(ddof=1)) if values.size > 1 else 0.0
    return 2 * mean / (mean**2 + 1 + spread + TINY)


def _quarters(matte: Matte, truth: Mask) -> float:
    """Structural similarity of the four parts that meet at the object's centre, weighted by their areas."""
    moments = cv2.moments(truth.view(np.uint8), binaryImage=True)
    x, y = (round(moments[name] / moments["m00"]) + 1 for name in ("m10", "m01"))
    parts = [(rows, columns) for rows in (slice(0, y), slice(y, None)) for columns in (slice(0, x), slice(x, None))]
    return sum(truth[part].size * _similarity(matte[part], truth[part]) for part in parts) / truth.size


def _similarity(matte: Matte, truth: Mask) -> float:
    """Structural similarity of two regions, each as a single window."""
    size = matte.size
    if not size:
        return 0.0
    mean, mean_truth = float(matte.mean()), float(truth.mean())
    variance = size * float(matte.var())
    variance_truth = size * mean_truth * (1 - mean_truth)
    # A uniform truth has covariance 0: otherwise one rounding residue would be divided by another.
    covariance = float(matte[truth].sum()) - size * mean * mean_truth if 0 < mean_truth < 1 else 0.0
    above = 4 * mean * mean_truth * covariance
    below = (mean**2 + mean_truth**2) * (variance + variance_truth)
    return above / below if below else 1.0


def weighted_f(matte: Matte, truth: Mask) -> float:
    """Weighted F (Margolin et al. 2014), beta 1: an error counts less next to correct pixels, and more at a distance.

    Inside the object, an error is at most the Gaussian mean of its neighbourhood, where pixels outside count with the
    error of the nearest pixel inside. Outside, its weight grows with the distance, from 1 to 2.
    """
    distance, nearest = distance_transform_edt(~truth, return_indices=True)
    error = np.abs(matte - truth)
    around = cv2.sepFilter2D(error[nearest[0], nearest[1]], -1, NEAR, NEAR, borderType=cv2.BORDER_CONSTANT)
    inside = np.minimum(error, around)[truth]
    outside = error[~truth] * (2 - np.exp2(-distance[~truth] / FADE_PX))
    hits = inside.size - float(inside.sum())
    recall, precision = 1 - float(inside.mean()), hits / (hits + float(outside.sum()) + TINY)
    return float(2 * recall * precision / (recall + precision + TINY))
