"""Removing results whose links have expired, in the background."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from packshot.errors import StoreUnavailable

if TYPE_CHECKING:
    from packshot.service.storage import ResultStore

_log = logging.getLogger(__name__)


class Sweeper:
    """Removes results some time after their links have expired, until it is cancelled."""

    # Downloads that began in a link's last second still get their end.
    GRACE_S = 600

    def __init__(
        self, store: ResultStore, ttl_s: float, *, every_s: float = 600, now: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._ttl_s = ttl_s
        self._every_s = every_s
        self._now = now

    async def sweep(self) -> int:
        """Remove what is old now; returns how many went."""
        return await self._store.remove_older(self._now() - self._ttl_s - self.GRACE_S)

    async def run(self) -> None:
        """Sweep at once and then every `every_s`. A sweep that fails is logged, and the next one tries again."""
        while True:
            try:
                await self.sweep()
            except StoreUnavailable as error:
                _log.warning("expired results could not be removed: %s", error.__cause__)
            except Exception:  # noqa: BLE001 - nobody else would say so, or go on
                _log.exception("expired results could not be removed")
            await asyncio.sleep(self._every_s)
