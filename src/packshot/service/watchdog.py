"""An outer deadline for calls that wait on a socket: a server that falls silent answers no timeout of its own."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_TICK_S = 0.2


class Watchdog:
    """Shuts sockets down whose time is up, so that whoever waits on them gets an error at once.

    One thread for all of them: a timer for each call would cost as much as the call.
    """

    def __init__(self) -> None:
        self._ends: dict[object, tuple[float, int]] = {}
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, descriptor: int, seconds: float) -> Iterator[None]:
        """Watch a socket while the block runs."""
        # Its own descriptor: the driver may close the other meanwhile, and the number would be somebody else's.
        entry, mine = object(), os.dup(descriptor)
        with self._change:
            self._ends[entry] = (time.monotonic() + seconds, mine)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()
            elif len(self._ends) == 1:
                self._change.notify()
        try:
            yield
        finally:
            with self._change:
                self._ends.pop(entry, None)
                os.close(mine)

    def _run(self) -> None:
        while True:
            with self._change:
                while not self._ends:
                    self._change.wait()
                now = time.monotonic()
                for entry in [entry for entry, (ends, _) in self._ends.items() if ends <= now]:
                    _cut(self._ends.pop(entry)[1])
            time.sleep(_TICK_S)


def _cut(descriptor: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as connection:  # closes its own at the end
        connection.shutdown(socket.SHUT_RDWR)
