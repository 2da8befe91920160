"""One policy for trying again and one deadline: for storage, downloads and the client. Only the standard library."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """How often a call is tried, and how long the pauses between two tries are.

    attempts: with the first. first_pause_s: each further pause is `factor` times as long, up to longest_pause_s.
    jitter: a pause is multiplied by a random number between these two, so that callers that failed together do not
    come back together.
    """

    attempts: int
    first_pause_s: float
    longest_pause_s: float
    factor: float = 2.0
    jitter: tuple[float, float] = (1.0, 1.0)

    def pause_s(self, failures: int) -> float | None:
        """The pause after so many failures in a row, from 1 on; None when no attempt is left."""
        if failures >= self.attempts:
            return None
        pause_s = min(self.longest_pause_s, self.first_pause_s * self.factor ** (failures - 1))
        return pause_s * random.uniform(*self.jitter)  # noqa: S311 - no secret

    def call(self, function: Callable[[], T], again: type[Exception]) -> T:
        """The result of the function, which is called again after an error of the kind `again`. Raises the last one."""
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
    """The end of a call with all its attempts and pauses: so many seconds after the deadline was made."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._ends_at = now() + seconds

    def left_s(self) -> float:
        """Seconds until then; 0 afterwards."""
        return max(0.0, self._ends_at - self._now())
