"""Shared by tests of the service: a clock that tests set, a check of the database, a wait for a condition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from packshot.errors import DatabaseUnavailable
from packshot.service.database import Database


class Clock:
    """Called like time.time; `advance` moves it."""

    def __init__(self, start_s: float = 1_800_000_000.0) -> None:
        self.now_s = start_s

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


def works(database: Database) -> bool:
    """Whether the accounts are reachable."""
    try:
        database.check()
    except DatabaseUnavailable:
        return False
    return True


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds, at most 10 s."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in threads and files that set no event
            await asyncio.sleep(0.002)
