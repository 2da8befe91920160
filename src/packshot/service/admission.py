"""Admission to the workers: worker slots, and a queue of limited length that is fair to keys."""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from packshot.errors import QueueFull, ShuttingDown

T = TypeVar("T")
FIRST_RETRY_S = 2  # Retry-After before any work was measured, and during a drain
LONGEST_RETRY_S = 60
LARGE_BYTES = 400 << 20
"""Work that needs more memory is large: it takes seconds. 400 MiB is a cutout of 16 megapixels."""
LOOKOUTS = 2
"""Threads that read headers: with two, one file cannot block all others."""
BACKGROUND = "background"
"""The common key of all background work."""
BACKGROUND_WAITS_S = 5.0
"""Longest time for which requests overtake background work. The limit ensures progress under any load."""
REQUESTS_COME_S = 2.0
"""Time after a request for which background work leaves one worker free, because another request may follow."""
IN_USE_S = 600.0
"""Time for which a key counts as in use: large work of another key then leaves one worker free."""


@dataclass(eq=False)
class _Waiter:
    """One request that waits for a worker. turn: done when the request may start."""

    key: str
    memory_bytes: int
    background: bool = False
    came_s: float = field(default_factory=time.monotonic)
    turn: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def is_large(self) -> bool:
        return self.memory_bytes > LARGE_BYTES


