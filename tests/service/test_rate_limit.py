from __future__ import annotations

import time

import pytest

from packshot.errors import RateLimited
from packshot.service.rate_limit import RateLimiter


def test_without_a_limit_all_may_pass() -> None:
    limiter = RateLimiter(None)
    for _ in range(1000):
        limiter.hit("key")


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
