"""A key's credits and usage, in each dialect, and its remaining rate limit on every response."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.kit.images import flat_png, good
from tests.kit.server import ENDPOINT, Running, serving


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("account")) as service:
        yield service


@pytest.mark.slow
def test_the_account_counts_what_succeeded_and_what_failed(running: Running) -> None:
    key = running.new_key(5)
    assert running.send(good("jpeg"), key=key).status_code == 200
    assert running.send(flat_png(64, 64), key=key).status_code == 422  # no product in it
    before = datetime.now(UTC).date()
    answer = running.http.get("/v1/account", headers={"authorization": f"Bearer {key}"})
    account = answer.json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert (account["name"], account["credits"], account["used"], account["rate"]) == ("test", 4, 1, None)
    (day,) = account["usage"]
    assert (day["succeeded"], day["failed"], day["credits"]) == (1, 1, 1)
    assert day["day"] in {before.isoformat(), datetime.now(UTC).date().isoformat()}
    assert account["id"] not in key
    assert key not in answer.text


def test_a_key_sees_itself_alone(running: Running) -> None:
    running.send(good("jpeg"), key=running.new_key(5))
    account = running.http.get("/v1/account", headers={"x-api-key": running.new_key()}).json()
    assert (account["credits"], account["used"], account["usage"]) == (None, 0, [])


def test_the_vendors_query_adds_up_its_pools(running: Running) -> None:
    key = running.new_key(5)
    running.send(good("jpeg"), key=key)
    answer = running.http.get("/api/common/query-credits", headers={"ailabapi-api-key": key})
    body = answer.json()
    assert (answer.status_code, body["error_code"]) == (200, 0)
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert sum(pool["balance"] for pool in body["data"]) == 4
    assert sum(pool["total"] for pool in body["data"]) == 5


def test_an_endless_key_has_enough_for_programs_that_look(running: Running) -> None:
    answer = running.http.get("/api/common/query-credits", headers={"ailabapi-api-key": running.new_key()})
    assert answer.json()["data"][0]["balance"] >= 1000


@pytest.mark.parametrize("path", ["/v1/account", "/api/common/query-credits"])
def test_without_a_key_nothing_is_told(running: Running, path: str) -> None:
    assert running.http.get(path).status_code == 401


@pytest.mark.slow
def test_every_answer_of_a_limited_key_tells_what_is_left(tmp_path: Path) -> None:
    with serving(tmp_path, rate_limit="100/hour") as running:
        new = running.service.accounts.create("shop", rate="3/hour")
        headers = {"x-api-key": new.key, "x-api-market-key": new.key}
        answers = [
            running.http.get("/v1/account", headers=headers),
            running.send(good("jpeg"), key=new.key),
            running.http.post(ENDPOINT, headers=headers),  # no photo: rejected, and counted
            running.http.get("/v1/account", headers=headers),
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 400, 429]
        assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
        assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"3"}
        assert not any("RateLimit-Limit" in answer.headers for answer in answers)  # one family of names
        assert answers[0].json()["rate"] == "3/hour"
        assert "X-RateLimit-Limit" not in running.http.get("/healthz").headers
