"""A call, from the first request to the last answer, without any input or output of its own.

A conversation is a generator: it yields what is to be done next (Send, Pause), is sent what came of it, and returns the
result. blocking.py and asynchronous.py do the steps, each in its own way; what is sent, when it is sent again and what
the answers mean stands here and in calls.py, once.
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
# These may pass another time; the rest of RequestError is a wrong URL or proxy, and stays wrong.
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


def is_temporary(error: ClientError) -> bool:
    """Whether what a call ended with may have passed when it is made again."""
    failure = error if isinstance(error, Problem) else error.__cause__
    return isinstance(failure, Problem | httpx.RequestError) and may_pass(failure, attempt=1)


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


@dataclass(frozen=True)
class Request:
    """What is sent. `url` is whole; `fields` and `files` make a form. follow: go where a redirect leads.

    files: in this order, and a name may come several times.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    fields: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[tuple[str, Part]] = ()
    follow: bool = False


@dataclass(frozen=True)
class Send:
    """Do the request, in one attempt, and say what came: an Answer, or httpx's error if none did."""

    request: Request
    limits: Limits


@dataclass(frozen=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True)
class Answer:
    """What came, whole."""

    status: int
    headers: httpx.Headers
    body: bytes


Outcome = Answer | httpx.RequestError | None
"""What came of a step; None of a Pause."""


def ask(request: Request, limits: Limits) -> Generator[Send | Pause, Outcome, Answer]:
    """Send a request until it is answered, or until its failure is for good.

    Raises
    ------
    Problem
        The service refuses or fails, at the last attempt.
    NotReached
        No answer came, at the last attempt.
    NotUnderstood
        A redirection: this is not where the service is.
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
        return outcome or httpx.RequestError("nothing came")
    if outcome.status < 400:
        raise NotUnderstood(
            f"The service sends elsewhere, to {outcome.headers.get('location', 'nowhere')}.",
            hint="Give that address as base_url: a photo and a key are not sent on by themselves.",
        )
    retry_after_s = read_retry_after(outcome.headers.get("retry-after"))
    return make_problem(outcome.status, outcome.body, outcome.headers.get("x-request-id", ""), retry_after_s)


def _final(failure: Problem | httpx.RequestError, request: Request, attempts: int) -> Exception:
    if isinstance(failure, Problem):
        return failure
    tried = "" if attempts == 1 else f" in {attempts} attempts"
    error = NotReached(
        f"No answer from {httpx.URL(request.url).host}{tried}: {str(failure) or type(failure).__name__}.",
        hint="Is the service running, and is base_url its address?",
    )
    error.__cause__ = failure
    return error
