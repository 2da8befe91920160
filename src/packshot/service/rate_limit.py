"""Rate limits for keys: a moving window, counted in this process's memory or, for all replicas, in Redis.

Neither uses this machine's time of day: a clock set back by two days would keep a window full for two days. Memory uses
time.monotonic. Redis uses its server's clock, which is the same for all replicas.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple, Protocol

from limits import RateLimitItem, parse_many

from packshot.errors import BadSettings, LimiterUnavailable, RateLimited

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

ANSWER_WITHIN_S = 0.5  # a Redis near the service takes a thousandth of it
_AWAY_S = 1.0  # pause after a failure, so that requests do not each wait for a timeout
_LOG_EVERY_S = 60.0


@lru_cache(maxsize=1024)
def parse_rate(rate: str) -> RateLimitItem:
    """Parse one limit of at least one request, such as "600/minute". Raises ValueError."""
    found = parse_many(rate)
    if [limit.amount > 0 for limit in found] != [True]:
        raise ValueError(rate)
    return found[0]


@dataclass(frozen=True)
class Window:
    """A key's window. limit, remaining: requests. resets_at: when the oldest request leaves, in seconds since 1970."""

    limit: int
    remaining: int
    resets_at: int


class Counted(NamedTuple):
    """The outcome of a hit. held: hits in the window. opens_in_s: seconds until the oldest hit leaves the window."""

    passed: bool
    held: int
    opens_in_s: float


class MovingWindows(Protocol):
    """Hits of the last `period_s`, by name."""

    def hit(self, name: str, most: int, period_s: int, cost: int) -> Counted:
        """Count `cost` hits if the window then holds at most `most`, else none. cost: at most `most`.

        opens_in_s of a refusal: seconds until enough hits have left for the same cost.
        """
        ...


class RateLimiter:
    """A limit such as "600/minute" for each key, or None for no limit. A moving window allows no burst at its edges."""

    def __init__(self, rate: str | None, url: str | None = None, *, fail_closed: bool = False) -> None:
        """url: a Redis that counts for all replicas. Raises BadSettings without packshot[redis].

        fail_closed: while Redis is unavailable, refuse keys with a limit. Otherwise each process counts on its own.
        """
        self._rate = rate
        self._here = WindowsInMemory()
        self._shared = None if url is None else _WindowsInRedis(url)
        self._fail_closed = fail_closed
        self._away_until = 0.0
        self._logged_at = -math.inf
        self.on_failure: Callable[[], None] = lambda: None
        """Called each time Redis does not answer."""

    def hit(self, key_id: str, rate: str | None = None) -> Window | None:
        """Count a request. Returns the key's window, or None without a limit.

        rate: the key's own limit, which replaces the service's. Blocks for at most ANSWER_WITHIN_S.

        Raises
        ------
        RateLimited
            The window is full. `retry_after_s`: until the oldest request leaves it. A refusal does not count.
        LimiterUnavailable
            Redis is unavailable, and `fail_closed` is set.
        """
        rate = rate or self._rate
        return None if rate is None else self.hit_for("requests", key_id, rate)

    def hit_for(self, what: str, key_id: str, rate: str, cost: int = 1) -> Window:
        """Count a hit in a separate window, such as "checks".

        cost: number of hits to count; a cost above the limit counts as the whole limit. Raises the errors of `hit`.
        """
        rule = parse_rate(rate)
        windows, cost = self._windows(), min(cost, rule.amount)
        arguments = (f"{what}/{rate}/{key_id}", rule.amount, rule.get_expiry(), cost)
        try:
            counted = windows.hit(*arguments)
        except _RedisAway as error:
            self._note_away(error)
            counted = self._windows().hit(*arguments)
        window = Window(rule.amount, rule.amount - counted.held, math.ceil(time.time() + counted.opens_in_s))
        if counted.passed:
            return window
        retry_after_s = max(1, math.ceil(counted.opens_in_s))
        raise RateLimited(
            f"This API key has sent more than {rate} {what}.",
            retry_after_s=retry_after_s,
            hint=f"Wait {retry_after_s} s.",
            limit=window.limit,
            remaining=window.remaining,
            resets_at=window.resets_at,
        )

    def _windows(self) -> MovingWindows:
        """The windows that count hits now. Raises LimiterUnavailable."""
        if self._shared is None:
            return self._here
        if time.monotonic() >= self._away_until:
            return self._shared
        if self._fail_closed:
            raise LimiterUnavailable(
                "The service cannot count requests now.", retry_after_s=2, hint="Send the request again."
            )
        return self._here

    def _note_away(self, error: Exception) -> None:
        now = time.monotonic()
        self._away_until = now + _AWAY_S
        self.on_failure()
        if now - self._logged_at >= _LOG_EVERY_S:
            self._logged_at = now
            then = "keys with a limit are refused" if self._fail_closed else "each process counts for itself"
            log.warning("the Redis of the rate limits does not answer, %s: %s", then, error)


