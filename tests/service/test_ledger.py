"""Credits: taken and given back atomically, by threads, processes and replicas that die, on both kinds of database."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from subprocess import PIPE

import pytest

from packshot.errors import OutOfCredits
from packshot.service.accounts import Accounts, KeyInfo
from packshot.service.database import Database, Place
from packshot.service.ledger import DayUsage, Ledger, new_charge_id
from tests.service.kit import Clock, until

DAY_S = 86_400


@dataclass(frozen=True)
class Books:
    """Keys and what they spend, in one database."""

    accounts: Accounts
    ledger: Ledger

    def info(self, key_id: str) -> KeyInfo:
        return next(info for info in self.accounts.list() if info.id == key_id)

    def charge(self, key_id: str) -> str:
        charge_id = new_charge_id()
        self.ledger.charge(key_id, charge_id)
        return charge_id


@pytest.fixture
def books(place: Place, clock: Clock) -> Iterator[Books]:
    database = Database(place)
    yield Books(Accounts(database, now=clock), Ledger(database, now=clock))
    database.close()


def test_credits_are_spent_given_back_and_added(books: Books) -> None:
    new = books.accounts.create("shop", credits=1)
    charge = books.charge(new.id)
    with pytest.raises(OutOfCredits):
        books.charge(new.id)
    books.ledger.refund(charge)
    books.ledger.settle(books.charge(new.id))
    books.accounts.add_credits(new.id, 2)
    info = books.info(new.id)
    assert (info.credits, info.used) == (2, 1)


def test_a_key_without_a_limit_is_counted_and_never_out_of_credits(books: Books) -> None:
    new = books.accounts.create("house")
    for _ in range(50):
        books.ledger.settle(books.charge(new.id))
    books.accounts.add_credits(new.id, 5)
    info = books.info(new.id)
    assert (info.credits, info.used) == (None, 50)


def test_a_charge_is_given_back_once_and_not_after_it_was_settled(books: Books) -> None:
    new = books.accounts.create("shop", credits=5)
    failed, done = books.charge(new.id), books.charge(new.id)
    books.ledger.settle(done)
    for _ in range(3):
        books.ledger.refund(failed)
        books.ledger.refund(done)
        books.ledger.refund(new_charge_id())  # one that was never taken
        books.ledger.settle(failed)
    assert books.info(new.id).credits == 4
    assert [(day.succeeded, day.failed, day.credits) for day in books.ledger.usage()] == [(1, 1, 1)]


def test_what_a_dead_process_took_is_given_back_and_what_still_runs_is_not(books: Books, clock: Clock) -> None:
    new = books.accounts.create("shop", credits=5)
    dead = books.charge(new.id)
    clock.advance(100)
    alive = books.charge(new.id)
    assert books.ledger.give_back_lost(older_than_s=60) == 1
    assert books.ledger.give_back_lost(older_than_s=60) == 0
    books.ledger.settle(dead)  # it was not dead after all: the credit stays with its owner
    books.ledger.settle(alive)
    info = books.info(new.id)
    assert (info.credits, info.used) == (4, 1)


def test_a_charge_by_a_clock_that_was_set_back_since_is_given_back_too(books: Books, clock: Clock) -> None:
    new = books.accounts.create("shop", credits=5)
    books.charge(new.id)
    clock.advance(-2 * DAY_S)
    alive = books.charge(new.id)
    assert books.ledger.give_back_lost(older_than_s=60) == 1
    books.ledger.settle(alive)
    assert books.info(new.id).credits == 4


async def _once(ledger: Ledger, books: Books, key_id: str) -> None:
    running = asyncio.create_task(ledger.run(lost_after_s=60, every_s=0.01))
    try:
        await until(lambda: books.info(key_id).credits == 5)
    finally:
        running.cancel()


def test_a_replica_that_runs_gives_back_what_a_dead_one_took(books: Books, clock: Clock) -> None:
    new = books.accounts.create("shop", credits=5)
    books.charge(new.id)
    clock.advance(61)
    asyncio.run(_once(books.ledger, books, new.id))


def test_looking_for_lost_credits_goes_on_after_a_failure(
    books: Books, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    new, give_back = books.accounts.create("shop", credits=5), books.ledger.give_back_lost
    books.charge(new.id)
    clock.advance(61)

    def flaky(older_than_s: float) -> int:
        monkeypatch.setattr(books.ledger, "give_back_lost", give_back)
        raise OSError("no descriptor is free")

    monkeypatch.setattr(books.ledger, "give_back_lost", flaky)
    asyncio.run(_once(books.ledger, books, new.id))
    assert "no descriptor" in caplog.text


def test_usage_is_by_key_and_day_newest_first(books: Books, clock: Clock) -> None:
    clock.now_s = 1_800_000_000 // DAY_S * DAY_S  # midnight, UTC
    one, other = (books.accounts.create(name) for name in ("one", "other"))
    books.ledger.settle(books.charge(one.id))
    overnight = books.charge(one.id)
    clock.advance(DAY_S)
    books.ledger.refund(overnight)  # of yesterday, and counted there
    books.ledger.settle(books.charge(one.id))
    books.ledger.settle(books.charge(other.id))
    first, second = date(2027, 1, 15), date(2027, 1, 16)
    assert books.ledger.usage(key_id=one.id) == [DayUsage(one.id, second, 1, 0, 1), DayUsage(one.id, first, 1, 1, 1)]
    assert {row.key_id for row in books.ledger.usage()} == {one.id, other.id}
    assert [row.day for row in books.ledger.usage(days=1, key_id=one.id)] == [second]
    clock.advance(40 * DAY_S)
    assert books.ledger.usage(days=30) == []


def test_32_threads_never_overspend_and_lose_nothing(books: Books) -> None:
    new = books.accounts.create("shop", credits=40)

    def work(number: int) -> str:
        try:
            charge = books.charge(new.id)
        except OutOfCredits:
            return "refused"
        if number % 3 == 0:
            books.ledger.refund(charge)
            return "failed"
        books.ledger.settle(charge)
        return "succeeded"

    with ThreadPoolExecutor(32) as threads:
        outcomes = list(threads.map(work, range(192)))
    info = books.info(new.id)
    assert info.credits == 40 - outcomes.count("succeeded") >= 0
    (day,) = books.ledger.usage()
    assert (day.succeeded, day.failed) == (outcomes.count("succeeded"), outcomes.count("failed"))
    assert day.credits == info.used == day.succeeded
    assert books.ledger.give_back_lost(older_than_s=0) == 0


SPENDER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from packshot.errors import OutOfCredits
from packshot.service.database import Database
from packshot.service.ledger import Ledger, new_charge_id

place, key_id = sys.argv[1:]
ledger = Ledger(Database(place if "://" in place else Path(place)))

def charge(_):
    try:
        ledger.charge(key_id, new_charge_id())
    except OutOfCredits:
        return False
    return True

print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(8) as threads:
    print(sum(threads.map(charge, range(90))))
"""


def test_two_processes_with_eight_threads_each_never_overspend(books: Books, place: Place) -> None:
    new = books.accounts.create("shop", credits=100)
    command = [sys.executable, "-c", SPENDER, str(place), new.id]
    spenders = [subprocess.Popen(command, text=True, stdin=PIPE, stdout=PIPE) for _ in range(2)]
    for spender in spenders:
        assert spender.stdout is not None
        assert spender.stdout.readline() == "ready\n"
    for spender in spenders:
        assert spender.stdin is not None
        spender.stdin.write("go\n")
        spender.stdin.flush()
    spent = [int(spender.communicate(timeout=60)[0]) for spender in spenders]
    assert sum(spent) == 100
    info = books.info(new.id)
    assert (info.credits, info.used) == (0, 100)
