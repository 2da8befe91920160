"""The fate of a credit when the client disconnects, or the service stops, while it takes or settles the credit."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from packshot.errors import DatabaseUnavailable
from packshot.service.accounts import Accounts
from packshot.service.database import Database
from tests.contract.envelope import failure, success_url
from tests.kit.images import good
from tests.kit.server import PATIENCE_S, Running, head, multipart, serving, wait_until

NAMED = {"Idempotency-Key": "1"}


@contextmanager
def held(part: object, step: str) -> Iterator[threading.Event]:
    """Hold calls of a method at their end, as a slow database would; yields an event, set when a call arrives."""
    arrived, leave, method = threading.Event(), threading.Event(), getattr(part, step)

    def slow(*arguments: object) -> object:
        value = method(*arguments)
        arrived.set()
        leave.wait(PATIENCE_S)
        return value

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(part, step, slow)
        try:
            yield arrived
        finally:
            leave.set()


@pytest.mark.slow
@pytest.mark.parametrize("step", ["begin", "charge", "settle", "finish"])
def test_who_leaves_at_any_step_and_asks_again_pays_once(running: Running, step: str) -> None:
    key = running.new_key(2)
    body, kind = multipart("image", good("jpeg"))
    sent = head(key, kind, len(body)).replace(b"\r\n\r\n", b"\r\nIdempotency-Key: 1\r\n\r\n") + body
    part = running.service.jobs.idempotency if step in {"begin", "finish"} else running.service.ledger
    with held(part, step) as arrived:
        with socket.create_connection(running.address) as leaving:
            leaving.sendall(sent)
            assert arrived.wait(PATIENCE_S)
        for _ in range(3):  # after these turns the loop knows about the disconnect
            assert running.http.get("/healthz").status_code == 200
    wait_until(lambda: not running.server.server_state.tasks)
    success_url(running.send(good("jpeg"), key=key, headers=NAMED))
    assert running.credits_of(key) == 1


@pytest.mark.slow
def test_a_drain_that_runs_out_of_time_says_so_and_gives_the_credit_back(tmp_path: Path) -> None:
    async def never(*_: object) -> None:
        storing.set()
        await asyncio.sleep(60)

    storing = threading.Event()
    with serving(tmp_path, drain_s=0.2) as running:
        key = running.new_key(1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(running.service.store, "put", never)
            answer = running.send_meanwhile(good("jpeg"), key=key, headers=NAMED)
            assert storing.wait(PATIENCE_S)
            running.server.handle_exit(signal.SIGTERM, None)
            response = answer.result(PATIENCE_S)
    failure(response, 503, "AI_SERVICE_FLOW_RESTRICTION")
    assert int(response.headers["retry-after"]) >= 1
    database = Database(tmp_path / "accounts.sqlite3")
    assert Accounts(database).authenticate(key).credits == 1
    database.close()
    with serving(tmp_path) as running:
        success_url(running.send(good("jpeg"), key=key, headers=NAMED))


def test_a_commit_whose_acknowledgement_is_lost_is_paid_once(running: Running) -> None:
    """The caller gets 503, and the same key then returns the result: the payment's commit stored it."""
    key, settle = running.new_key(2), running.service.ledger.settle

    def cut_off(*arguments: Any) -> None:
        settle(*arguments)
        raise DatabaseUnavailable("The connection is gone.", retry_after_s=1, hint="Send it again.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running.service.ledger, "settle", cut_off)
        assert running.send(good("jpeg"), key=key, headers=NAMED).status_code == 503
    success_url(running.send(good("jpeg"), key=key, headers=NAMED))
    assert running.credits_of(key) == 1
