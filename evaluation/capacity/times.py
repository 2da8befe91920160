"""How long a photo takes a worker: measured, or by a formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

Times = Callable[[float, int], float]
"""A photo's seconds, from its rank among all photos (0..1) and how many are computed at the same time.

A rank rather than a random number: the same photo is the same photo in every simulation, whatever happens around it.
"""


@dataclass(frozen=True)
class Measured:
    """seconds: sorted, by the number of photos that were computed at the same time on one machine."""

    seconds: Mapping[int, Floats]

    def __call__(self, rank: float, busy: int) -> float:
        values = self.seconds[min(self.seconds, key=lambda count: abs(count - busy))]
        return float(values[int(rank * len(values))])

    @property
    def cores(self) -> int:
        """The most that were computed at once."""
        return max(self.seconds)

    def mean_s(self, busy: int) -> float:
        return float(np.mean(self.seconds[busy]))


def measured(seconds: Mapping[int, list[float]]) -> Measured:
    """Of lists in any order."""
    return Measured({count: np.sort(np.asarray(values, np.float64)) for count, values in seconds.items()})
