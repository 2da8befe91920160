"""Who does the work: an engine takes items and gives outcomes, in whatever order they come.

All of them call `process(item, settings)`; the driver in run.py neither knows nor cares where.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol

from packshot.batch.naming import Item
from packshot.batch.process import BatchSettings, Outcome, process


class Engine(Protocol):
    """Does the work of a batch."""

    def outcomes(self, items: Iterator[Item], settings: BatchSettings, stop: threading.Event) -> Iterator[Outcome]:
        """One outcome for each item that was begun.

        Items are taken when there is room for them: never more than a fixed number is in hand, of millions. Once
        `stop` is set none is begun any more, and those in hand are finished.
        """
        ...


class LocalEngine:
    """Threads of this process around one network: all that takes time releases the interpreter's lock."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def outcomes(self, items: Iterator[Item], settings: BatchSettings, stop: threading.Event) -> Iterator[Outcome]:
        running: set[Future[Outcome]] = set()
        with ThreadPoolExecutor(self.jobs, thread_name_prefix="photo") as pool:
            while True:
                # Twice as many as are worked on: a thread that is done never waits for the listing.
                while len(running) < 2 * self.jobs and not stop.is_set() and (item := next(items, None)) is not None:
                    running.add(pool.submit(process, item, settings))
                if stop.is_set():
                    running = {future for future in running if not future.cancel()}
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
