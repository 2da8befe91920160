"""Ctrl-C: the first asks for an end, where there is something to finish; the second makes one, whatever runs.

Python calls its own handlers in the main thread, between two steps of Python. A decoder in the main thread may run for
a minute between two steps, and Python waits at its end for threads that do. So Ctrl-C is left to the system, which
ends the process at once: a shell says 130, and 143 for SIGTERM. Outputs and journals are whole at any time: there is
nothing to put away. Only batches, and `packshot remove` of several photos, finish what is in hand at the first one.
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
        end_at_once()
        self.signal = number
        self.event.set()
        os.write(2, b"\nStopping: the photos in hand are finished. Ctrl-C again stops at once.\n")


def end_at_once() -> None:
    """From now on a SIGINT or SIGTERM ends the process."""
    # The system lets process 1 of a container live where a signal has no handler.
    handler = signal.SIG_DFL if os.getpid() != 1 else _exit
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


@contextmanager
def graceful() -> Iterator[Stop]:
    """The first SIGINT or SIGTERM asks for an end, the second ends the process."""
    stop = Stop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        signal.signal(number, stop.ask)
    try:
        yield stop
    finally:
        if not stop.signal:  # once an end was asked for, the next signal still makes one
            for number in numbers:
                signal.signal(number, before[number])


def _exit(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)
