"""When to send a request again, and how long to wait before."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from packshot.client.errors import Conflict, OutOfCredits, Problem
from packshot.retry import Deadline, RetryPolicy

TIMEOUT_S = 60.0
DEADLINE_S = 300.0
RETRIES = 4
CONNECT_S = 10.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 20.0
_TEMPORARY = frozenset({429, 502, 503, 504})
# What may be another time; the rest of RequestError is a wrong URL or proxy, and stays wrong.
_CUT = (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError)


def make_policy(retries: int) -> RetryPolicy:
    """The pauses of the client, with so many attempts after the first."""
    return RetryPolicy(retries + 1, FIRST_PAUSE_S, LONGEST_PAUSE_S, jitter=(0.5, 1.0))


@dataclass(frozen=True)
class Limits:
    """How long one call may take, with all its attempts. timeout_s: of silence, in one attempt."""

    timeout_s: float
    deadline: Deadline
    policy: RetryPolicy

    def timeout(self) -> httpx.Timeout:
        """For one attempt: never beyond the deadline."""
        silence_s = max(0.001, min(self.timeout_s, self.deadline.left_s()))
        return httpx.Timeout(silence_s, connect=min(CONNECT_S, silence_s))

    def pause_s(self, failure: Problem | httpx.RequestError, attempt: int) -> float | None:
        """How long to wait after the attempt of this number (from 1), or None to give up."""
        pause_s = self.policy.pause_s(attempt)
        if pause_s is None or not may_pass(failure, attempt):
            return None
        if isinstance(failure, Problem) and failure.retry_after_s is not None:
            # Never before the service asked for, and not all clients at the same moment.
            pause_s = failure.retry_after_s + random.uniform(0, FIRST_PAUSE_S)  # noqa: S311 - not a secret
        return pause_s if pause_s < self.deadline.left_s() else None


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
