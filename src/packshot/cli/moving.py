"""The moving progress line of `packshot remove` at a terminal. Imported only when such a line is shown."""

from __future__ import annotations

import sys

from packshot.batch.listing import Item
from packshot.batch.process import Outcome
from packshot.batch.progress import Progress
from packshot.cli.terminal import about
from packshot.errors import PackshotError


class MovingLine(Progress):
    """Progress for a command without a report: prints a line for every failure."""

    def __init__(self, total: int) -> None:
        super().__init__(sys.stderr)
        self.start(total)

    def made(self, name: str, took_s: float) -> None:
        """A photo was made."""
        self.step(Outcome(Item(name, "", 0, "", ""), seconds=took_s))

    def failed(self, name: str, error: PackshotError) -> None:
        """A photo failed."""
        self.say(about(name, error))
        self._failed += 1
        self.step(Outcome(Item(name, "", 0, "", "")))
