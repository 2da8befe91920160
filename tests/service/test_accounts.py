from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from packshot.errors import InvalidOption, LockedKey, MissingKey, UnknownKey
from packshot.service.accounts import Accounts, KeptKey, new_api_key
from packshot.service.database import Database, Place
from tests.service.kit import Clock


@pytest.fixture
def accounts(database: Database, clock: Clock) -> Accounts:
    return Accounts(database, now=clock)


def test_a_key_lets_its_owner_in(accounts: Accounts) -> None:
    new = accounts.create("shop", credits=3)
    info = accounts.authenticate(new.key)
    assert (info.id, info.name, info.credits, info.state) == (new.id, "shop", 3, "active")


def test_the_key_itself_is_kept_nowhere(path: Path) -> None:
    database = Database(path)
    accounts = Accounts(database)
    new = accounts.create("shop")
    accounts.authenticate(new.key)
    on_disk = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"shop" in on_disk
    assert new.key.encode() not in on_disk
    assert new.key not in repr(new) + repr(accounts.list())
    database.close()


@pytest.mark.parametrize("key", [None, ""])
def test_no_key_is_a_missing_key(accounts: Accounts, key: str | None) -> None:
    with pytest.raises(MissingKey):
        accounts.authenticate(key)


def test_a_key_that_was_not_made_here_is_unknown(accounts: Accounts) -> None:
    with pytest.raises(UnknownKey):
        accounts.authenticate(new_api_key())


@pytest.mark.slow
@pytest.mark.parametrize("key", ["x", "pk_" + "0" * 49, "pk_é", "p" * 10_000, "pk_\x00"])
def test_rubbish_is_refused_without_a_look_into_the_database(database: Database, accounts: Accounts, key: str) -> None:
    database.close()
    with pytest.raises(UnknownKey):
        accounts.authenticate(key)


def test_locked_and_revoked_keys_are_refused_and_only_locked_ones_come_back(accounts: Accounts) -> None:
    new, other = accounts.create("shop"), accounts.create("shop")
    accounts.lock(new.id)
    with pytest.raises(LockedKey, match="locked"):
        accounts.authenticate(new.key)
    accounts.unlock(new.id)
    accounts.authenticate(new.key)
    accounts.revoke(new.id)
    with pytest.raises(LockedKey, match="revoked"):
        accounts.authenticate(new.key)
    for change in (accounts.unlock, accounts.lock):
        with pytest.raises(InvalidOption, match="for good"):
            change(new.id)
    accounts.authenticate(other.key)  # the owner's second key still works


def test_a_key_expires(accounts: Accounts, clock: Clock) -> None:
    new = accounts.create("trial", expires_at=clock() + 60)
    clock.advance(59)
    accounts.authenticate(new.key)
    clock.advance(1)
    with pytest.raises(UnknownKey, match="expired"):
        accounts.authenticate(new.key)


def test_commands_on_an_id_that_is_not_there_say_so(accounts: Accounts) -> None:
    for change in (accounts.lock, accounts.unlock, accounts.revoke, lambda key_id: accounts.add_credits(key_id, 1)):
        with pytest.raises(UnknownKey, match="nobody"):
            change("nobody")


def test_nobody_has_debts(accounts: Accounts) -> None:
    with pytest.raises(InvalidOption):
        accounts.create("shop", credits=-1)
    new = accounts.create("shop", credits=5)
    with pytest.raises(InvalidOption):
        accounts.add_credits(new.id, -10)
    assert accounts.authenticate(new.key).credits == 5


def test_last_use_is_written_once_a_minute(accounts: Accounts, clock: Clock) -> None:
    new, begin = accounts.create("shop"), clock()
    for step_s, written_s in ((0, 0), (30, 0), (29, 0), (1, 60), (30, 60)):
        clock.advance(step_s)
        accounts.authenticate(new.key)
        assert accounts.list()[0].last_used_at == begin + written_s
    clock.advance(-2 * 86_400)  # a clock that was set back
    accounts.authenticate(new.key)
    assert accounts.list()[0].last_used_at == clock()


def test_a_restart_forgets_nothing(place: Place, clock: Clock) -> None:
    with closing(Database(place)) as first:
        new = Accounts(first, now=clock).create("shop", credits=5)
    with closing(Database(place)) as second:
        assert Accounts(second, now=clock).authenticate(new.key).credits == 5


def test_keys_are_listed_in_the_order_of_their_making(accounts: Accounts, clock: Clock) -> None:
    made = []
    for name in ("a", "b", "c"):
        clock.advance(1)
        made.append(accounts.create(name).id)
    assert [info.id for info in accounts.list()] == made


