"""The decisions about retries: when, and after which pause."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from packshot.client.conversation import FIRST_PAUSE_S, LONGEST_PAUSE_S, Limits, make_policy, may_pass, read_retry_after
from packshot.client.errors import make_problem
from packshot.retry import Deadline

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def limits(*, deadline_s: float = 300, retries: int = 4) -> Limits:
    return Limits(60, Deadline(deadline_s), make_policy(retries))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("17", 17),
        (" 17 ", 17),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-3", None),
        ("1.5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    assert read_retry_after(text, now=lambda: NOON) == seconds


def test_pauses_double_and_differ_between_clients() -> None:
    for attempt in range(1, 12):
        longest_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (attempt - 1))
        drawn = [make_policy(12).pause_s(attempt) for _ in range(200)]
        assert longest_s / 2 <= min(drawn) < max(drawn) <= longest_s
        assert max(drawn) - min(drawn) > longest_s / 4


@pytest.mark.parametrize(
    ("status", "again"),
    [
        *((status, False) for status in (400, 401, 403, 404, 413, 415, 422, 500, 501)),
        *((status, True) for status in (429, 502, 503, 504)),
    ],
)
def test_only_what_is_temporary_is_tried_again(status: int, again: bool) -> None:
    assert may_pass(make_problem(status, b"", "", None), attempt=1) is again


@pytest.mark.parametrize("status", [402, 429])
def test_credits_do_not_come_back_by_waiting(status: int) -> None:
    assert not may_pass(make_problem(status, b'{"slug": "out-of-credits"}', "", None), attempt=1)


def test_a_connection_may_be_better_next_time_but_a_wrong_address_stays_wrong() -> None:
    assert may_pass(httpx.ConnectError("refused"), attempt=1)
    assert may_pass(httpx.RemoteProtocolError("hung up"), attempt=1)
    assert not may_pass(httpx.UnsupportedProtocol("ftp"), attempt=1)


def test_the_service_is_not_asked_before_it_wants() -> None:
    busy = make_problem(503, b"", "", retry_after_s=30)
    drawn = [limits(deadline_s=100).pause_s(busy, attempt=1) for _ in range(50)]
    assert all(pause is not None and 30 <= pause <= 30 + FIRST_PAUSE_S for pause in drawn)


def test_nobody_waits_for_what_comes_after_the_deadline() -> None:
    few = limits(deadline_s=20)
    assert few.pause_s(make_problem(503, b"", "", retry_after_s=30), attempt=1) is None
    assert few.pause_s(make_problem(503, b"", "", retry_after_s=None), attempt=1) is not None


def test_the_number_of_attempts_is_kept() -> None:
    pauses = [limits(retries=2).pause_s(httpx.ReadError("cut"), attempt) for attempt in (1, 2, 3)]
    assert [pause is None for pause in pauses] == [False, False, True]


def test_an_attempt_never_waits_beyond_the_deadline() -> None:
    moment = 0.0
    call = Limits(60, Deadline(100, now=lambda: moment), make_policy(4))
    assert call.timeout().read == 60
    moment = 90.0
    assert call.timeout().read == pytest.approx(10)
    assert call.timeout().connect == pytest.approx(10)
