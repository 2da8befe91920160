"""Confidence: the expected quality of a matte, from signs in the network's output and in the picture.

A network that recognises its input is seldom unsure, so stability is the strongest sign. It fails where the network is
sure and wrong. There the picture helps: an outline through a smooth surface, a plain ground that contradicts the matte,
a product that is cut straight through (decision 0039).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import exp, hypot, sqrt

import cv2
import numpy as np

from packshot.core.geometry import Box
from packshot.core.picture import Float32, UInt8
from packshot.core.resample import size_of

THRESHOLDS = (0.1, 0.2, 0.3, 0.4)

STEP_LEVELS = 12
"""Of 255. An outline is unseen where the picture changes by less within two pixels on either side."""

PIECE = 0.03
"""Share of the product from which a piece is examined on its own."""

MOST_PIECES = 6
"""More pieces are a set of separate objects."""

STRAIGHT = 0.9
"""Share by which two pieces must overlap along a cut, and fill it, to have been one."""

DEPTH = 0.05
"""Depth of a piece's end, as a share of its width. A cut that is tilted by less than this is straight."""

SAME_COLOUR = 40
"""Largest difference in levels between the mean colours of two pieces that may have been one."""


@dataclass(frozen=True)
class Signs:
    """Signs of a matte's quality, all in 0..1. All but the first are faults.

    stability: of the network's output, 1 if nothing is undecided.
    unseen: share of the outline where the picture shows no edge.
    scene: 1 if the ground is not plain, so that only the network can find the product.
    contested: share of the product on which a plain ground and the network disagree without either being sure. Given as
    its square root, since the first percent says the most.
    cut: whether two pieces look like one product that a strip like the ground cuts straight through.
    """

    stability: float
    unseen: float = 0.0
    scene: float = 0.0
    contested: float = 0.0
    cut: float = 0.0

    def values(self) -> dict[str, float]:
        return asdict(self)


SIGNS = tuple(each.name for each in fields(Signs))


@dataclass(frozen=True)
class Calibration:
    """Turns the signs of one network's mattes into a confidence: a logistic curve, fitted to ground truth.

    sha256: of the graph that it was fitted to; another graph has other signs.
    intercept, weights: confidence = 1 / (1 + exp(-intercept - sum of weight * sign)).
    review_below: confidence of the least sure tenth of the pictures, which should be reviewed first.
    pictures, rank_correlation, mean_error, calibration_error, caught, caught_damage: accuracy on pictures outside the
    fit. `caught`: share of the pictures with an IoU under 0.8 that are in the least sure tenth. `caught_damage`: the
    same for pictures with a lost part or a torn hole.
    """

    sha256: str
    intercept: float
    weights: Mapping[str, float]
    review_below: float
    pictures: int
    rank_correlation: float
    mean_error: float
    calibration_error: float
    caught: float
    caught_damage: float

    def __post_init__(self) -> None:
        if unknown := sorted(self.weights.keys() - set(SIGNS)):
            raise ValueError(f"weights of unknown signs: {', '.join(unknown)}")
        if self.weights.get("stability", 0) <= 0:
            raise ValueError("the weight of stability must be positive: a more stable matte is better")
        if harmful := sorted(name for name, weight in self.weights.items() if name != "stability" and weight > 0):
            raise ValueError(f"the weight of {', '.join(harmful)} must not be positive: it is a fault")


def confidence(signs: Signs, calibration: Calibration | None) -> float | None:
    """Returns the mean quality of mattes with these signs, in 0..1; None without a calibration.

    Quality is IoU, halved if a part is lost or a hole is torn.
    """
    if calibration is None:
        return None
    values = signs.values()
    score = calibration.intercept + sum(weight * values[name] for name, weight in calibration.weights.items())
    return 1 / (1 + exp(-score))


def find_signs(answer: Float32, matte: Float32, seen: Float32, contested: Float32 | None = None) -> Signs:
    """Returns the signs of a matte.

    Parameters: answer, float32 in 0..1, the raw network output for the whole picture, since postprocessing and a second
    look hide its doubts; matte, float32 (h, w), the finished one at the network's size; seen, float32 (h, w, 3) in
    0..255; contested, float32 (h, w), for a plain ground (core.plain_ground.Settled).
    """
    product = (matte >= 0.5).view(np.uint8)
    area = int(np.count_nonzero(product))
    scene = float(contested is None)
    if not area:
        return Signs(stability(answer), scene=scene)
    share = 0.0 if contested is None else min(1.0, float(contested.sum()) / area)
    return Signs(stability(answer), _unseen(product, seen), scene, sqrt(share), float(_is_cut(product, seen)))


