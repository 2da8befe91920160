"""Ctrl-C: the first one finishes the photos in progress, the second one ends the process at once.

Python runs signal handlers in the main thread, between two bytecode steps. A decoder may run for a minute between two
steps, and at exit Python waits for threads that run such a decoder. So the system handles Ctrl-C and ends the process
at once: the exit code is 130, and 143 for SIGTERM. Outputs and journals are consistent at any time, so no cleanup is
needed. Only batches, and `packshot remove` of several photos, finish the photos in progress at the first Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """A stop request. event: set on the first signal. signal: the number of that signal, or 0."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.signal = 0

    def ask(self, number: int, _frame: FrameType | None) -> None:
        """The handler of the first signal."""
        end_at_once()
        self.signal = number
        self.event.set()
        os.write(2, b"\nStopping after the photos in progress. Press Ctrl-C again to stop at once.\n")


def end_at_once() -> None:
    """Let the next SIGINT or SIGTERM end the process."""
    # For process 1 of a container, the system ignores a signal without a handler.
    handler = signal.SIG_DFL if os.getpid() != 1 else _exit
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


@contextmanager
def graceful() -> Iterator[Stop]:
    """In this context, the first SIGINT or SIGTERM requests a stop, and the second ends the process."""
    stop = Stop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        signal.signal(number, stop.ask)
    try:
        yield stop
    finally:
        if not stop.signal:  # after a stop request, the next signal must still end the process
            for number in numbers:
                signal.signal(number, before[number])


def _exit(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)
