"""How often one key may come: a moving window, counted in this process's memory or, for all replicas, in Redis.

Neither goes by this machine's time of day: a clock that is set back by two days would keep a window full for two days.
Memory goes by time.monotonic, Redis by its server's clock, which is the same for all replicas.
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


class Counted(NamedTuple):
    """Whether a hit fitted into a window, how many are in it now, and when its oldest one leaves it, s from now."""

    passed: bool
    held: int
    opens_in_s: float


class MovingWindows(Protocol):
    """Hits of the last `period_s`, by name."""

    def hit(self, name: str, most: int, period_s: int, cost: int) -> Counted:
        """Count `cost` hits, all or none: none where more than `most` would be in the window. A cost is at most that.

        opens_in_s of a refusal: when so many have left that the same hit fits.
        """
        ...


class RateLimiter:
    """A limit such as "600/minute" for each key, or None for no limit. The window moves: no burst at its edges."""

    def __init__(self, rate: str | None, url: str | None = None, *, fail_closed: bool = False) -> None:
        """url: a Redis that counts for all replicas. Raises BadSettings without packshot[redis].

        When Redis is away each process counts for itself, or with `fail_closed` nobody with a limit is let in.
        """
        self._rate = rate
        self._here = WindowsInMemory()
        self._shared = None if url is None else _WindowsInRedis(url)
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
        return None if rate is None else self.hit_for("requests", key_id, rate)

    def hit_for(self, what: str, key_id: str, rate: str, cost: int = 1) -> Window:
        """Count something that has a window of its own, such as "checks".

        cost: how many it counts for; one over the whole limit takes all of it. Raises the same.
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
            f"More than {rate} {what} came with this API key.",
            retry_after_s=retry_after_s,
            hint=f"Wait {retry_after_s} s.",
            limit=window.limit,
            remaining=window.remaining,
            resets_at=window.resets_at,
        )

    def _windows(self) -> MovingWindows:
        """Where hits are counted now."""
        if self._shared is None:
            return self._here
        if time.monotonic() >= self._away_until:
            return self._shared
        if self._fail_closed:
            raise LimiterUnavailable("Requests cannot be counted now.", retry_after_s=2, hint="Send the request again.")
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
    """The hits in one window, oldest first, as (time, cost); the sum of the costs; and when the last one leaves it."""

    each: deque[tuple[float, int]] = field(default_factory=deque)
    count: int = 0
    empty_at: float = 0.0


class WindowsInMemory:
    """Moving windows of this process. Safe from threads. Holds no more hits than all windows may have together."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._turn = threading.Lock()
        self._windows: OrderedDict[str, _Hits] = OrderedDict()  # in the order of their last hits

    def __len__(self) -> int:
        """How many windows are held."""
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
        """Drop windows at the front that nothing is in any more."""
        while next(iter(self._windows.values())).empty_at <= now:
            self._windows.popitem(last=False)


def _time_of(hits: Iterable[tuple[float, int]], number: int) -> float:
    """When the hit came with which the oldest ones together count `number`."""
    counts = accumulate(cost for _, cost in hits)
    return next(when for (when, _), count in zip(hits, counts, strict=True) if count >= number)


class _RedisAway(Exception):
    """Redis did not answer."""


# A list of the times of hits, newest first, in µs of the server's clock. Hits of the future are those of a clock that
# was set back meanwhile: the window begins afresh. A list that nobody asks for expires by itself.
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
        from redis.exceptions import RedisError  # noqa: PLC0415 - the extra is there, or _redis had said so

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
    once = Retry(NoBackoff(), 1)  # again, once: connections of before a restart of Redis are dead
    return Redis.from_url(
        url, socket_timeout=ANSWER_WITHIN_S / 2, socket_connect_timeout=ANSWER_WITHIN_S / 2, retry=once
    )
