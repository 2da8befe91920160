"""How a batch ended."""

from __future__ import annotations

from dataclasses import dataclass

from packshot.batch.catalogue import Counts
from packshot.errors import PackshotError


@dataclass(frozen=True)
class Summary:
    """How it ended. counts: of the whole catalogue, what was finished before included. now: photos of this run.

    trouble: what made it give up, if anything.
    """

    counts: Counts
    now: int
    seconds: float
    trouble: PackshotError | None = None

    @property
    def left(self) -> int:
        """Photos that nobody has looked at yet."""
        return self.counts.wanted - self.counts.made - self.counts.failed

    @property
    def error_rate(self) -> float:
        return self.counts.failed / self.counts.wanted if self.counts.wanted else 0.0
