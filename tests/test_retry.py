"""The shared policy of pauses, and the deadline, each in isolation."""

from __future__ import annotations

import pytest

from packshot.retry import Deadline, RetryPolicy


def test_pauses_grow_by_the_factor_up_to_the_longest_and_end_with_the_attempts() -> None:
    policy = RetryPolicy(attempts=6, first_pause_s=0.5, longest_pause_s=30, factor=4)
    assert [policy.pause_s(failures) for failures in range(1, 7)] == [0.5, 2, 8, 30, 30, None]


def test_jitter_spreads_pauses_within_its_bounds() -> None:
    policy = RetryPolicy(attempts=2, first_pause_s=8, longest_pause_s=8, jitter=(0.75, 1.25))
    drawn = [policy.pause_s(1) or 0.0 for _ in range(200)]
    assert 6 <= min(drawn) < 7
    assert 9 < max(drawn) <= 10


def test_a_call_is_repeated_after_errors_of_one_kind_until_the_attempts_end() -> None:
    policy, calls = RetryPolicy(attempts=3, first_pause_s=0.001, longest_pause_s=0.001), 0

    def call(fails: int, error: type[Exception]) -> int:
        nonlocal calls
        calls += 1
        if calls <= fails:
            raise error("no")
        return calls

    assert policy.call(lambda: call(2, ConnectionError), OSError) == 3
    calls = 0
    with pytest.raises(ConnectionError):
        policy.call(lambda: call(3, ConnectionError), OSError)
    assert calls == 3
    calls = 0
    with pytest.raises(ValueError, match="no"):
        policy.call(lambda: call(1, ValueError), OSError)
    assert calls == 1


def test_a_deadline_counts_down_to_nothing() -> None:
    now = 100.0
    deadline = Deadline(10, now=lambda: now)
    assert deadline.left_s() == 10
    now = 109.0
    assert deadline.left_s() == 1
    now = 120.0
    assert deadline.left_s() == 0
