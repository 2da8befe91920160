"""Blocking calls, in threads, that a request which is cancelled meanwhile does not leave half done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from packshot.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")


async def begun(begin: Callable[[], T], ours: T, undo: Callable[..., object], *args: object) -> T:
    """The outcome of a blocking call in a thread. When this request is cancelled meanwhile, `undo(*args)` follows it.

    ours: the outcome that says that the work was begun for this request; another one leaves nothing to undo.
    """
    call = _started(begin)
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        if await call == ours:
            await at_last(undo, *args)
        raise


def _started(function: Callable[..., T], *args: object) -> asyncio.Future[T]:
    """A blocking call that runs in a thread from now on, whoever waits for it."""
    return asyncio.ensure_future(asyncio.to_thread(function, *args))


async def to_the_end(function: Callable[..., object], *args: object) -> None:
    """Run a blocking call in a thread and wait for its end even when this request is cancelled meanwhile.

    When it is cancelled and the call succeeded, CancelledError comes after it; an error of the call comes first.
    """
    call = _started(function, *args)
    try:
        await asyncio.shield(call)
    except asyncio.CancelledError:
        await call
        raise


async def at_last(function: Callable[..., object], *args: object) -> None:
    """The same for what comes after the work: without a database it is logged, and the answer is what it would be.

    A charge that stays open is given back later (Ledger.give_back_lost), and an idempotency key is free after a while.
    """
    try:
        await to_the_end(function, *args)
    except DatabaseUnavailable as error:
        log.warning("%s is left for later: %s", function.__name__, error)
