"""How often one key may come: a moving window in this process's memory."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from packshot.errors import RateLimited


@dataclass(frozen=True)
class Window:
    """A key's window: how many requests it holds, how many more fit now, and when its oldest one leaves it (s)."""

    limit: int
    remaining: int
    resets_at: int


class RateLimiter:
    """A limit such as "600/minute" for each key, or None for no limit. The window moves: no burst at its edges."""

    def __init__(self, rate: str | None) -> None:
        self._rate = rate
        self._limit = parse(rate) if rate else None
        self._windows = MovingWindowRateLimiter(MemoryStorage())

    def hit(self, key_id: str) -> None:
        """Count a request.

        Raises
        ------
        RateLimited
            The window is full; `retry_after_s` says when its oldest request leaves it. A refusal does not count.
        """
        if self._limit is None or self._windows.hit(self._limit, key_id):
            return
        opens_at = self._windows.get_window_stats(self._limit, key_id).reset_time
        retry_after_s = max(1, math.ceil(opens_at - time.time()))
        raise RateLimited(
            f"More than {self._rate} came with this API key.",
            retry_after_s=retry_after_s,
            hint=f"Wait {retry_after_s} s.",
        )

    def window(self, key_id: str) -> Window | None:
        """What is left for a key; None where there is no limit."""
        if self._limit is None:
            return None
        stats = self._windows.get_window_stats(self._limit, key_id)
        return Window(self._limit.amount, max(0, stats.remaining), math.ceil(stats.reset_time))
