"""The queue of jobs: each item ends once, even if workers die or stall, on both kinds of database."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from packshot.service.database import Database
from packshot.service.queue import LEASE_S, Item, Queue, Superseded
from packshot.service.tables import WORK
from tests.service.kit import Clock


@pytest.fixture
def queue(database: Database, clock: Clock) -> Queue:
    return Queue(database, clock)


def add(queue: Queue, database: Database, job_id: str, count: int) -> None:
    with database.transaction() as connection:
        queue.add(connection, job_id, "photo", [{"name": f"{job_id} {number}"} for number in range(count)])


def claimed(queue: Queue) -> Item:
    item = queue.claim("photo")
    assert item is not None
    return item


def end(queue: Queue, database: Database, item: Item) -> None:
    with database.transaction() as connection:
        queue.end(connection, item, "done", "{}")


def test_a_small_job_does_not_wait_for_the_whole_of_a_large_one(queue: Queue, database: Database, clock: Clock) -> None:
    add(queue, database, "large", 5)
    clock.advance(1)
    add(queue, database, "small", 2)
    turns = [claimed(queue).source["name"] for _ in range(7)]
    assert turns == ["large 0", "small 0", "large 1", "small 1", "large 2", "large 3", "large 4"]
    assert queue.claim("photo") is None


def test_kinds_are_apart(queue: Queue, database: Database) -> None:
    add(queue, database, "a", 1)
    assert queue.claim("webhook") is None
    assert claimed(queue).job_id == "a"


def test_many_workers_at_once_get_each_item_once(queue: Queue, database: Database) -> None:
    add(queue, database, "a", 40)
    with ThreadPoolExecutor(8) as threads:
        items = [item for item in threads.map(lambda _: queue.claim("photo"), range(60)) if item is not None]
    assert sorted(item.number for item in items) == list(range(40))


def test_a_lease_that_is_renewed_holds_and_one_that_is_not_goes_to_another(
    queue: Queue, database: Database, clock: Clock
) -> None:
    add(queue, database, "a", 1)
    first = claimed(queue)
    for _ in range(5):
        clock.advance(LEASE_S - 1)
        assert queue.claim("photo") is None
        assert queue.renew(first)
    clock.advance(LEASE_S)
    second = claimed(queue)
    assert (second.claims, second.losses, second.earlier_claim_id) == (2, 1, first.claim_id)
    assert not queue.renew(first)
    queue.give_back(first)
    assert queue.claim("photo") is None, "the first worker has lost its claim"
    with pytest.raises(Superseded):
        end(queue, database, first)
    end(queue, database, second)
    with database.transaction() as connection:
        assert not queue.is_open(connection, "a")


def test_the_end_is_part_of_the_callers_transaction(queue: Queue, database: Database, clock: Clock) -> None:
    add(queue, database, "a", 1)
    item = claimed(queue)
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:
        queue.end(connection, item, "done", "{}")
        raise ZeroDivisionError
    assert queue.renew(item), "the item has not ended"


def test_what_is_given_back_comes_again_after_its_pause(queue: Queue, database: Database, clock: Clock) -> None:
    add(queue, database, "a", 1)
    queue.give_back(claimed(queue), after_s=100)
    assert queue.claim("photo") is None
    clock.advance(100)
    again = claimed(queue)
    assert (again.claims, again.losses) == (2, 0), "nobody died"


def test_a_job_that_is_cancelled_is_nobodys(queue: Queue, database: Database) -> None:
    add(queue, database, "a", 3)
    add(queue, database, "b", 1)
    held = claimed(queue)
    with database.transaction() as connection:
        queue.cancel(connection, "a")
        assert not queue.is_open(connection, "a")
        assert queue.is_open(connection, "b")
    assert not queue.renew(held)
    with pytest.raises(Superseded):
        end(queue, database, held)
    assert claimed(queue).job_id == "b"
    assert queue.claim("photo") is None


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Created once: creating the tables takes longer than all the work in them."""
    opened = Database(tmp_path_factory.mktemp("tables") / "accounts.sqlite3")
    yield opened
    opened.close()


@pytest.mark.slow
@given(seed=st.integers(0, 2**32))
def test_whatever_happens_each_item_ends_once(tables: Database, seed: int) -> None:
    """Workers claim, die, stall, give back and end in any order, while the clock advances."""
    chance, clock = random.Random(seed), Clock()
    tables.change(delete(WORK))
    queue, ended, held = Queue(tables, clock), Counter[str](), list[Item]()
    add(queue, tables, "a", 4)
    for _ in range(40):
        match chance.randrange(6):
            case 0 | 1:
                item = queue.claim("photo")
                held += [item] if item else []
            case 2 if held:
                queue.renew(chance.choice(held))
            case 3 if held:
                queue.give_back(held.pop(chance.randrange(len(held))), chance.choice([0, 5]))
            case 4 if held:
                item = chance.choice(held)  # this worker may claim it again later
                try:
                    end(queue, tables, item)
                except Superseded:
                    continue
                ended[item.id] += 1
            case _:
                clock.advance(chance.choice([1, LEASE_S / 2, LEASE_S]))
    clock.advance(10 * LEASE_S)
    while item := queue.claim("photo"):
        end(queue, tables, item)
        ended[item.id] += 1
    assert set(ended.values()) == {1}
    assert len(ended) == 4