@dataclass(slots=True)
class _Hits:
    """One window. each: (time, cost) of the hits, oldest first. count: sum of costs. empty_at: when the last leaves."""

    each: deque[tuple[float, int]] = field(default_factory=deque)
    count: int = 0
    empty_at: float = 0.0


class WindowsInMemory:
    """Moving windows of this process. Safe for threads. Memory is limited by the hits that all windows may hold."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._turn = threading.Lock()
        self._windows: OrderedDict[str, _Hits] = OrderedDict()  # in the order of their last hits

    def __len__(self) -> int:
        """The number of windows in memory."""
        return len(self._windows)

    def hit(self, name: str, most: int, period_s: int, cost: int) -> Counted:
        with self._turn:
            now = self._now()
            hits = self._windows.setdefault(name, _Hits())
            while hits.each and hits.each[0][0] + period_s <= now:
                hits.count -= hits.each.popleft()[1]
            passed = hits.count + cost <= most
            if passed:
                hits.each.append((now, cost))
                hits.count += cost
                hits.empty_at = now + period_s
                self._windows.move_to_end(name)
                self._forget_empty(now)
            oldest = _time_of(hits.each, 1 if passed else hits.count + cost - most)
            return Counted(passed, hits.count, oldest + period_s - now)

    def _forget_empty(self, now: float) -> None:
        """Drop the empty windows at the front."""
        while next(iter(self._windows.values())).empty_at <= now:
            self._windows.popitem(last=False)


def _time_of(hits: Iterable[tuple[float, int]], number: int) -> float:
    """The time of the first hit at which the summed cost reaches `number`."""
    counts = accumulate(cost for _, cost in hits)
    return next(when for (when, _), count in zip(hits, counts, strict=True) if count >= number)


class _RedisAway(Exception):
    """Redis did not answer."""


# A list of the times of hits, newest first, in µs of the server's clock. Hits in the future mean that the clock was set
# back: the window then begins anew. Unused lists expire.
_SCRIPT = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local most, period, cost = tonumber(ARGV[1]), ARGV[2] * 1000000, tonumber(ARGV[3])
local newest = redis.call('LINDEX', KEYS[1], 0)
if newest and tonumber(newest) > now then
  redis.call('DEL', KEYS[1])
end
local oldest = redis.call('LINDEX', KEYS[1], -1)
while oldest and tonumber(oldest) + period <= now do
  redis.call('RPOP', KEYS[1])
  oldest = redis.call('LINDEX', KEYS[1], -1)
end
local count, passed = redis.call('LLEN', KEYS[1]), 0
local leaves = -1
if count + cost <= most then
  passed = 1
  for _ = 1, cost do
    redis.call('LPUSH', KEYS[1], now)
  end
  redis.call('EXPIRE', KEYS[1], ARGV[2])
  count = count + cost
else
  leaves = most - count - cost
end
return {passed, count, tonumber(redis.call('LINDEX', KEYS[1], leaves)) + period - now}
"""


class _WindowsInRedis:
    """Moving windows that all replicas share. Raises _RedisAway."""

    def __init__(self, url: str) -> None:
        client = _redis(url)
        self._script = client.register_script(_SCRIPT)

    def hit(self, name: str, most: int, period_s: int, cost: int) -> Counted:
        from redis.exceptions import RedisError  # noqa: PLC0415 - an extra, which _redis has checked

        try:
            passed, count, opens_in_us = self._script(keys=[f"packshot/{name}"], args=[most, period_s, cost])
        except RedisError as error:
            raise _RedisAway(str(error)) from error
        return Counted(bool(passed), count, opens_in_us / 1e6)


def _redis(url: str) -> Redis:
    try:
        from redis import Redis  # noqa: PLC0415 - the extra may be missing
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415
    except ImportError as error:
        raise BadSettings("PACKSHOT_RATE_LIMIT_URL needs the Redis driver.", hint="Install packshot[redis].") from error
    once = Retry(NoBackoff(), 1)  # one retry: after a restart of Redis, older connections are dead
    return Redis.from_url(
        url, socket_timeout=ANSWER_WITHIN_S / 2, socket_connect_timeout=ANSWER_WITHIN_S / 2, retry=once
    )
