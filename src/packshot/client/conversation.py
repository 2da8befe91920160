"""A call, from the first request to the last response, as a generator without I/O.

A conversation is a generator that yields the next step (Send, Pause), receives the outcome, and returns the result.
blocking.py and asynchronous.py execute the steps. This file and calls.py define requests, retries and the reading of
responses, once for both clients.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from packshot.client.errors import ClientError, Conflict, NotReached, NotUnderstood, OutOfCredits, Problem, make_problem
from packshot.client.options import Part
from packshot.retry import Deadline, RetryPolicy

TIMEOUT_S = 60.0
DEADLINE_S = 300.0
RETRIES = 4
WAIT_S = 3600.0
CONNECT_S = 10.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 20.0
_TEMPORARY = frozenset({429, 502, 503, 504})
# These errors may be temporary. Other RequestErrors, such as a wrong URL or proxy, are permanent.
_CUT = (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError)


def make_policy(retries: int) -> RetryPolicy:
    """The retry policy of the client. retries: attempts after the first."""
    return RetryPolicy(retries + 1, FIRST_PAUSE_S, LONGEST_PAUSE_S, jitter=(0.5, 1.0))


@dataclass(frozen=True)
class Limits:
    """Time limits of one call with all its attempts. timeout_s: longest silence within one attempt."""

    timeout_s: float
    deadline: Deadline
    policy: RetryPolicy

    def timeout(self) -> httpx.Timeout:
        """The timeout of one attempt, limited by the deadline."""
        silence_s = max(0.001, min(self.timeout_s, self.deadline.left_s()))
        return httpx.Timeout(silence_s, connect=min(CONNECT_S, silence_s))

    def pause_s(self, failure: Problem | httpx.RequestError, attempt: int) -> float | None:
        """Seconds to wait after attempt number `attempt` (from 1); None to give up."""
        pause_s = self.policy.pause_s(attempt)
        if pause_s is None or not may_pass(failure, attempt):
            return None
        if isinstance(failure, Problem) and failure.retry_after_s is not None:
            # Not earlier than Retry-After, and with jitter so that clients do not retry at the same time.
            pause_s = failure.retry_after_s + random.uniform(0, FIRST_PAUSE_S)  # noqa: S311 - not a secret
        return pause_s if pause_s < self.deadline.left_s() else None


def may_pass(failure: Problem | httpx.RequestError, attempt: int) -> bool:
    """Whether the same request may succeed later.

    A conflict on a later attempt comes from an earlier attempt that the service is still processing, because only this
    call knows its idempotency key.
    """
    if isinstance(failure, OutOfCredits):
        return False
    if isinstance(failure, Conflict):
        return attempt > 1
    if isinstance(failure, Problem):
        return failure.status in _TEMPORARY
    return isinstance(failure, _CUT)


def is_temporary(error: ClientError) -> bool:
    """Whether a repeated call may succeed after this error."""
    failure = error if isinstance(error, Problem) else error.__cause__
    return isinstance(failure, Problem | httpx.RequestError) and may_pass(failure, attempt=1)


def read_retry_after(text: str | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """Seconds from a Retry-After header, which contains seconds or a date (RFC 9110, 10.2.3); None for other text."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:  # "-0000": UTC without information on the zone
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now()).total_seconds())


@dataclass(frozen=True)
class Request:
    """A request. `url` is absolute; `fields` and `files` make a form. follow: whether to follow redirects.

    files: parts in order; a name may repeat.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    fields: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[tuple[str, Part]] = ()
    follow: bool = False


@dataclass(frozen=True)
class Send:
    """The step of one attempt of a request. Its outcome is an Answer, or httpx's error."""

    request: Request
    limits: Limits


@dataclass(frozen=True)
class Pause:
    """The step that waits."""

    seconds: float


@dataclass(frozen=True)
class Answer:
    """A complete response."""

    status: int
    headers: httpx.Headers
    body: bytes


Outcome = Answer | httpx.RequestError | None
"""The outcome of a step; None for a Pause."""


def ask(request: Request, limits: Limits) -> Generator[Send | Pause, Outcome, Answer]:
    """Send a request until it succeeds, fails permanently, or the limits are reached.

    Raises
    ------
    Problem
        The service refused or failed in the last attempt.
    NotReached
        No response arrived in the last attempt.
    NotUnderstood
        A redirect: base_url is not the service's address.
    """
    attempt = 0
    while True:
        attempt += 1
        outcome = yield Send(request, limits)
        if isinstance(outcome, Answer) and outcome.status < 300:
            return outcome
        failure = _failure(outcome)
        pause_s = limits.pause_s(failure, attempt)
        if pause_s is None:
            raise _final(failure, request, attempt)
        yield Pause(pause_s)


def _failure(outcome: Outcome) -> Problem | httpx.RequestError:
    if not isinstance(outcome, Answer):
        return outcome or httpx.RequestError("no response")
    if outcome.status < 400:
        raise NotUnderstood(
            f"The service redirects to {outcome.headers.get('location', 'an unknown address')}.",
            hint="Give that address as base_url. The client never forwards photos and keys to a redirect.",
        )
    retry_after_s = read_retry_after(outcome.headers.get("retry-after"))
    return make_problem(outcome.status, outcome.body, outcome.headers.get("x-request-id", ""), retry_after_s)


def _final(failure: Problem | httpx.RequestError, request: Request, attempts: int) -> Exception:
    if isinstance(failure, Problem):
        return failure
    tried = "" if attempts == 1 else f" in {attempts} attempts"
    error = NotReached(
        f"No response from {httpx.URL(request.url).host}{tried}: {str(failure) or type(failure).__name__}.",
        hint="Check that the service runs and that base_url is its address.",
    )
    error.__cause__ = failure
    return error