class Note:
    """Holds the text of one key."""

    text: str | None = None

    def keep(self, accounts: Accounts, credit_count: int | None = None) -> KeptKey:
        return accounts.keep(
            "kept", credit_count, read=lambda: self.text, write=lambda text: setattr(self, "text", text)
        )


def test_a_kept_key_is_made_once_and_found_again_whatever_its_credits(accounts: Accounts) -> None:
    note = Note()
    made = note.keep(accounts, 0)
    assert made.key == note.text
    assert made.key not in repr(made)
    assert accounts.authenticate(made.key) == made.info
    assert (made.info.name, made.info.credits) == ("kept", 0)
    accounts.lock(made.info.id)
    assert note.keep(accounts, 7).info.state == "locked"
    accounts.unlock(made.info.id)
    assert note.keep(accounts).key == made.key
    assert len(accounts.list()) == 1


END = {
    "revoked": lambda accounts, note, key_id: accounts.revoke(key_id),
    "expired": lambda accounts, note, key_id: accounts.expire(key_id, 1.0),
    "rotated away": lambda accounts, note, key_id: accounts.rotate(key_id, grace_s=0),
    "lost": lambda accounts, note, key_id: setattr(note, "text", None),
    "of another database": lambda accounts, note, key_id: setattr(note, "text", new_api_key()),
    "cut": lambda accounts, note, key_id: setattr(note, "text", "pk_1"),
}


@pytest.mark.slow
@pytest.mark.parametrize("end", END)
def test_a_kept_key_that_has_ended_is_replaced_by_a_new_one(accounts: Accounts, end: str) -> None:
    note = Note()
    old = note.keep(accounts)
    END[end](accounts, note, old.info.id)
    new = note.keep(accounts, 3)
    assert new.key not in {old.key, "pk_1"}
    assert accounts.authenticate(new.key).credits == 3
    assert note.keep(accounts) == KeptKey(new.key, accounts.authenticate(new.key))


def test_a_key_that_cannot_be_kept_is_not_made(accounts: Accounts) -> None:
    def full(_: str) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        accounts.keep("kept", None, read=lambda: None, write=full)
    assert accounts.list() == []


def test_threads_make_one_kept_key_between_them_on_a_fresh_database(place: Place) -> None:
    note = Note()

    def start(_: int) -> str:
        with closing(Database(place)) as mine:  # each with its own connection, as processes have
            return note.keep(Accounts(mine)).key

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(start, range(24))) == {note.text}
    with closing(Database(place)) as mine:
        assert len(Accounts(mine).list()) == 1


def test_the_file_is_the_owners_alone(path: Path) -> None:
    database = Database(path)
    Accounts(database).create("shop")
    assert {oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()} == {"0o600"}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()


def test_a_rotated_key_has_two_texts_for_a_while(accounts: Accounts, clock: Clock) -> None:
    first = accounts.create("shop", credits=3, rate="5/second")
    second = accounts.rotate(first.id, grace_s=100)
    assert second.key != first.key
    for key in (first.key, second.key):
        info = accounts.authenticate(key)
        assert (info.id, info.credits, info.rate) == (first.id, 3, "5/second")
    clock.advance(100)
    accounts.authenticate(second.key)
    with pytest.raises(UnknownKey):
        accounts.authenticate(first.key)


def test_a_leaked_key_is_replaced_at_once_and_a_third_text_ends_the_first(accounts: Accounts) -> None:
    first = accounts.create("shop")
    second = accounts.rotate(first.id, grace_s=0)
    with pytest.raises(UnknownKey):
        accounts.authenticate(first.key)
    third = accounts.rotate(first.id)
    accounts.rotate(first.id)
    accounts.authenticate(third.key)
    with pytest.raises(UnknownKey):
        accounts.authenticate(second.key)


def test_a_key_is_relabelled_given_a_rate_another_end_and_other_credits(accounts: Accounts, clock: Clock) -> None:
    new = accounts.create("shop", credits=3)
    accounts.label(new.id, "the shop in Rome")
    accounts.set_rate(new.id, "10/minute")
    accounts.expire(new.id, clock() + 60)
    accounts.set_credits(new.id, 8)
    info = accounts.authenticate(new.key)
    assert (info.name, info.rate, info.expires_at, info.credits) == ("the shop in Rome", "10/minute", clock() + 60, 8)
    accounts.set_credits(new.id, None)
    accounts.expire(new.id, None)
    accounts.set_rate(new.id, None)
    info = accounts.authenticate(new.key)
    assert (info.rate, info.expires_at, info.credits) == (None, None, None)


@pytest.mark.parametrize("rate", ["", "fast", "0/second", "10/second; 20/minute"])
def test_a_rate_that_is_none_is_refused(accounts: Accounts, rate: str) -> None:
    with pytest.raises(InvalidOption, match="rate"):
        accounts.create("shop", rate=rate)
    assert accounts.list() == []
