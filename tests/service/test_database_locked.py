"""The responses to callers while another process locks accounts.sqlite3, and the time to recovery."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.cli import cli
from packshot.errors import DatabaseUnavailable, NotReachable, OutOfCredits
from packshot.service import database as database_module
from packshot.service.accounts import Accounts, KeyInfo
from packshot.service.database import Database
from packshot.service.ledger import Ledger, new_charge_id
from tests.contract.envelope import success_path
from tests.kit.images import good
from tests.kit.locks import locked
from tests.kit.server import gated, serving, wait_until
from tests.service.kit import works

WAITED = "another process has locked it"
"""The message of a call that waited for the lock; a call rejected at once has another."""


@pytest.fixture
def opened(path: Path) -> Iterator[Database]:
    with closing(Database(path)) as database:
        yield database


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens the wait for the lock, for tests that are not about its length."""
    monkeypatch.setattr(database_module, "_BUSY_TIMEOUT_S", 0.2)


def only(accounts: Accounts) -> KeyInfo:
    (info,) = accounts.list()
    return info


@pytest.mark.slow
def test_a_lock_of_half_a_second_costs_nobody_a_refusal(path: Path, opened: Database) -> None:
    accounts, ledger = Accounts(opened), Ledger(opened)
    new = accounts.create("shop", credits=20)
    with ThreadPoolExecutor(8) as threads:
        with locked(path):
            charges = [threads.submit(ledger.charge, new.id, new_charge_id()) for _ in range(16)]
            time.sleep(0.5)
            assert not any(charge.done() for charge in charges)
        for charge in charges:
            charge.result()
    assert only(accounts).credits == 4


@pytest.mark.slow
def test_a_long_lock_is_waited_for_once_and_its_end_is_noticed(path: Path, opened: Database) -> None:
    accounts, ledger = Accounts(opened), Ledger(opened)
    new = accounts.create("shop", credits=5)

    def refusal(_: int) -> str:
        with pytest.raises(DatabaseUnavailable) as caught:
            ledger.charge(new.id, new_charge_id())
        assert caught.value.retry_after_s >= 1
        return caught.value.message

    with locked(path), ThreadPoolExecutor(12) as threads:
        refusals = list(threads.map(refusal, range(24)))
        assert [WAITED in message for message in refusals].count(True) == 1
        assert not works(opened)  # /readyz asks the same, although reading would work
    wait_until(lambda: works(opened))
    ledger.charge(new.id, new_charge_id())
    assert only(accounts).credits == 4


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_what_cannot_be_given_back_under_the_lock_is_given_back_later(path: Path, opened: Database) -> None:
    accounts, ledger = Accounts(opened), Ledger(opened)
    new = accounts.create("shop", credits=5)
    ledger.charge(new.id, failed := new_charge_id())
    with locked(path), pytest.raises(DatabaseUnavailable):
        ledger.refund(failed)
    wait_until(lambda: works(opened))
    assert ledger.give_back_lost(older_than_s=0) == 1
    assert only(accounts).credits == 5


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, sqlite3.Connection]]:
    """A database without waits for locks or before retries, and another connection to its file."""
    path = tmp_path_factory.mktemp("locks") / "accounts.sqlite3"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_AWAY_S", "_BUSY_TIMEOUT_S", "_STILL_BUSY_TIMEOUT_S"):
            patch.setattr(database_module, name, 0.0)
        with closing(Database(path)) as database, closing(sqlite3.connect(path, isolation_level=None)) as other:
            yield database, other


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(["charge", "settle", "refund", "sweep"]), st.booleans()), max_size=15))
def test_no_order_of_locks_and_calls_loses_a_credit_or_takes_one_twice(
    at_once: tuple[Database, sqlite3.Connection], steps: list[tuple[str, bool]]
) -> None:
    database, other = at_once
    accounts, ledger = Accounts(database), Ledger(database)
    key_id, spent, taken = accounts.create("shop", credits=3).id, 0, list[str]()
    for step, is_locked in steps:
        charge_id = taken[0] if taken and step != "charge" else new_charge_id()
        calls: dict[str, Callable[[], object]] = {
            "charge": lambda name=charge_id: ledger.charge(key_id, name),
            "settle": lambda name=charge_id: ledger.settle(name),
            "refund": lambda name=charge_id: ledger.refund(name),
            "sweep": lambda: ledger.give_back_lost(older_than_s=0),
        }
        if is_locked:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseUnavailable):
                calls[step]()
            other.execute("ROLLBACK")
        elif step == "charge" and spent + len(taken) == 3:
            with pytest.raises(OutOfCredits):
                calls[step]()
        else:
            calls[step]()
            spent += step == "settle" and charge_id in taken
            taken = [*taken, charge_id] if step == "charge" else [] if step == "sweep" else taken[1:]
        info = next(info for info in accounts.list() if info.id == key_id)
        assert (info.credits, info.used) == (3 - spent - len(taken), spent + len(taken))


