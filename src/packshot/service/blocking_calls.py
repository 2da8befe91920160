"""Runs blocking calls in threads, so that a cancelled request never leaves them half done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from packshot.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")


async def begun(begin: Callable[[], T], ours: T, undo: Callable[..., object], *args: object) -> T:
    """The outcome of a blocking call in a thread. If this request is cancelled meanwhile, calls `undo(*args)` after it.

    ours: the outcome that means that this request began the work. Any other outcome needs no undo.
    """
    call = _started(begin)
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        if await call == ours:
            await at_last(undo, *args)
        raise


def _started(function: Callable[..., T], *args: object) -> asyncio.Future[T]:
    """Start a blocking call in a thread. The call runs to its end, even without a caller."""
    return asyncio.ensure_future(asyncio.to_thread(function, *args))


async def to_the_end(function: Callable[..., object], *args: object) -> None:
    """Run a blocking call in a thread and wait for its end, even if this request is cancelled meanwhile.

    After a cancellation, raises the error of the call, or CancelledError if the call succeeded.
    """
    call = _started(function, *args)
    try:
        await asyncio.shield(call)
    except asyncio.CancelledError:
        await call
        raise


async def at_last(function: Callable[..., object], *args: object) -> None:
    """Like `to_the_end`, for calls after the work: logs DatabaseUnavailable and leaves the response unchanged.

    An open charge is given back later (Ledger.give_back_lost), and a lost idempotency key becomes free after a while.
    """
    try:
        await to_the_end(function, *args)
    except DatabaseUnavailable as error:
        log.warning("%s is postponed: %s", function.__name__, error)
