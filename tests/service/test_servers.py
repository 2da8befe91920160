"""The servers that other tests need do start here; if one cannot, this test reports the reason."""

from __future__ import annotations

import pytest

from tests.kit.postgres import postgres_server
from tests.kit.redis import redis_server

pytestmark = pytest.mark.services


def test_postgresql_starts_and_comes_back() -> None:
    import psycopg

    with postgres_server() as server:
        address = server.new_database().replace("+psycopg", "")
        with psycopg.connect(address) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        server.stop()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(address)


def test_redis_starts_and_comes_back_empty() -> None:
    import redis

    with redis_server() as server, redis.Redis.from_url(server.url) as client:
        client.set("a", "1")
        server.stop()
        with pytest.raises(redis.exceptions.ConnectionError):
            client.get("a")
        server.start()
        assert client.get("a") is None
