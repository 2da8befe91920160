"""Credits: taken and given back atomically, by threads, processes and dying replicas, on both kinds of database."""

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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from packshot.errors import OutOfCredits
from packshot.service.accounts import Accounts, KeyInfo
from packshot.service.database import Database, Place
from packshot.service.ledger import DayUsage, Ledger, new_charge_id
from packshot.service.tables import PAID_PHOTOS
from tests.service.kit import Clock, until

DAY_S = 86_400


@dataclass(frozen=True)
class Books:
    """Keys and their spending, in one database."""

    accounts: Accounts
    ledger: Ledger
    database: Database

    def info(self, key_id: str) -> KeyInfo:
        return next(info for info in self.accounts.list() if info.id == key_id)

    def charge(self, key_id: str, photo_id: str | None = None) -> str:
        charge_id = new_charge_id()
        self.ledger.charge(key_id, charge_id, photo_id)
        return charge_id

    def paid(self, key_id: str, photo_id: str) -> int:
        """Render a photo, from the charge to the end; returns its cost."""
        return self.ledger.settle(self.charge(key_id, photo_id))

    def figures(self, key_id: str) -> tuple[int, int, int, int]:
        """A key's total spending, and its usage: succeeded, failed, credits."""
        usage = self.ledger.usage(key_id=key_id)
        sums = (sum(getattr(day, name) for day in usage) for name in ("succeeded", "failed", "credits"))
        return (self.info(key_id).used, *sums)  # type: ignore[return-value]


@pytest.fixture
def books(place: Place, clock: Clock) -> Iterator[Books]:
    database = Database(place)
    yield Books(Accounts(database, now=clock), Ledger(database, now=clock), database)
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
        books.ledger.refund(new_charge_id())  # a charge that never happened
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
    books.ledger.settle(dead)  # it was alive after all: the credit stays with its owner
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
    books.ledger.refund(overnight)  # yesterday's charge, counted for yesterday
    books.ledger.settle(books.charge(one.id))
    books.ledger.settle(books.charge(other.id))
    first, second = date(2027, 1, 15), date(2027, 1, 16)
    assert books.ledger.usage(key_id=one.id) == [DayUsage(one.id, second, 1, 0, 1), DayUsage(one.id, first, 1, 1, 1)]
    assert {row.key_id for row in books.ledger.usage()} == {one.id, other.id}
    assert [row.day for row in books.ledger.usage(days=1, key_id=one.id)] == [second]
    clock.advance(40 * DAY_S)
    assert books.ledger.usage(days=30) == []


@pytest.mark.slow
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


@pytest.mark.slow
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


