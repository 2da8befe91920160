from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packshot.errors import RateLimited
from packshot.service.rate_limit import RateLimiter, WindowsInMemory
from tests.service.kit import Clock

DAYS_S = 2 * 86_400


def test_without_a_limit_all_may_pass() -> None:
    limiter = RateLimiter(None)
    for _ in range(1000):
        limiter.hit("key")


@pytest.mark.slow
def test_a_full_window_says_when_it_opens_and_refusals_do_not_keep_it_full() -> None:
    limiter = RateLimiter("2/second")
    limiter.hit("key")
    limiter.hit("key")
    for _ in range(20):
        with pytest.raises(RateLimited) as caught:
            limiter.hit("key")
    assert caught.value.retry_after_s == 1
    time.sleep(caught.value.retry_after_s)
    limiter.hit("key")


def test_the_wait_is_that_of_the_oldest_request_in_the_window() -> None:
    limiter = RateLimiter("2/minute")
    limiter.hit("key")
    limiter.hit("key")
    with pytest.raises(RateLimited) as caught:
        limiter.hit("key")
    assert 50 <= caught.value.retry_after_s <= 60
    assert "2/minute" in caught.value.message


def test_keys_have_windows_of_their_own() -> None:
    limiter = RateLimiter("1/minute")
    limiter.hit("a")
    limiter.hit("b")
    with pytest.raises(RateLimited):
        limiter.hit("a")


def test_what_has_a_window_of_its_own_may_count_for_several_and_at_most_for_all() -> None:
    limiter = RateLimiter("1/minute")
    limiter.hit("key")
    assert limiter.hit_for("checks", "key", "5/minute", 3).remaining == 2
    with pytest.raises(RateLimited) as caught:
        limiter.hit_for("checks", "key", "5/minute", 3)
    assert "5/minute checks" in caught.value.message
    assert limiter.hit_for("checks", "key", "5/minute", 2).remaining == 0
    assert limiter.hit_for("checks", "other key", "5/minute", 100).remaining == 0


@pytest.mark.slow
@pytest.mark.parametrize("step_s", [-DAYS_S, DAYS_S])
def test_a_clock_that_is_set_neither_locks_a_key_nor_lets_it_through(
    monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    limiter = RateLimiter("2/second")
    limiter.hit("key")
    limiter.hit("key")
    set_to = time.time() + step_s
    monkeypatch.setattr(time, "time", lambda: set_to)
    with pytest.raises(RateLimited) as caught:
        limiter.hit("key")
    assert caught.value.retry_after_s == 1
    assert caught.value.fields["resets_at"] == pytest.approx(set_to + 1, abs=1)  # by the machine's current clock
    time.sleep(caught.value.retry_after_s)
    limiter.hit("key")


HITS = st.tuples(st.sampled_from("ab"), st.integers(1, 4), st.floats(0, 7), st.sampled_from([-DAYS_S, 0, DAYS_S]))


@given(most=st.integers(4, 6), period_s=st.integers(1, 10), hits=st.lists(HITS, max_size=40))
def test_a_window_holds_what_came_in_the_last_period_and_no_more(
    most: int, period_s: int, hits: list[tuple[str, int, float, int]]
) -> None:
    clock, wall, came = Clock(0.0), Clock(), list[tuple[str, float]]()
    windows = WindowsInMemory(clock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", wall)
        for name, cost, passes_s, step_s in hits:
            clock.advance(passes_s)
            wall.advance(passes_s + step_s)
            inside = [when for who, when in came if who == name and when + period_s > clock()]
            counted = windows.hit(name, most, period_s, cost)
            assert counted.passed == (len(inside) + cost <= most)
            if counted.passed:
                came += [(name, clock())] * cost
                inside += [clock()] * cost
            assert counted.held == len(inside) <= most
            leaving = inside[0] if counted.passed else inside[len(inside) + cost - most - 1]
            assert math.isclose(counted.opens_in_s, leaving + period_s - clock(), abs_tol=1e-9)


def test_keys_that_come_no_more_are_forgotten() -> None:
    clock = Clock()
    windows = WindowsInMemory(clock)
    for number in range(1000):
        windows.hit(str(number), 5, 60, 1)
        clock.advance(1)
    assert len(windows) == 60
