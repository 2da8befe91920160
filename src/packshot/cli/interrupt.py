"""Ctrl-C: the first asks for an end, where there is something to finish; the second makes one, whatever runs.

Python calls its own handlers in the main thread, between two steps of Python. A decoder in the main thread may run for
a minute between two steps, and Python waits at its end for threads that do. So the last Ctrl-C is left to the system,
which ends the process at once. Outputs and journals are whole at any time: there is nothing to put away.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """The end that was asked for. event: set once somebody asks for an end. signal: the one that did, or 0."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.signal = 0

    def ask(self, number: int, _frame: FrameType | None) -> None:
        """The handler of the first signal."""
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)
        self.signal = number
        self.event.set()
        os.write(2, b"\nStopping: the photos in hand are finished. Ctrl-C again stops at once.\n")


@contextmanager
def graceful() -> Iterator[Stop]:
    """The first SIGINT or SIGTERM asks for an end, the second ends the process."""
    stop = Stop()
    with _handled(stop.ask, signal.SIGINT, signal.SIGTERM):
        yield stop


@contextmanager
def at_once() -> Iterator[None]:
    """The first SIGINT ends the process."""
    with _handled(signal.SIG_DFL, signal.SIGINT):
        yield


@contextmanager
def _handled(handler: signal._HANDLER, *numbers: signal.Signals) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        signal.signal(number, handler)
    try:
        yield
    finally:
        asked = any(signal.getsignal(number) is not handler for number in numbers)
        for number in [] if asked else numbers:  # once an end was asked for, the next signal still makes one
            signal.signal(number, before[number])
