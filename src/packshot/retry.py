"""Retry policy and deadline for storage, downloads and the client. Needs only the standard library."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """The number of attempts, and the pauses between them.

    attempts: with the first one. first_pause_s: each further pause is `factor` times as long, up to longest_pause_s.
    jitter: each pause is multiplied by a random number from this range. Callers that failed together then retry at
    different times.
    """

    attempts: int
    first_pause_s: float
    longest_pause_s: float
    factor: float = 2.0
    jitter: tuple[float, float] = (1.0, 1.0)

    def pause_s(self, failures: int) -> float | None:
        """The pause after a number of failures in a row, from 1 on; None if no attempt is left."""
        if failures >= self.attempts:
            return None
        pause_s = min(self.longest_pause_s, self.first_pause_s * self.factor ** (failures - 1))
        return pause_s * random.uniform(*self.jitter)  # noqa: S311 - no secret

    def call(self, function: Callable[[], T], again: type[Exception]) -> T:
        """Call the function, and again after each error of type `again`. Raises the last error."""
        failures = 0
        while True:
            try:
                return function()
            except again:
                failures += 1
                if (pause_s := self.pause_s(failures)) is None:
                    raise
            time.sleep(pause_s)


class Deadline:
    """The time limit for a call with all its attempts and pauses. The seconds count from its creation."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._ends_at = now() + seconds

    def left_s(self) -> float:
        """Seconds until the deadline; 0 after it."""
        return max(0.0, self._ends_at - self._now())
