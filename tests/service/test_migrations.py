"""Tables of earlier releases are brought up to date, on both kinds of database and by several replicas at once."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from packshot.errors import BadSettings
from packshot.service import migrations
from packshot.service.accounts import Accounts
from packshot.service.api_keys import digest_of, new_api_key
from packshot.service.database import Database, Place
from packshot.service.idempotency import Idempotency
from packshot.service.ledger import Ledger, new_charge_id
from packshot.service.migrate import HEAD
from packshot.service.tables import METADATA

# What packshot 0.1 made, word for word.
FIRST_RELEASE = """
CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    digest BLOB NOT NULL UNIQUE,
    state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'locked', 'revoked')),
    credits INTEGER CHECK (credits >= 0),  -- NULL: no end of them
    used INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    expires_at REAL,
    last_used_at REAL
);
CREATE TABLE idempotency (
    key_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    started_at REAL NOT NULL,
    outcome TEXT,  -- NULL: still running
    PRIMARY KEY (key_id, idempotency_key)
);
CREATE INDEX idempotency_by_age ON idempotency (started_at);
PRAGMA user_version = 1;
"""


def test_a_file_of_the_first_release_is_adopted_with_all_that_is_in_it(path: Path) -> None:
    key = new_api_key()
    with closing(sqlite3.connect(path)) as old:
        old.executescript(FIRST_RELEASE)
        old.execute("INSERT INTO keys VALUES ('abc', 'shop', ?, 'active', 7, 3, 1000, NULL, NULL)", [digest_of(key)])
        old.execute("INSERT INTO idempotency VALUES ('abc', 'order-1', 'hash', 4e9, 'done')")
        old.commit()
    for _ in range(2):  # the second start finds nothing to do
        database = Database(path)
        info = Accounts(database).authenticate(key)
        assert (info.id, info.name, info.used) == ("abc", "shop", 3)
        assert Idempotency(database).begin("abc", "order-1", "hash") == "done"
        database.close()
    database = Database(path)
    Ledger(database).charge("abc", new_charge_id())
    assert Accounts(database).authenticate(key).credits == 6
    database.close()


def test_the_first_release_leaves_a_file_of_this_one_alone(path: Path) -> None:
    Database(path).close()
    with closing(sqlite3.connect(path)) as connection:
        (steps,) = connection.execute("PRAGMA user_version").fetchone()
    assert steps > 1  # it refuses what is ahead of it


def test_the_steps_lead_to_the_tables_that_the_code_uses(place: Place) -> None:
    database = Database(place)
    with database.transaction() as connection:
        found = inspect(connection)
        assert set(found.get_table_names()) == set(METADATA.tables) | {"alembic_version"}
        for name, table in METADATA.tables.items():
            columns = {column["name"]: column["nullable"] for column in found.get_columns(name)}
            assert columns == {column.name: column.nullable for column in table.columns}, name
            indexes = {index["name"] for index in found.get_indexes(name) if not index["unique"]}
            assert indexes == {index.name for index in table.indexes}, name
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == HEAD
    database.close()


def test_the_last_step_is_the_head() -> None:
    (folder,) = migrations.__path__
    assert max(step.name for step in Path(folder).glob("versions/m*.py")).startswith(f"m{HEAD}_")


def test_replicas_that_start_together_on_an_empty_database_make_its_tables_once(place: Place) -> None:
    def start(number: int) -> str:
        accounts = Accounts(place)
        try:
            return accounts.create(f"key {number}").id
        finally:
            accounts.close()

    with ThreadPoolExecutor(8) as threads:
        made = set(threads.map(start, range(16)))
    accounts = Accounts(place)
    assert {info.id for info in accounts.list()} == made
    accounts.close()


def test_a_database_of_a_newer_release_is_left_alone(place: Place) -> None:
    database = Database(place)
    database.change(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(BadSettings, match="newer"):
        Database(place)