class TestPhotosThatArePaidFor:
    def test_a_photo_costs_a_key_one_credit_a_day(self, books: Books, clock: Clock) -> None:
        one, other = (books.accounts.create(name, credits=3).id for name in ("one", "other"))
        assert [books.paid(one, "photo") for _ in range(3)] == [1, 0, 0]
        assert [books.paid(one, "another photo"), books.paid(other, "photo")] == [1, 1]
        clock.advance(DAY_S - 1)
        assert books.paid(one, "photo") == 0
        clock.advance(1)  # the day runs from the payment, not from the last use
        assert [books.paid(one, "photo") for _ in range(2)] == [1, 0]
        assert books.info(one).credits == 0
        assert books.figures(one) == (3, 7, 0, 3)
        assert books.figures(other) == (1, 1, 0, 1)

    def test_what_has_no_name_costs_a_credit_each_time(self, books: Books) -> None:
        key = books.accounts.create("shop", credits=3).id
        books.paid(key, "photo")
        for _ in range(2):
            assert books.ledger.settle(books.charge(key)) == 1
        assert books.info(key).credits == 0

    def test_a_key_without_credits_renders_what_it_has_paid_for_and_nothing_else(self, books: Books) -> None:
        key = books.accounts.create("shop", credits=1).id
        books.paid(key, "photo")
        assert books.paid(key, "photo") == 0
        for photo_id in (None, "another photo"):
            with pytest.raises(OutOfCredits):
                books.charge(key, photo_id)
        assert books.figures(key) == (1, 2, 0, 1)

    def test_what_fails_makes_nothing_free(self, books: Books, clock: Clock) -> None:
        key = books.accounts.create("shop", credits=5).id
        books.ledger.refund(books.charge(key, "photo"))
        lost = books.charge(key, "photo")
        clock.advance(100)
        assert books.ledger.give_back_lost(older_than_s=60) == 1
        books.ledger.settle(lost)  # it was alive after all: its owner has the credit, and paid nothing
        assert books.paid(key, "photo") == 1
        assert books.figures(key) == (1, 1, 2, 1)

    def test_a_free_charge_that_fails_or_is_lost_gives_nothing_back(self, books: Books, clock: Clock) -> None:
        key = books.accounts.create("shop", credits=5).id
        books.paid(key, "photo")
        books.ledger.refund(books.charge(key, "photo"))
        books.charge(key, "photo")
        clock.advance(100)
        assert books.ledger.give_back_lost(older_than_s=60) == 0
        assert books.info(key).credits == 4
        assert books.figures(key) == (1, 1, 2, 1)

    def test_a_free_charge_stays_free_when_the_day_ends_meanwhile(self, books: Books, clock: Clock) -> None:
        key = books.accounts.create("shop", credits=5).id
        books.paid(key, "photo")
        clock.advance(DAY_S - 1)
        late = books.charge(key, "photo")
        clock.advance(2)
        books.ledger.forget_paid()
        assert books.ledger.settle(late) == 0
        assert books.paid(key, "photo") == 1

    def test_of_two_at_once_the_later_gives_its_credit_back(self, books: Books) -> None:
        key = books.accounts.create("shop", credits=2).id
        both = [books.charge(key, "photo") for _ in range(2)]
        assert books.info(key).credits == 0
        told: list[int] = []
        for charge in both:
            books.ledger.settle(charge, lambda _, spent: told.append(spent))
        assert told == [1, 0]
        for charge in both:
            books.ledger.refund(charge)
            books.ledger.settle(charge)
        assert books.info(key).credits == 1
        assert books.figures(key) == (1, 2, 0, 1)

    def test_what_must_be_true_with_it_is_or_nothing_is(self, books: Books) -> None:
        key = books.accounts.create("shop", credits=2).id
        charge = books.charge(key, "photo")

        def fail(*_: object) -> None:
            raise OSError

        with pytest.raises(OSError):
            books.ledger.settle(charge, fail)
        books.ledger.refund(charge)
        assert books.info(key).credits == 2
        assert books.paid(key, "photo") == 1

    def test_the_day_of_a_clock_that_was_set_back_since_ends_too(self, books: Books, clock: Clock) -> None:
        key = books.accounts.create("shop", credits=5).id
        books.paid(key, "photo")
        clock.advance(-DAY_S - 1)
        assert books.paid(key, "photo") == 1
        assert books.paid(key, "photo") == 0

    def test_a_replica_that_runs_forgets_days_that_are_over_and_no_others(self, books: Books, clock: Clock) -> None:
        key = books.accounts.create("shop", credits=5).id
        books.paid(key, "old")
        clock.advance(DAY_S / 2)
        books.paid(key, "new")
        clock.advance(DAY_S / 2)

        def kept() -> set[str]:
            return {row.photo_id for row in books.database.rows(select(PAID_PHOTOS))}

        async def look() -> None:
            running = asyncio.create_task(books.ledger.run(lost_after_s=60, every_s=0.01))
            await until(lambda: kept() == {"new"})
            running.cancel()

        assert kept() == {"old", "new"}
        asyncio.run(look())

    @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["charge", "settle", "refund", "lose", "wait"]),
                st.sampled_from("xy"),
                st.integers(0, 9),
            ),
            max_size=25,
        )
    )
    def test_in_whatever_order_charges_begin_and_end_each_photo_is_paid_for_once(
        self, books: Books, clock: Clock, steps: list[tuple[str, str, int]]
    ) -> None:
        key = books.accounts.create("shop", credits=100).id
        open_charges: dict[str, tuple[str, int, float]] = {}
        paid_until: dict[str, float] = {}
        spent = succeeded = failed = 0
        for step, photo_id, number in steps:
            if step == "charge":
                cost = books.ledger.charge(key, charge := new_charge_id(), photo_id)
                assert cost == (paid_until.get(photo_id, 0) <= clock())
                open_charges[charge] = photo_id, cost, clock()
            elif step == "wait":
                clock.advance(number * DAY_S / 12)
            elif step == "lose":
                books.ledger.give_back_lost(older_than_s=DAY_S / 4)
                lost = [charge for charge, (*_, began) in open_charges.items() if began <= clock() - DAY_S / 4]
                failed += len([open_charges.pop(charge) for charge in lost])
            elif open_charges:
                charge = list(open_charges)[number % len(open_charges)]
                name, cost, _ = open_charges.pop(charge)
                if step == "refund":
                    books.ledger.refund(charge)
                    failed += 1
                else:
                    due = cost and paid_until.get(name, 0) <= clock()
                    assert books.ledger.settle(charge) == due
                    succeeded += 1
                    if due:
                        spent += 1
                        paid_until[name] = clock() + DAY_S
        held = sum(cost for _, cost, _ in open_charges.values())
        assert books.info(key).credits == 100 - spent - held
        assert books.figures(key) == (spent + held, succeeded, failed, spent + held)
        for charge in open_charges:
            books.ledger.refund(charge)

    @pytest.mark.slow
    def test_32_threads_pay_once_for_each_photo(self, books: Books) -> None:
        key = books.accounts.create("shop", credits=192).id

        def work(number: int) -> int:
            charge = books.charge(key, f"photo {number % 3}")
            if number % 5 == 0:
                books.ledger.refund(charge)
                return 0
            return books.ledger.settle(charge)

        with ThreadPoolExecutor(32) as threads:
            spent = sum(threads.map(work, range(192)))
        assert spent == 3
        assert books.info(key).credits == 189
        assert books.figures(key) == (3, 153, 39, 3)
        assert books.ledger.give_back_lost(older_than_s=0) == 0
