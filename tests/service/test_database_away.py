"""The responses to callers while PostgreSQL is stopped, silent or absent, and the time to recovery."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from packshot.errors import DatabaseUnavailable, NotReachable
from packshot.service.accounts import Accounts
from packshot.service.database import DEADLINE_S, Database
from packshot.service.ledger import Ledger, new_charge_id
from tests.kit.images import good
from tests.kit.postgres import Postgres, postgres_server
from tests.kit.processes import free_port
from tests.kit.server import gated, serving, wait_until
from tests.service.kit import works

pytestmark = pytest.mark.services


@pytest.fixture
def server() -> Iterator[Postgres]:
    """A separate server for each test, which stops it."""
    with postgres_server() as server:
        yield server


def test_a_stopped_server_is_said_at_once_and_its_return_is_noticed(server: Postgres) -> None:
    database = Database(server.new_database())
    accounts = Accounts(database)
    key = accounts.create("shop").key
    server.stop()
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(DatabaseUnavailable) as caught:
            accounts.authenticate(key)
    assert caught.value.retry_after_s >= 1
    assert time.monotonic() - began < 5
    server.start()
    wait_until(lambda: works(database))
    assert accounts.authenticate(key).name == "shop"
    database.close()


def test_a_restart_between_two_requests_costs_neither(server: Postgres) -> None:
    database = Database(server.new_database())
    accounts = Accounts(database)
    key = accounts.create("shop").key
    with ThreadPoolExecutor(8) as threads:  # several connections that will break
        list(threads.map(lambda _: accounts.authenticate(key), range(32)))
    server.stop()
    server.start()
    time.sleep(1.1)  # longer than an idle connection stays unchecked
    with ThreadPoolExecutor(8) as threads:
        assert all(info.name == "shop" for info in threads.map(lambda _: accounts.authenticate(key), range(32)))
    database.close()


def test_a_silent_server_is_given_up_within_the_deadline_and_no_credit_is_lost(server: Postgres) -> None:
    database = Database(server.new_database())
    accounts, ledger = Accounts(database), Ledger(database)
    new = accounts.create("shop", credits=5)
    ledger.charge(new.id, charge_id := new_charge_id())
    children = _children(server)
    for process in children:
        process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            ledger.refund(charge_id)
        assert time.monotonic() - began < DEADLINE_S + 1
    finally:
        for process in children:
            process.send_signal(signal.SIGCONT)
    wait_until(lambda: works(database))
    ledger.give_back_lost(older_than_s=0)
    assert accounts.authenticate(new.key).credits == 5
    database.close()


def test_a_database_that_is_not_there_is_a_setup_error_without_its_password() -> None:
    url = f"postgresql://user:hunter2@127.0.0.1:{free_port()}/none"
    with pytest.raises(NotReachable, match="PACKSHOT_DATABASE_URL") as caught:
        Database(url)
    assert "hunter2" not in str(caught.value)


def test_a_service_without_its_database_asks_to_come_again_and_recovers(server: Postgres, tmp_path: Path) -> None:
    picture = good("jpeg")
    with serving(tmp_path, database_url=server.new_database()) as running:
        key = running.new_key(5)
        assert running.send(picture, key=key).status_code == 200
        assert running.http.get("/readyz").status_code == 200
        server.stop()
        vendor = running.send(picture, key=key)
        native = running.http.get("/v1/account", headers={"x-api-key": key})
        other = running.http.get("/v1.0/account", headers={"x-api-key": key})
        for answer in (vendor, native, other, running.http.get("/readyz")):
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) >= 1
        assert native.json()["slug"] == "database-unavailable"
        assert running.http.get("/healthz").status_code == 200
        server.start()
        wait_until(lambda: running.http.get("/readyz").status_code == 200)
        assert running.send(picture, key=key).status_code == 200
        account = running.http.get("/v1/account", headers={"x-api-key": key}).json()
        assert account["credits"] == 3
        assert [(day["succeeded"], day["failed"], day["credits"]) for day in account["usage"]] == [(2, 0, 2)]


def test_a_database_that_goes_away_in_mid_work_costs_no_credit(server: Postgres, tmp_path: Path) -> None:
    with serving(tmp_path, database_url=server.new_database()) as running:
        key = running.new_key(5)
        with gated(running) as gate:
            waiting = running.send_meanwhile(good("jpeg"), key=key)
            gate.wait_for_arrival()
            server.stop()
            gate.open()
            answer = waiting.result()
        assert answer.status_code == 503  # no picture without a settled credit
        server.start()
        wait_until(lambda: running.http.get("/readyz").status_code == 200)
        assert running.credits_of(key) == 4  # not yet: the charge may be a live replica's
        running.service.ledger.give_back_lost(older_than_s=0)
        assert running.credits_of(key) == 5


def _children(server: Postgres) -> list[_Process]:
    """The processes that serve connections; the parent still accepts new ones, as a sick machine does."""
    return [
        _Process(int(path.parent.name)) for path in Path("/proc").glob("[0-9]*/stat") if _parent(path) == server.pid
    ]


def _parent(path: Path) -> int:
    try:
        return int(path.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return -1


class _Process:
    def __init__(self, pid: int) -> None:
        self.pid = pid

    def send_signal(self, what: signal.Signals) -> None:
        import os

        os.kill(self.pid, what)
