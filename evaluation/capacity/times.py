"""A photo's time on a worker: measured, or from a formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

Times = Callable[[float, int], float]
"""A photo's seconds, from its rank among all photos (0..1) and the number of photos in parallel.

A rank instead of a random number: the same photo then has the same cost in every simulation.
"""


@dataclass(frozen=True)
class Measured:
    """seconds: sorted, by the number of photos that ran in parallel on one machine."""

    seconds: Mapping[int, Floats]

    def __call__(self, rank: float, busy: int) -> float:
        values = self.seconds[min(self.seconds, key=lambda count: abs(count - busy))]
        return float(values[int(rank * len(values))])

    @property
    def cores(self) -> int:
        """The greatest measured number of photos in parallel."""
        return max(self.seconds)

    def mean_s(self, busy: int) -> float:
        return float(np.mean(self.seconds[busy]))


def measured(seconds: Mapping[int, list[float]]) -> Measured:
    """Measured times from lists in any order."""
    return Measured({count: np.sort(np.asarray(values, np.float64)) for count, values in seconds.items()})
