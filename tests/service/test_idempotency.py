from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from packshot.errors import ConflictError, InvalidOption
from packshot.service.accounts import Accounts
from packshot.service.database import Database, Place
from packshot.service.idempotency import KEPT_S, Idempotency
from tests.service.kit import Clock

RUNNING_S = 180.0


def over(database: Database, clock: Clock) -> Idempotency:
    return Idempotency(database, now=clock, running_s=RUNNING_S)


def finish(database: Database, idempotency: Idempotency, outcome: str) -> None:
    with database.transaction() as connection:
        idempotency.finish("owner", "order-1", outcome, connection)


@pytest.fixture
def idempotency(database: Database, clock: Clock) -> Idempotency:
    return over(database, clock)


def test_the_second_time_the_first_outcome_is_answered(database: Database, idempotency: Idempotency) -> None:
    assert idempotency.begin("owner", "order-1", "hash") is None
    finish(database, idempotency, '{"a": 1}')
    assert idempotency.begin("owner", "order-1", "hash") == '{"a": 1}'


def test_another_request_or_one_that_still_runs_is_a_conflict(database: Database, idempotency: Idempotency) -> None:
    idempotency.begin("owner", "order-1", "hash")
    with pytest.raises(ConflictError, match="still running"):
        idempotency.begin("owner", "order-1", "hash")
    with pytest.raises(ConflictError, match="another request"):
        idempotency.begin("owner", "order-1", "other hash")
    finish(database, idempotency, "done")
    with pytest.raises(ConflictError, match="another request"):
        idempotency.begin("owner", "order-1", "other hash")


def test_owners_do_not_see_each_other(idempotency: Idempotency) -> None:
    idempotency.begin("owner", "order-1", "hash")
    assert idempotency.begin("other owner", "order-1", "other hash") is None


def test_failed_work_may_be_tried_again_and_finished_work_may_not_be_abandoned(
    database: Database, idempotency: Idempotency
) -> None:
    idempotency.begin("owner", "order-1", "hash")
    idempotency.abandon("owner", "order-1")
    assert idempotency.begin("owner", "order-1", "hash") is None
    finish(database, idempotency, "done")
    idempotency.abandon("owner", "order-1")
    assert idempotency.begin("owner", "order-1", "hash") == "done"


def test_outcomes_live_for_a_day(database: Database, idempotency: Idempotency, clock: Clock) -> None:
    idempotency.begin("owner", "order-1", "hash")
    finish(database, idempotency, "done")
    clock.advance(KEPT_S - 1)
    assert idempotency.begin("owner", "order-1", "hash") == "done"
    clock.advance(1)
    assert idempotency.begin("owner", "order-1", "other hash") is None


def test_what_a_dead_process_began_does_not_block_its_key_for_a_day(place: Place, clock: Clock) -> None:
    with closing(Database(place)) as dead:
        over(dead, clock).begin("owner", "order-1", "hash")
    database = Database(place)
    alive = over(database, clock)
    clock.advance(RUNNING_S - 1)
    with pytest.raises(ConflictError):
        alive.begin("owner", "order-1", "hash")
    clock.advance(1)
    assert alive.begin("owner", "order-1", "hash") is None
    database.close()


def test_outcomes_survive_a_restart_beside_the_accounts(place: Place, clock: Clock) -> None:
    with closing(Database(place)) as beside, closing(Database(place)) as database:
        Accounts(beside, now=clock).create("shop")
        first = over(database, clock)
        first.begin("owner", "order-1", "hash")
        finish(database, first, "done")
    with closing(Database(place)) as database:
        assert over(database, clock).begin("owner", "order-1", "hash") == "done"


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_of_unreasonable_length_is_refused(idempotency: Idempotency, key: str) -> None:
    with pytest.raises(InvalidOption):
        idempotency.begin("owner", key, "hash")


def test_of_many_at_once_one_does_the_work(place: Place) -> None:
    def begin(_: int) -> bool:
        with closing(Database(place)) as mine:
            try:
                return over(mine, Clock()).begin("owner", "order-1", "hash") is None
            except ConflictError:
                return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(begin, range(24))) == 1


def test_a_clock_that_is_set_back_keeps_no_dead_request_and_forgets_no_finished_one(
    database: Database, clock: Clock, idempotency: Idempotency
) -> None:
    idempotency.begin("owner", "order-1", "hash")
    finish(database, idempotency, "done")
    idempotency.begin("owner", "order-2", "hash")
    clock.advance(-KEPT_S / 2)
    assert idempotency.begin("owner", "order-1", "hash") == "done"
    assert idempotency.begin("owner", "order-2", "hash") is None
    clock.advance(-2 * KEPT_S)
    assert idempotency.begin("owner", "order-1", "hash") == "done"  # the result was paid for
