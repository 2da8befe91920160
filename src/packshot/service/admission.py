"""Who may compute now: worker slots, and a queue of limited length before them."""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from packshot.errors import QueueFull, ShuttingDown

T = TypeVar("T")
FIRST_RETRY_S = 2  # the advice while nothing has been measured yet, and to those who come during a drain
LONGEST_RETRY_S = 60


class Admission:
    """Runs work on as many threads as there are workers and lets `queue_limit` requests wait for one.

    A thread cannot be stopped. So a slot is free when its thread has ended, not when its request has given up: what
    `running` says is what the processors do. A request that gives up while it waits is never computed.
    All of it belongs to one event loop.

    queued: requests that wait for a worker. running: threads at work, those whose request has given up among them.
    draining: whether new work is refused.
    """

    def __init__(self, workers: int, queue_limit: int) -> None:
        self.queued = self.running = 0
        self.draining = False
        self._workers = workers
        self._queue_limit = queue_limit
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="worker")
        self._slots = asyncio.Semaphore(workers)
        self._durations_s: deque[float] = deque(maxlen=32)
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` on a worker thread, with this task's context variables. The caller sets a deadline around it.

        Raises
        ------
        ShuttingDown, QueueFull
            At once; nothing was computed.
        """
        self.refuse_or_pass()
        await self._wait_for_slot()
        return await asyncio.shield(self._start(work))

    def close(self) -> None:
        """Refuse new work from now on."""
        self.draining = True

    async def drain(self) -> None:
        """Refuse new work from now on, and return when all that was let in has ended."""
        self.close()
        await self._idle.wait()
        self._threads.shutdown(wait=False)

    def refuse_or_pass(self) -> None:
        """Raise what `run` would raise at once. Asked before a photo is read, for there is no need to read it then."""
        if self.draining:
            raise ShuttingDown(
                "The service is shutting down.", retry_after_s=FIRST_RETRY_S, hint="Send it again in a moment."
            )
        if self.running + self.queued >= self._workers + self._queue_limit:
            retry_after_s = self._retry_after_s()
            raise QueueFull(
                "The service has as much work as it can hold.",
                retry_after_s=retry_after_s,
                hint=f"Send it again in {retry_after_s} s.",
            )

    def _retry_after_s(self) -> int:
        """When those who are here now will have left, by what recent work took."""
        if not self._durations_s:
            return FIRST_RETRY_S
        each_s = sum(self._durations_s) / len(self._durations_s)
        ahead = self.running + self.queued
        return min(max(1, math.ceil(each_s * ahead / self._workers)), LONGEST_RETRY_S)

    async def _wait_for_slot(self) -> None:
        self.queued += 1
        self._idle.clear()
        try:
            await self._slots.acquire()
            self.running += 1
        finally:
            self.queued -= 1
            self._note_idle()

    def _start(self, work: Callable[[], T]) -> asyncio.Future[T]:
        context = contextvars.copy_context()  # so that the thread's log lines carry the request's id
        started_s = time.monotonic()
        try:
            future = asyncio.get_running_loop().run_in_executor(self._threads, context.run, _guarded, work)
        except RuntimeError:  # the system grants no thread now; it may for the next
            self._leave()
            raise
        future.add_done_callback(lambda done: self._ended(done, started_s))
        return future

    def _ended(self, done: asyncio.Future[T], started_s: float) -> None:
        done.exception()  # seen: when the request has given up, nobody else will look at it
        self._durations_s.append(time.monotonic() - started_s)
        self._leave()

    def _leave(self) -> None:
        self.running -= 1
        self._slots.release()
        self._note_idle()

    def _note_idle(self) -> None:
        if not self.running and not self.queued:
            self._idle.set()


def _guarded(work: Callable[[], T]) -> T:
    """The work, without its SystemExit: raised in a task of the event loop, that would end the whole process."""
    try:
        return work()
    except (SystemExit, KeyboardInterrupt) as error:
        raise RuntimeError("a worker tried to end the process") from error
