"""Rate limits that all replicas share, in a real Redis that the tests stop, silence and restart."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from packshot.errors import LimiterUnavailable, RateLimited
from packshot.service.rate_limit import ANSWER_WITHIN_S, RateLimiter
from tests.kit.redis import Redis, redis_server
from tests.kit.server import serving, wait_until

pytestmark = pytest.mark.services


@pytest.fixture
def server() -> Iterator[Redis]:
    with redis_server() as server:
        yield server


def test_replicas_count_together(server: Redis) -> None:
    one, other = (RateLimiter("3/minute", server.url) for _ in range(2))
    seen = [one.hit("key"), other.hit("key"), one.hit("key")]
    assert [window.remaining for window in seen if window] == [2, 1, 0]
    with pytest.raises(RateLimited):
        other.hit("key")
    assert other.hit("another key") is not None


def test_a_key_may_have_a_rate_of_its_own(server: Redis) -> None:
    limiter = RateLimiter("1/minute", server.url)
    for remaining in (4, 3):
        window = limiter.hit("key", "5/minute")
        assert window is not None
        assert (window.limit, window.remaining) == (5, remaining)
    assert RateLimiter(None, server.url).hit("free") is None


def test_the_clock_is_redis_own(server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (RateLimiter("3/minute", server.url) for _ in range(2))
    one.hit("key")
    with monkeypatch.context() as patch:
        days_ahead = time.time() + 2 * 86_400
        patch.setattr(time, "time", lambda: days_ahead)
        window = other.hit("key")
    assert window is not None
    assert (window.remaining, window.resets_at) == (1, pytest.approx(days_ahead + 60, abs=5))
    one.hit("key")
    with pytest.raises(RateLimited) as caught:
        one.hit("key")
    assert 50 <= caught.value.retry_after_s <= 60


def test_a_redis_whose_clock_is_set_back_locks_nobody(server: Redis) -> None:
    limiter = RateLimiter("1/minute", server.url)
    limiter.hit("key")
    with redis.Redis.from_url(server.url) as client:  # the window as seen by a clock that is two days slow
        (name,) = client.keys()
        client.lset(name, 0, int((time.time() + 2 * 86_400) * 1e6))
    limiter.hit("key")
    with pytest.raises(RateLimited):
        limiter.hit("key")


def test_a_hit_may_count_for_several_and_a_window_moves(server: Redis) -> None:
    limiter = RateLimiter(None, server.url)
    assert limiter.hit_for("checks", "key", "5/second", 3).remaining == 2
    with pytest.raises(RateLimited) as caught:
        limiter.hit_for("checks", "key", "5/second", 3)
    assert caught.value.fields["remaining"] == 2
    assert limiter.hit_for("checks", "key", "5/second", 2).remaining == 0
    time.sleep(1.1)
    assert limiter.hit_for("checks", "key", "5/second", 100).remaining == 0


def test_open_each_process_counts_for_itself_and_says_so_once(server: Redis, caplog: pytest.LogCaptureFixture) -> None:
    limiter = RateLimiter("3/minute", server.url)
    limiter.hit("key")
    server.stop()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            limiter.hit("key")
        with pytest.raises(RateLimited):  # the local memory has a limit too
            limiter.hit("key")
    assert len([record for record in caplog.records if "Redis" in record.message]) == 1
    server.start()
    time.sleep(1.1)  # the time without queries to Redis
    window = limiter.hit("key")
    assert window is not None
    assert window.remaining == 2  # Redis came back empty


def test_closed_nobody_with_a_limit_is_let_in(server: Redis) -> None:
    limiter = RateLimiter("3/minute", server.url, fail_closed=True)
    server.stop()
    for _ in range(2):
        with pytest.raises(LimiterUnavailable) as caught:
            limiter.hit("key")
    assert caught.value.retry_after_s >= 1
    server.start()
    time.sleep(1.1)
    limiter.hit("key")


def test_a_silent_redis_is_not_waited_for(server: Redis) -> None:
    limiter = RateLimiter("1000/minute", server.url)
    limiter.hit("key")
    server.send(signal.SIGSTOP)
    began = time.monotonic()
    for _ in range(50):
        limiter.hit("key")
    assert time.monotonic() - began < 3 * ANSWER_WITHIN_S
    server.send(signal.SIGCONT)


def test_two_services_share_a_limit_and_tell_it_in_their_headers(server: Redis, tmp_path: Path) -> None:
    limits = {"rate_limit": "3/hour", "rate_limit_url": server.url}
    with serving(tmp_path, **limits) as one, serving(tmp_path, **limits) as other:
        headers = {"x-api-key": one.new_key()}
        answers = [each.http.get("/v1/account", headers=headers) for each in (one, other, one, other)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
        assert int(answers[-1].headers["X-RateLimit-Reset"]) == pytest.approx(time.time() + 3600, abs=100)
        server.stop()
        assert other.http.get("/v1/account", headers=headers).status_code == 200
        server.start()
        wait_until(lambda: one.http.get("/readyz").status_code == 200)