@pytest.mark.usefixtures("impatient")
def test_commands_say_within_seconds_that_the_file_is_locked_and_those_that_only_read_work(path: Path) -> None:
    def run(*arguments: str) -> Result:
        return CliRunner(env={"PACKSHOT_STATE_DIR": str(path.parent)}).invoke(cli, ["keys", *arguments])

    run("create", "shop")
    with locked(path):
        refused = run("create", "another").exception
        assert isinstance(refused, DatabaseUnavailable)
        assert WAITED in str(refused)
        assert "shop" in run("list").stdout
    assert run("create", "another").exit_code == 0


@pytest.mark.usefixtures("impatient")
def test_a_file_that_cannot_even_be_opened_for_a_lock_is_not_reachable(path: Path) -> None:
    Database(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(NotReachable, match="locked by another process"):
            Database(path)
    Database(path).close()


@pytest.mark.slow
def test_under_the_lock_callers_are_refused_in_every_dialect_and_results_are_served(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_BUSY_TIMEOUT_S", 5.0)  # a busy machine serves a link within 2 s
    picture = good("jpeg")
    with serving(path.parent) as running:
        key = running.new_key(20)
        link = success_path(running.send(picture, key=key))
        with locked(path):
            waiting = [running.send_meanwhile(picture, key=key) for _ in range(8)]
            assert running.http.get(link).status_code == 200
            assert running.http.get("/healthz").status_code == 200
            assert not any(each.done() for each in waiting)  # they block their own threads, not the threads for results
            assert Counter(each.result().status_code for each in waiting) == {503: 8}
            assert running.http.get("/readyz").status_code == 503
            for path_, name in (("/v1/packshots", "x-api-key"), ("/v1.0/removebg", "x-api-key")):
                field = "image" if path_ == "/v1/packshots" else "image_file"
                answer = running.http.post(path_, files={field: ("a.jpg", picture)}, headers={name: key})
                assert answer.status_code == 503
                assert int(answer.headers["Retry-After"]) >= 1
            assert running.http.get(link).status_code == 200
        wait_until(lambda: running.http.get("/readyz").status_code == 200)
        assert running.send(picture, key=key).status_code == 200
        assert running.credits_of(key) == 18


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_a_lock_that_comes_in_mid_work_costs_no_credit(path: Path) -> None:
    with serving(path.parent) as running:
        key = running.new_key(5)
        with gated(running) as gate:
            in_work = running.send_meanwhile(good("jpeg"), key=key)
            gate.wait_for_arrival()
            with locked(path):
                gate.open()
                assert in_work.result().status_code == 503  # no picture without a settled credit
        wait_until(lambda: running.http.get("/readyz").status_code == 200)
        running.service.ledger.give_back_lost(older_than_s=0)  # automatic once no job can be so old
        assert running.credits_of(key) == 5
        assert running.service.ledger.usage()[0].failed == 1