class Admission:
    """Runs work on one thread per worker and lets up to `queue_limit` requests wait.

    The key with the least running work comes first, then the oldest request. All large work shares `memory_bytes`.
    While a second key is in use, large work leaves one worker free for other work. So one caller's slow photos cannot
    block another caller.

    Background work takes no place in the queue and is never rejected because the queue is full. Requests overtake it
    for BACKGROUND_WAITS_S; after that, all background work together counts as one key. While requests come, it leaves
    one worker to them.

    A thread cannot be stopped. So a slot is free when its thread has ended, not when its request has given up. A
    request that gives up while waiting is never computed. One instance belongs to one event loop.

    running: busy threads, including those of requests that gave up. draining: whether new work is refused.
    """

    def __init__(self, workers: int, queue_limit: int, memory_bytes: int = 1 << 40) -> None:
        self.running = 0
        self.draining = False
        self._closed_s = 0.0
        self._workers = workers
        self._queue_limit = queue_limit
        self._memory_bytes = memory_bytes
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="worker")
        self._lookouts = ThreadPoolExecutor(LOOKOUTS, thread_name_prefix="lookout")
        self._looking = 0
        self._behind = 0
        self._requested_s = -math.inf
        self._waiting: list[_Waiter] = []
        self._at_work: list[_Waiter] = []
        self._came_s: dict[str, float] = {}  # of the two keys that came last
        self._durations_s: deque[float] = deque(maxlen=32)
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def queued(self) -> int:
        """The number of requests that wait for a worker or whose header is being read."""
        return len(self._waiting) + self._looking

    @property
    def draining_s(self) -> float:
        """Seconds since new work has been refused; 0 while it is accepted."""
        return time.monotonic() - self._closed_s if self.draining else 0.0

    async def look(self, work: Callable[[], T], *, background: bool = False) -> T:
        """Run a short task before the work: reading a header, which takes milliseconds for any photo.

        Raises
        ------
        ShuttingDown, QueueFull
            At once; the task did not run.
        """
        self._refuse_drained() if background else self.refuse_or_pass()
        self._looking += 1
        self._behind += background
        self._idle.clear()
        try:
            return await asyncio.shield(self._on(self._lookouts, work))
        finally:
            self._looking -= 1
            self._behind -= background
            self._note_idle()

    async def run(self, work: Callable[[], T], *, key: str = "", memory_bytes: int = 0, background: bool = False) -> T:
        """Run `work` on a worker thread, with this task's context variables. The caller sets the deadline.

        key: the owner of the work. memory_bytes: the most that the work can use. background: whether no client waits.

        Raises
        ------
        ShuttingDown, QueueFull
            At once; the work did not run.
        """
        self._refuse_drained() if background else self.refuse_or_pass()
        waiter = _Waiter(BACKGROUND if background else key, memory_bytes, background)
        self._note_key(waiter.key)
        if not background:
            self._requested_s = time.monotonic()
        self._behind += background
        self._waiting.append(waiter)
        self._idle.clear()
        self._let_in()
        try:
            await waiter.turn
        except asyncio.CancelledError:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
                self._behind -= waiter.background
                self._let_in()  # this waiter may have blocked others
                self._note_idle()
            else:
                self._leave(waiter)
            raise
        return await asyncio.shield(self._start(work, waiter))

    def close(self) -> None:
        """Refuse new work from now on."""
        if not self.draining:
            self.draining, self._closed_s = True, time.monotonic()

    async def drain(self) -> None:
        """Refuse new work from now on, and return when all accepted work has ended."""
        self.close()
        await self._idle.wait()
        self._threads.shutdown(wait=False)
        self._lookouts.shutdown(wait=False)

    def refuse_or_pass(self) -> None:
        """Raise the errors that `run` would raise at once. Called before a photo's body is read, to save reading it."""
        self._refuse_drained()
        if self.running + self.queued - self._behind >= self._workers + self._queue_limit:
            retry_after_s = self._retry_after_s()
            raise QueueFull(
                "The service has no room for more work.",
                retry_after_s=retry_after_s,
                hint=f"Send the request again in {retry_after_s} s.",
            )

    def _refuse_drained(self) -> None:
        if self.draining:
            raise ShuttingDown(
                "The service is shutting down.", retry_after_s=FIRST_RETRY_S, hint="Send the request again in a moment."
            )

    def _retry_after_s(self) -> int:
        """Estimated seconds until all present work is done, from the durations of recent work."""
        if not self._durations_s:
            return FIRST_RETRY_S
        each_s = sum(self._durations_s) / len(self._durations_s)
        ahead = self.running + self.queued
        return min(max(1, math.ceil(each_s * ahead / self._workers)), LONGEST_RETRY_S)

    def _note_key(self, key: str) -> None:
        self._came_s.pop(key, None)
        self._came_s[key] = time.monotonic()
        if len(self._came_s) > 2:
            del self._came_s[next(iter(self._came_s))]

    def _others_come(self, key: str) -> bool:
        now_s = time.monotonic()
        return any(other != key and now_s - came_s < IN_USE_S for other, came_s in self._came_s.items())

    def _let_in(self) -> None:
        """Give the free workers to the next waiters."""
        while self.running < self._workers:
            waiter = next(self._fitting(), None)
            if waiter is None:
                return
            self._waiting.remove(waiter)
            self._at_work.append(waiter)
            self.running += 1
            waiter.turn.set_result(None)

    def _fitting(self) -> Iterator[_Waiter]:
        """The waiters that may start now, in order. Large work never overtakes large work: the largest would starve."""
        running, now_s = Counter(each.key for each in self._at_work), time.monotonic()
        large_too, requests_come = True, now_s - self._requested_s < REQUESTS_COME_S

        def turn(each: _Waiter) -> tuple[bool, int]:
            return each.background and now_s - each.came_s < BACKGROUND_WAITS_S, running[each.key]

        for waiter in sorted((each for each in self._waiting if not each.turn.cancelled()), key=turn):
            if waiter.background and requests_come and running[BACKGROUND] >= self._workers - 1 > 0:
                continue  # waits until running work ends
            if not waiter.is_large or (large_too and self._has_room_for(waiter)):
                yield waiter
            else:
                large_too = False

    def _has_room_for(self, waiter: _Waiter) -> bool:
        large = [each for each in self._at_work if each.is_large]
        if large and sum(each.memory_bytes for each in large) + waiter.memory_bytes > self._memory_bytes:
            return False
        return len(large) < self._workers - 1 or not large or not self._others_come(waiter.key)

    def _start(self, work: Callable[[], T], waiter: _Waiter) -> asyncio.Future[T]:
        started_s = time.monotonic()
        try:
            future = self._on(self._threads, work)
        except RuntimeError:  # the system has no thread now, but may have one later
            self._leave(waiter)
            raise
        future.add_done_callback(lambda _: self._ended(started_s, waiter))
        return future

    def _on(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> asyncio.Future[T]:
        context = contextvars.copy_context()  # the thread's log lines carry the request's id
        future = asyncio.get_running_loop().run_in_executor(threads, context.run, _guarded, work)
        # Retrieves the exception: otherwise asyncio warns when the request has given up.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return future

    def _ended(self, started_s: float, waiter: _Waiter) -> None:
        self._durations_s.append(time.monotonic() - started_s)
        self._leave(waiter)

    def _leave(self, waiter: _Waiter) -> None:
        self._at_work.remove(waiter)
        self._behind -= waiter.background
        self.running -= 1
        self._let_in()
        self._note_idle()

    def _note_idle(self) -> None:
        if not self.running and not self.queued:
            self._idle.set()


def _guarded(work: Callable[[], T]) -> T:
    """Run the work, but turn SystemExit into an error: in a task of the event loop it would end the process.

    Clears the frames of errors: pictures in frames live as long as the error. Three failures of 50 MP kept 5.9 GB.
    """
    try:
        return work()
    except (SystemExit, KeyboardInterrupt) as error:
        _forget_frames(error)
        raise RuntimeError("a worker tried to end the process") from error
    except BaseException as error:
        _forget_frames(error)
        raise


def _forget_frames(error: BaseException | None) -> None:
    """Clear the variables in all frames of an error and of its causes. The traceback can still be shown."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
