"""Admission to the workers: slots, a queue of limited length before them, and an order in it that is fair to keys."""

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
FIRST_RETRY_S = 2  # the advice while nothing has been measured yet, and to those who come during a drain
LONGEST_RETRY_S = 60
LARGE_BYTES = 400 << 20
"""Work that needs more memory is large: it takes seconds, not parts of one. 16 megapixels as a cutout."""
LOOKOUTS = 2
"""Threads that look at headers, so that one file cannot hold up all others."""
BACKGROUND = "background"
"""The one key of all work that no client waits for."""
BACKGROUND_WAITS_S = 5.0
"""So long at most requests overtake it, so that it goes on under any load."""
REQUESTS_COME_S = 2.0
"""A request that came within that time may be followed by another, for which a worker is left free."""
IN_USE_S = 600.0
"""A key that has come within that time may come again: large work of another key leaves it a worker."""


@dataclass(eq=False)
class _Waiter:
    """One request before a worker. turn: done when it may start."""

    key: str
    memory_bytes: int
    background: bool = False
    came_s: float = field(default_factory=time.monotonic)
    turn: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def is_large(self) -> bool:
        return self.memory_bytes > LARGE_BYTES


class Admission:
    """Runs work on as many threads as there are workers and lets `queue_limit` requests wait for one.

    Of those that wait, the key with the least work running comes first, then the request that came first. Large work
    shares `memory_bytes`, and while a second key is in use it leaves one worker to what is not large: one caller's
    slow photos cannot keep another's waiting.

    Work in the background, whose client is not waiting, takes no place in the queue and is never turned away because
    that is full. It lets others go first for BACKGROUND_WAITS_S; from then on all of it together is one key among them.
    While requests come it leaves one worker to them.

    A thread cannot be stopped. So a slot is free when its thread has ended, not when its request has given up: what
    `running` says is what the processors do. A request that gives up while it waits is never computed.
    All of it belongs to one event loop.

    running: threads at work, those whose request has given up among them. draining: whether new work is refused.
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
        """Requests that wait for a worker, or are looked at before they do."""
        return len(self._waiting) + self._looking

    @property
    def draining_s(self) -> float:
        """For how long new work has been refused; 0 while it is let in."""
        return time.monotonic() - self._closed_s if self.draining else 0.0

    async def look(self, work: Callable[[], T], *, background: bool = False) -> T:
        """Run something that takes milliseconds, whatever the photo, before the real work: a look at its header.

        Raises
        ------
        ShuttingDown, QueueFull
            At once; nothing was looked at.
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
        """Run `work` on a worker thread, with this task's context variables. The caller sets a deadline around it.

        key: whose work it is. memory_bytes: the most that it will take. background: whether no client waits for it.

        Raises
        ------
        ShuttingDown, QueueFull
            At once; nothing was computed.
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
                self._let_in()  # it may have kept others waiting
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
        """Refuse new work from now on, and return when all that was let in has ended."""
        self.close()
        await self._idle.wait()
        self._threads.shutdown(wait=False)
        self._lookouts.shutdown(wait=False)

    def refuse_or_pass(self) -> None:
        """Raise what `run` would raise at once. Asked before a photo is read, for there is no need to read it then."""
        self._refuse_drained()
        if self.running + self.queued - self._behind >= self._workers + self._queue_limit:
            retry_after_s = self._retry_after_s()
            raise QueueFull(
                "The service has as much work as it can hold.",
                retry_after_s=retry_after_s,
                hint=f"Send it again in {retry_after_s} s.",
            )

    def _refuse_drained(self) -> None:
        if self.draining:
            raise ShuttingDown(
                "The service is shutting down.", retry_after_s=FIRST_RETRY_S, hint="Send it again in a moment."
            )

    def _retry_after_s(self) -> int:
        """When those who are here now will have left, by what recent work took."""
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
        """Give the free workers to those whose turn it is."""
        while self.running < self._workers:
            waiter = next(self._fitting(), None)
            if waiter is None:
                return
            self._waiting.remove(waiter)
            self._at_work.append(waiter)
            self.running += 1
            waiter.turn.set_result(None)

    def _fitting(self) -> Iterator[_Waiter]:
        """Those that may start now, in their order. Large ones do not overtake each other, or the largest would wait
        for ever."""
        running, now_s = Counter(each.key for each in self._at_work), time.monotonic()
        large_too, requests_come = True, now_s - self._requested_s < REQUESTS_COME_S

        def turn(each: _Waiter) -> tuple[bool, int]:
            return each.background and now_s - each.came_s < BACKGROUND_WAITS_S, running[each.key]

        for waiter in sorted((each for each in self._waiting if not each.turn.cancelled()), key=turn):
            if waiter.background and requests_come and running[BACKGROUND] >= self._workers - 1 > 0:
                continue  # its turn comes with the end of what runs
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
        except RuntimeError:  # the system grants no thread now; it may for the next
            self._leave(waiter)
            raise
        future.add_done_callback(lambda _: self._ended(started_s, waiter))
        return future

    def _on(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> asyncio.Future[T]:
        context = contextvars.copy_context()  # so that the thread's log lines carry the request's id
        future = asyncio.get_running_loop().run_in_executor(threads, context.run, _guarded, work)
        # Seen: when the request has given up, nobody else will look at it.
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
    """The work, without its SystemExit: raised in a task of the event loop, that would end the whole process.

    An error that leaves takes no frames along: their pictures would live as long as anyone holds the error, and three
    failures of 50 MP kept 5.9 GB.
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
    """Clear the variables of all frames of an error, and of those that led to it. Its traceback can still be shown."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
