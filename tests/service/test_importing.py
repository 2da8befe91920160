"""Moving keys from the SQLite file of one machine to the database of several."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from packshot.errors import ConflictError, InvalidOption
from packshot.service.accounts import Accounts, import_keys
from packshot.service.database import Database, Place
from packshot.service.idempotency import Idempotency
from packshot.service.ledger import Ledger, new_charge_id
from tests.service.kit import Clock


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "old.sqlite3")
    yield database
    database.close()


@pytest.fixture
def target(place: Place) -> Iterator[Database]:
    database = Database(place)
    yield database
    database.close()


def test_all_that_an_owner_has_comes_along(source: Database, target: Database, clock: Clock) -> None:
    old, spent = Accounts(source, now=clock), Ledger(source, now=clock)
    shop, other = old.create("shop", credits=5, rate="3/second"), old.create("other")
    for settle in (True, False):
        spent.charge(shop.id, charge_id := new_charge_id())
        if settle:
            spent.settle(charge_id)
    spent.charge(other.id, charge_id := new_charge_id(), "photo")
    spent.settle(charge_id)
    Idempotency(source, clock, running_s=180).begin(shop.id, "order-1", "hash")
    here = Accounts(target, now=clock).create("was here before")

    assert import_keys(source, target) == 2

    accounts, ledger = Accounts(target, now=clock), Ledger(target, now=clock)
    assert {key.name for key in accounts.list()} == {"shop", "other", "was here before"}
    for new in (shop, other, here):
        assert accounts.authenticate(new.key).id == new.id
    assert (accounts.authenticate(shop.key).credits, accounts.authenticate(shop.key).rate) == (3, "3/second")
    assert ledger.usage(key_id=shop.id) == spent.usage(key_id=shop.id)
    assert ledger.charge(other.id, new_charge_id(), "photo") == 0
    with pytest.raises(ConflictError, match="still running"):
        Idempotency(target, clock, running_s=180).begin(shop.id, "order-1", "hash")
    clock.advance(3600)
    assert ledger.give_back_lost(older_than_s=60) == 1
    assert accounts.authenticate(shop.key).credits == 4


def test_a_second_time_changes_nothing(source: Database, target: Database) -> None:
    new = Accounts(source).create("shop", credits=5)
    import_keys(source, target)
    Ledger(target).charge(new.id, new_charge_id())
    Accounts(source).create("made later")
    with pytest.raises(InvalidOption, match="already"):
        import_keys(source, target)
    assert [(key.name, key.credits) for key in Accounts(target).list()] == [("shop", 4)]


def test_a_database_does_not_take_its_own_keys(source: Database) -> None:
    with pytest.raises(InvalidOption, match="both the source and the target") as caught:
        import_keys(source, source)
    assert "PACKSHOT_DATABASE_URL" in caught.value.hint


@pytest.mark.slow
def test_more_keys_than_fit_one_statement(source: Database, target: Database) -> None:
    accounts = Accounts(source)
    for number in range(1201):
        accounts.create(f"shop {number}")
    assert import_keys(source, target) == 1201
    assert len(Accounts(target).list()) == 1201
