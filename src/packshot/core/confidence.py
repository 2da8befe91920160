"""How good a matte is likely to be, told by the network's answer alone: one that knows what it sees is seldom unsure.

One figure, stability, says all that we found to be said: eleven others, and a second and third look at the picture
mirrored and at another size, add nothing to it (decision 0018).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import numpy as np

from packshot.core.picture import Float32

THRESHOLDS = (0.1, 0.2, 0.3, 0.4)


@dataclass(frozen=True)
class Calibration:
    """What turns the stability of one network's mattes into a confidence: a logistic curve, fitted to known truths.

    sha256: of the graph that it was fitted to; no other has the same stability.
    intercept, slope: confidence = 1 / (1 + exp(-intercept - slope * stability)).
    review_below: the confidence under which the least sure tenth of the pictures lie: those to look at first.
    pictures, rank_correlation, mean_error, calibration_error, caught: how well IoU was predicted on pictures that the
    curve was not fitted to. `caught`: share of those with an IoU under 0.8 among the least sure tenth.
    """

    sha256: str
    intercept: float
    slope: float
    review_below: float
    pictures: int
    rank_correlation: float
    mean_error: float
    calibration_error: float
    caught: float

    def __post_init__(self) -> None:
        if self.slope <= 0:
            raise ValueError(f"slope {self.slope} must be positive: a stabler matte is a better one")


def stability(coarse: Float32) -> float:
    """Area at a high threshold by area at a low one, the mean over four pairs: 1 where nothing is undecided.

    Parameters: coarse, float32 (h, w) in 0..1, as the network gave it: what decides on islands and insides afterwards
    also removes what tells that it was unsure. Returns: 0..1; 0 for an empty matte.
    Source: one pair of thresholds, as in Kirillov et al. 2023, "Segment Anything", arXiv:2304.02643.
    """
    shares = [_area(coarse, 1 - low) / max(_area(coarse, low), 1) for low in THRESHOLDS]
    return sum(shares) / len(shares)


def confidence(coarse: Float32, calibration: Calibration | None) -> float | None:
    """The IoU that mattes of this stability have in the mean, in 0..1; None without a calibration.

    Parameters: coarse, float32 (h, w) in 0..1, as the network gave it; calibration, of that network.
    """
    if calibration is None:
        return None
    return 1 / (1 + exp(-calibration.intercept - calibration.slope * stability(coarse)))


def _area(coarse: Float32, threshold: float) -> int:
    return int(np.count_nonzero(coarse >= threshold))
