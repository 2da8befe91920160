"""Progress of a batch on stderr: one changing line on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import shutil
import time
from collections import deque
from typing import TextIO

from packshot.batch.printable import printable
from packshot.batch.process import Outcome

_TERMINAL_S = 0.2
_ELSEWHERE_S = 10.0
_RATE_OVER = 200  # photos
# Photos per thread, and seconds, before a rate is shown: threads may all finish a photo at the same time.
_RATE_FROM, _RATE_FROM_S = 4, 3.0
_FAILURES_SHOWN = 20


class Progress:
    """Shows the progress of one round after another. at_a_time: number of photos processed at the same time."""

    def __init__(self, stream: TextIO, at_a_time: int = 1) -> None:
        self._stream, self._at_a_time = stream, at_a_time
        self._terminal = stream.isatty()
        self._said = time.monotonic()
        self._line = False
        self._count(0)

    def begin(self, text: str) -> None:
        """Show the start of a phase without a count: in the changing line, or as a separate line."""
        if self._terminal:
            self._show(text)
        else:
            self.say(text)

    def start(self, total: int) -> None:
        """Start a round of `total` photos."""
        self._count(total)
        if self._terminal and total:
            self._show(self.text())

    def _count(self, total: int) -> None:
        self._total, self._done, self._failed, self._made = total, 0, 0, 0
        self._times: deque[float] = deque(maxlen=_RATE_OVER)

    def say(self, text: str) -> None:
        """Print a separate line."""
        self.end()
        self._stream.write(f"{printable(text)}\n")
        self._stream.flush()

    def listing(self, count: int) -> None:
        """Show how many photos were found so far."""
        self._now_and_then(f"{count:,} photos found")

    def looking(self, count: int) -> None:
        """Show how many files were checked for packshot's mark."""
        self._now_and_then(f"{count:,} files with names of outputs checked")

    def step(self, outcome: Outcome) -> None:
        """Count a finished photo, and print its failure."""
        self._done += 1
        if outcome.seconds:  # photos refused before processing would distort the rate
            self._made += 1
            if self._made >= self._at_a_time:
                self._times.append(time.monotonic())
        if (failure := outcome.failure) is not None:
            self._failed += 1
            if self._failed <= _FAILURES_SHOWN:
                self.say(f"{outcome.item.source}: {failure.message} {failure.hint}".rstrip())
            if self._failed == _FAILURES_SHOWN:
                self.say("Further failures appear only in the report.")
        self._now_and_then(self.text())

    def text(self) -> str:
        """The line, such as 1,204/2,000, 3 failed, 4.1 photos per second, 3 min 14 s left."""
        rate = self.rate()
        parts = [f"{self._done:,}/{self._total:,}", f"{self._failed:,} failed"]
        if rate:
            parts += [f"{rate:.1f} photos per second", f"{duration((self._total - self._done) / rate)} left"]
        return ", ".join(parts)

    def rate(self) -> float:
        """Photos per second over the last photos; 0 if there are too few.

        Counts from the time when all threads may have finished a photo, to exclude the loading of the network.
        """
        photos = len(self._times) - 1
        if photos < _RATE_FROM * self._at_a_time:
            return 0.0
        span_s = self._times[-1] - self._times[0]
        return photos / span_s if span_s >= _RATE_FROM_S else 0.0

    def _now_and_then(self, text: str) -> None:
        if time.monotonic() - self._said >= (_TERMINAL_S if self._terminal else _ELSEWHERE_S):
            self._show(text)

    def _show(self, text: str) -> None:
        self._said = time.monotonic()
        text = printable(text)
        if self._terminal:
            self._stream.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")
            self._line = True
        else:
            self._stream.write(f"{text}\n")
        self._stream.flush()

    def end(self) -> None:
        """Remove the changing line."""
        if self._line:
            self._stream.write("\r\x1b[K")
            self._line = False


def duration(seconds: float) -> str:
    """A duration in its two largest units: 2 h 5 min, 3 min 14 s, 9 s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
