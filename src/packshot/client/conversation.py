"""A call, from the first request to the last answer, without any input or output of its own.

A conversation is a generator: it yields what is to be done next (Send, Pause), is sent what came of it, and returns the
result. blocking.py and asynchronous.py do the steps, each in its own way; what is sent, when it is sent again and what
the answers mean stands here and in calls.py, once.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field

import httpx

from packshot.client.errors import NotReached, NotUnderstood, Problem, make_problem
from packshot.client.options import Part
from packshot.client.retry import Limits, read_retry_after


@dataclass(frozen=True)
class Request:
    """What is sent. `url` is whole; `fields` and `files` make a form. follow: go where a redirect leads."""

    method: str
    url: str
    headers: Mapping[str, str]
    fields: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Part] = field(default_factory=dict)
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
