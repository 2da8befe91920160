"""`packshot keys`: an operator's work with keys, on the service's database."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from packshot.cli import cli
from packshot.errors import LockedKey, UnknownKey
from packshot.service.accounts import Accounts
from packshot.service.database import Database
from packshot.service.ledger import Ledger, new_charge_id


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "accounts.sqlite3"


def run(path: Path, *arguments: str, code: int = 0) -> str:
    result = CliRunner(env={"PACKSHOT_STATE_DIR": str(path.parent)}).invoke(cli, ["keys", *arguments])
    assert result.exit_code == code, result.output
    return (result.stdout if code == 0 else result.output).strip()


def only(path: Path) -> str:
    return run(path, "list").split()[0]


def test_a_key_is_made_with_an_end_a_rate_and_credits_and_changed_later(path: Path) -> None:
    run(path, "create", "shop", "--credits", "5", "--expires", "30d", "--rate", "10/second")
    key_id = only(path)
    assert "10/second" in run(path, "list")
    assert "until" in run(path, "list")
    run(path, "label", key_id, "the shop in Rome")
    run(path, "credits", "add", key_id, "2")
    run(path, "rate", key_id, "default")
    run(path, "expire", key_id, "never")
    listed = run(path, "list")
    assert " 7 " in listed
    assert listed.endswith("the shop in Rome")
    run(path, "credits", "set", key_id, "unlimited")
    assert "unlimited" in run(path, "list")


def test_a_new_key_names_its_id_apart_from_its_text(path: Path) -> None:
    made = CliRunner(env={"PACKSHOT_STATE_DIR": str(path.parent)}).invoke(cli, ["keys", "create", "shop"])
    assert made.stdout.startswith("pk_")
    assert len(made.stdout.split()) == 1
    assert only(path) in made.stderr
    assert str(path) in made.stderr


@pytest.mark.parametrize("command", ["list", "usage"])
def test_nothing_to_show_says_where_it_was_looked_for(path: Path, command: str) -> None:
    shown = CliRunner(env={"PACKSHOT_STATE_DIR": str(path.parent)}).invoke(cli, ["keys", command])
    assert (shown.exit_code, shown.stdout) == (0, "")
    assert str(path) in shown.stderr


def test_each_change_shows_what_the_key_is_now(path: Path) -> None:
    run(path, "create", "shop", "--credits", "5")
    key_id = only(path)
    assert run(path, "label", key_id, "Rome").endswith("Rome")
    assert " 7 " in run(path, "credits", "add", key_id, "2")
    assert "unlimited" in run(path, "credits", "set", key_id, "unlimited")
    assert "unlimited" in run(path, "credits", "add", key_id, "2")
    assert "(2/second)" in run(path, "rate", key_id, "2/second")
    changed = run(path, "expire", key_id, "30d")
    assert "until" in changed
    assert changed == run(path, "list")


def test_a_rotated_key_replaces_the_old_one_and_a_locked_one_waits(path: Path) -> None:
    first = run(path, "create", "shop")
    second = run(path, "rotate", only(path), "--grace", "0s")
    database = Database(path)
    accounts = Accounts(database)
    assert accounts.authenticate(second).name == "shop"
    with pytest.raises(UnknownKey):
        accounts.authenticate(first)
    run(path, "lock", only(path))
    with pytest.raises(LockedKey):
        accounts.authenticate(second)
    run(path, "unlock", only(path))
    accounts.authenticate(second)
    database.close()


def test_usage_is_shown_by_day_and_key(path: Path) -> None:
    run(path, "create", "shop")
    database = Database(path)
    ledger = Ledger(database)
    for end in (ledger.settle, ledger.settle, ledger.refund):
        charge_id = new_charge_id()
        ledger.charge(only(path), charge_id)
        end(charge_id)
    database.close()
    day, key_id, succeeded, failed, credit_count, name = run(path, "usage", "--days", "2").split()
    assert (key_id, succeeded, failed, credit_count, name) == (only(path), "2", "1", "2", "shop")
    assert len(day.split("-")) == 3
    assert run(path, "usage", "--key", "nobody") == ""


def test_a_wrong_time_is_refused_in_words(path: Path) -> None:
    assert "Usage" in run(path, "create", "shop", "--expires", "soon", code=2)
