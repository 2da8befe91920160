"""A storage's own threads. Those of asyncio.to_thread may wait for databases, which would delay downloads."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

COUNT = 16  # fewer keep a local disk busy; on a network file system, 16 hide the round trips


class Threads:
    """A thread pool that starts on first use and ends with the storage."""

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking call in one of the threads, with this task's context variables."""
        work = partial(contextvars.copy_context().run, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(COUNT, thread_name_prefix="storage")
