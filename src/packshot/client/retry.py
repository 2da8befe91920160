"""When to send a request again, and how long to wait before."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from packshot.client.errors import Conflict, OutOfCredits, Problem

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 20.0
CONNECT_S = 10.0
_TEMPORARY = frozenset({429, 502, 503, 504})
# What may be another time; the rest of RequestError is a wrong URL or proxy, and stays wrong.
_CUT = (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError)


@dataclass(frozen=True)
class Patience:
    """How long to put up with a service.

    timeout_s: of silence, in one attempt. deadline_s: for a whole call, with all attempts and pauses. retries: attempts
    after the first.
    """

    timeout_s: float = 60.0
    deadline_s: float = 300.0
    retries: int = 4


@dataclass(frozen=True)
class Watch:
    """Started with a call. It says what is left of the deadline, and whether to go on."""

    patience: Patience
    now: Callable[[], float] = time.monotonic
    started_at: float = field(default_factory=time.monotonic)

    @property
    def ends_at(self) -> float:
        return self.started_at + self.patience.deadline_s

    def left_s(self) -> float:
        return max(0.0, self.ends_at - self.now())

    def timeout(self) -> httpx.Timeout:
        """For one attempt: never beyond the deadline."""
        silence_s = max(0.001, min(self.patience.timeout_s, self.left_s()))
        return httpx.Timeout(silence_s, connect=min(CONNECT_S, silence_s))

    def pause_s(self, failure: Problem | httpx.RequestError, attempt: int) -> float | None:
        """How long to wait after the attempt of this number (from 1), or None to give up."""
        if attempt > self.patience.retries or not may_pass(failure, attempt):
            return None
        pause_s = backoff_s(attempt)
        if isinstance(failure, Problem) and failure.retry_after_s is not None:
            # Never before the service asked for, and not all clients at the same moment.
            pause_s = failure.retry_after_s + random.uniform(0, FIRST_PAUSE_S)  # noqa: S311 - not a secret
        return pause_s if pause_s < self.left_s() else None


def may_pass(failure: Problem | httpx.RequestError, attempt: int) -> bool:
    """Whether the same request may succeed later.

    A conflict after the first attempt is an attempt of our own that the service has not finished: the idempotency key
    is made for this call and known to nobody else.
    """
    if isinstance(failure, OutOfCredits):
        return False
    if isinstance(failure, Conflict):
        return attempt > 1
    if isinstance(failure, Problem):
        return failure.status in _TEMPORARY
    return isinstance(failure, _CUT)


def backoff_s(attempt: int) -> float:
    """Doubling, with full jitter above half: clients that failed together do not come back together."""
    longest_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (attempt - 1))
    return random.uniform(longest_s / 2, longest_s)  # noqa: S311 - not a secret


def read_retry_after(text: str | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """Seconds of a Retry-After header, which holds seconds or a date (RFC 9110, 10.2.3); None if it holds neither."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:  # "-0000": UTC that knows of no zone
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now()).total_seconds())