def stability(answer: Float32) -> float:
    """Returns the area above a high threshold divided by that above a low one, the mean over four pairs. 1 if nothing
    is undecided.

    Parameters: answer, float32 (h, w) in 0..1, the raw network output. Returns: 0..1; 0 for an empty matte.
    Source: one pair of thresholds, as in Kirillov et al. 2023, "Segment Anything", arXiv:2304.02643.
    """
    shares = [_area(answer, 1 - low) / max(_area(answer, low), 1) for low in THRESHOLDS]
    return sum(shares) / len(shares)


def _area(coarse: Float32, threshold: float) -> int:
    return int(np.count_nonzero(coarse >= threshold))


def _unseen(product: UInt8, seen: Float32) -> float:
    """Returns the share of the outline where the picture changes by less than STEP_LEVELS within two pixels."""
    outline = product - cv2.erode(product, np.ones((3, 3), np.uint8), borderValue=1)
    left, top, width, height = cv2.boundingRect(outline)
    if not width:
        return 0.0
    part = Box(left, top, left + width, top + height)
    reach = Box(left - 2, top - 2, left + width + 2, top + height + 2).within(Box.full(size_of(seen)))
    around, levels = np.ones((5, 5), np.uint8), seen[reach.slices].astype(np.uint8)
    change = cv2.subtract(cv2.dilate(levels, around), cv2.erode(levels, around))
    red, green, blue = cv2.split(change[part.moved(-reach.left, -reach.top).slices])
    seen_on = cv2.threshold(cv2.max(cv2.max(red, green), blue), STEP_LEVELS - 1, 1, cv2.THRESH_BINARY)[1]
    outline = outline[part.slices]
    return 1 - cv2.countNonZero(cv2.bitwise_and(seen_on, outline)) / cv2.countNonZero(outline)


def _is_cut(product: UInt8, seen: Float32) -> bool:
    """Whether two pieces of one colour face each other along straight cuts of one width, like a can around its
    label."""
    count, label = cv2.connectedComponents(product, connectivity=8)  # a seventh of the time of the one with statistics
    if count <= 2:  # the background and one piece
        return False
    areas = np.bincount(label.reshape(-1), minlength=count)[1:]
    large = np.flatnonzero(areas >= PIECE * areas.sum()) + 1
    if not 2 <= len(large) <= MOST_PIECES:
        return False
    pieces = [np.argwhere(label == each)[:, ::-1].astype(np.float32) for each in large]
    colours = [seen[label == each].mean(axis=0) for each in large]
    return any(
        np.abs(colours[i] - colours[j]).max() <= SAME_COLOUR and _faces(pieces[i], pieces[j])
        for i in range(len(large))
        for j in range(i)
    )


def _faces(one: Float32, other: Float32) -> bool:
    """Whether two pieces, float32 (n, 2) of x and y, end in straight cuts of one width that face each other."""
    (_, (width, height), angle) = cv2.minAreaRect(np.concatenate([one, other]))
    if not width or not height:
        return False
    turn = np.deg2rad(angle)
    cos, sin = np.cos(turn), np.sin(turn)
    both = [each @ np.array([[cos, -sin], [sin, cos]], np.float32) for each in (one, other)]
    return any(_ends_meet(*(each[:, ::step] for each in both)) for step in (1, -1))


def _ends_meet(one: Float32, other: Float32) -> bool:
    """Whether two pieces meet along the first axis: one lies before the other, and both are as wide at the gap as
    anywhere."""
    first, second = sorted((one, other), key=lambda piece: float(piece[:, 0].mean()))
    gap = float(second[:, 0].min() - first[:, 0].max())
    if gap < 2:
        return False
    widest = max(float(np.ptp(each[:, 1])) for each in (first, second))
    depth = max(3, DEPTH * widest)
    ends = [first[first[:, 0] > first[:, 0].max() - depth, 1], second[second[:, 0] < second[:, 0].min() + depth, 1]]
    spans = [(float(end.min()), float(end.max())) for end in ends]
    overlap = min(spans[0][1], spans[1][1]) - max(spans[0][0], spans[1][0])
    return overlap >= STRAIGHT * widest > 0 and gap <= 2 * hypot(widest, widest)
