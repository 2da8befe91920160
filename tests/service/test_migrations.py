"""Creating and upgrading tables, on both kinds of database and by several replicas at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import column as named
from sqlalchemy import insert, inspect, text, update
from sqlalchemy import table as table_of

from packshot.errors import BadSettings
from packshot.service import migrations
from packshot.service.accounts import Accounts
from packshot.service.database import Database, Place
from packshot.service.ledger import Ledger
from packshot.service.migrations import HEAD
from packshot.service.tables import KEYS, METADATA


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
        with closing(Database(place)) as database:
            return Accounts(database).create(f"key {number}").id

    with ThreadPoolExecutor(8) as threads:
        made = set(threads.map(start, range(16)))
    with closing(Database(place)) as database:
        assert {info.id for info in Accounts(database).list()} == made


def test_a_database_of_a_newer_release_is_left_alone(place: Place) -> None:
    database = Database(place)
    database.change(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(BadSettings, match="newer"):
        Database(place)


def test_a_release_that_knows_no_paid_photos_goes_on_with_the_new_tables(place: Place) -> None:
    """Replicas are replaced one by one: old ones write charges without the new columns."""
    with closing(Database(place)) as database:
        key, ledger = Accounts(database).create("shop", credits=5).id, Ledger(database)
        taken = update(KEYS).where(KEYS.c.id == key).values(credits=4, used=1)
        old = {"id": "a", "key_id": key, "day": "2026-11-22", "started_at": 1.0}
        with database.transaction() as connection:
            connection.execute(taken)
            columns = (named(name) for name in old)
            connection.execute(insert(table_of("charges", *columns)).values(old))
        assert ledger.give_back_lost(older_than_s=60) == 1
        assert Accounts(database).list()[0].credits == 5
