from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from subprocess import PIPE

import pytest

from packshot.errors import InvalidOption, LockedKey, MissingKey, OutOfCredits, UnknownKey
from packshot.service.accounts import Accounts
from packshot.service.api_keys import new_api_key
from tests.service.kit import Clock


@pytest.fixture
def accounts(path: Path, clock: Clock) -> Iterator[Accounts]:
    opened = Accounts(path, now=clock)
    yield opened
    opened.close()


def test_a_key_lets_its_owner_in(accounts: Accounts) -> None:
    new = accounts.create("shop", credits=3)
    info = accounts.authenticate(new.key)
    assert (info.id, info.name, info.credits, info.state) == (new.id, "shop", 3, "active")


def test_the_key_itself_is_kept_nowhere(accounts: Accounts, path: Path) -> None:
    new = accounts.create("shop")
    accounts.authenticate(new.key)
    on_disk = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"shop" in on_disk
    assert new.key.encode() not in on_disk
    assert new.key not in repr(new) + repr(accounts.list())


@pytest.mark.parametrize("key", [None, ""])
def test_no_key_is_a_missing_key(accounts: Accounts, key: str | None) -> None:
    with pytest.raises(MissingKey):
        accounts.authenticate(key)


def test_a_key_that_was_not_made_here_is_unknown(accounts: Accounts) -> None:
    with pytest.raises(UnknownKey):
        accounts.authenticate(new_api_key())


@pytest.mark.parametrize("key", ["x", "pk_" + "0" * 49, "pk_é", "p" * 10_000, "pk_\x00"])
def test_rubbish_is_refused_without_a_look_into_the_database(accounts: Accounts, key: str) -> None:
    accounts.close()
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
    accounts.authenticate(other.key)  # the owner's second key goes on


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


def test_credits_are_spent_given_back_and_added(accounts: Accounts) -> None:
    new = accounts.create("shop", credits=1)
    accounts.charge(new.id)
    with pytest.raises(OutOfCredits):
        accounts.charge(new.id)
    accounts.refund(new.id)
    accounts.charge(new.id)
    accounts.add_credits(new.id, 2)
    (info,) = accounts.list()
    assert (info.credits, info.used) == (2, 1)


def test_a_key_without_a_limit_is_counted_and_never_out_of_credits(accounts: Accounts) -> None:
    new = accounts.create("house")
    for _ in range(50):
        accounts.charge(new.id)
    accounts.add_credits(new.id, 5)
    (info,) = accounts.list()
    assert (info.credits, info.used) == (None, 50)


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


def test_a_restart_forgets_nothing(path: Path, clock: Clock) -> None:
    first = Accounts(path, now=clock)
    new = first.create("shop", credits=5)
    first.charge(new.id)
    first.close()
    second = Accounts(path, now=clock)
    assert second.authenticate(new.key).credits == 4
    second.close()


def test_keys_are_listed_in_the_order_of_their_making(accounts: Accounts) -> None:
    made = [accounts.create(name).id for name in ("a", "b", "c")]
    assert [info.id for info in accounts.list()] == made


def test_the_first_key_is_made_once_even_after_it_was_revoked(accounts: Accounts) -> None:
    new = accounts.create_first("first", credits=7)
    assert new is not None
    assert accounts.authenticate(new.key).credits == 7
    accounts.revoke(new.id)
    assert accounts.create_first("first") is None


SPENDER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from packshot.errors import OutOfCredits
from packshot.service.accounts import Accounts

path, key_id = Path(sys.argv[1]), sys.argv[2]
accounts = Accounts(path)

def charge(_):
    try:
        accounts.charge(key_id)
    except OutOfCredits:
        return False
    return True

print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(8) as threads:
    print(sum(threads.map(charge, range(90))))
"""


def test_two_processes_with_eight_threads_each_never_overspend(accounts: Accounts, path: Path) -> None:
    new = accounts.create("shop", credits=100)
    command = [sys.executable, "-c", SPENDER, str(path), new.id]
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
    (info,) = accounts.list()
    assert (info.credits, info.used) == (0, 100)


def test_threads_make_one_first_key_between_them_on_a_fresh_file(path: Path) -> None:
    def start(_: int) -> bool:
        accounts = Accounts(path)  # each with a connection of its own, as processes have
        try:
            return accounts.create_first("first") is not None
        finally:
            accounts.close()

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(start, range(24))) == 1


def test_the_file_is_the_owners_alone(accounts: Accounts, path: Path) -> None:
    accounts.create("shop")
    assert {oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()} == {"0o600"}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
