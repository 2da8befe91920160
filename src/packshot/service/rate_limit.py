"""How often one key may come: a moving window, counted in this process's memory or, for all replicas, in Redis."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from limits import RateLimitItem, parse_many
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from packshot.errors import BadSettings, LimiterUnavailable, RateLimited

log = logging.getLogger(__name__)

ANSWER_WITHIN_S = 0.5  # a Redis beside the service takes a thousandth of it
_AWAY_S = 1.0  # after a failure nobody asks for so long: requests need not wait one after the other
_LOG_EVERY_S = 60.0


@lru_cache(maxsize=1024)
def parse_rate(rate: str) -> RateLimitItem:
    """One limit of at least one request, such as "600/minute". Raises ValueError."""
    found = parse_many(rate)
    if [limit.amount > 0 for limit in found] != [True]:
        raise ValueError(rate)
    return found[0]


@dataclass(frozen=True)
class Window:
    """A key's window: how many requests it holds, how many more fit now, and when its oldest one leaves it (s)."""

    limit: int
    remaining: int
    resets_at: int


class RateLimiter:
    """A limit such as "600/minute" for each key, or None for no limit. The window moves: no burst at its edges."""

    def __init__(self, rate: str | None, url: str | None = None, *, fail_closed: bool = False) -> None:
        """url: a Redis that counts for all replicas. Raises BadSettings without packshot[redis].

        When Redis is away each process counts for itself, or with `fail_closed` nobody with a limit is let in.
        """
        self._rate = rate
        self._here = MovingWindowRateLimiter(MemoryStorage())
        self._shared = None if url is None else MovingWindowRateLimiter(_redis(url))
        self._fail_closed = fail_closed
        self._away_until = 0.0
        self._logged_at = -math.inf
        self.on_failure: Callable[[], None] = lambda: None
        """Called each time that Redis does not answer."""

    def hit(self, key_id: str, rate: str | None = None) -> Window | None:
        """Count a request; returns what is left, or None where there is no limit.

        rate: the key's own, in place of the service's. Blocks for ANSWER_WITHIN_S at most.

        Raises
        ------
        RateLimited
            The window is full; `retry_after_s` says when its oldest request leaves it. A refusal does not count.
        LimiterUnavailable
            Redis is away, and the operator wants nobody let in uncounted.
        """
        rate = rate or self._rate
        if rate is None:
            return None
        if self._shared is not None and time.monotonic() >= self._away_until:
            try:
                return _hit(self._shared, rate, key_id)
            except StorageError as error:
                self._note_away(error)
        if self._shared is not None and self._fail_closed:
            raise LimiterUnavailable("Requests cannot be counted now.", retry_after_s=2, hint="Send the request again.")
        return _hit(self._here, rate, key_id)

    def _note_away(self, error: StorageError) -> None:
        now = time.monotonic()
        self._away_until = now + _AWAY_S
        self.on_failure()
        if now - self._logged_at >= _LOG_EVERY_S:
            self._logged_at = now
            then = "keys with a limit are refused" if self._fail_closed else "each process counts for itself"
            log.warning("the Redis of the rate limits does not answer, %s: %s", then, error)


def _hit(windows: MovingWindowRateLimiter, rate: str, key_id: str) -> Window:
    rule = parse_rate(rate)
    passed = windows.hit(rule, key_id)
    stats = windows.get_window_stats(rule, key_id)
    if passed:
        return Window(rule.amount, max(0, stats.remaining), math.ceil(stats.reset_time))
    retry_after_s = max(1, math.ceil(stats.reset_time - time.time()))
    raise RateLimited(
        f"More than {rate} came with this API key.",
        retry_after_s=retry_after_s,
        hint=f"Wait {retry_after_s} s.",
        limit=rule.amount,
        resets_at=math.ceil(stats.reset_time),
    )


def _redis(url: str) -> RedisStorage:
    try:
        from redis.backoff import NoBackoff  # noqa: PLC0415 - the extra may be missing
        from redis.retry import Retry  # noqa: PLC0415
    except ImportError as error:
        raise BadSettings("PACKSHOT_RATE_LIMIT_URL needs the Redis driver.", hint="Install packshot[redis].") from error
    once = Retry(NoBackoff(), 1)  # again, once: connections of before a restart of Redis are dead
    options = {
        "socket_timeout": ANSWER_WITHIN_S / 2,
        "socket_connect_timeout": ANSWER_WITHIN_S / 2,
        "retry": once,
        "key_prefix": "packshot",
    }
    return RedisStorage(url, wrap_exceptions=True, **options)  # type: ignore[arg-type]
