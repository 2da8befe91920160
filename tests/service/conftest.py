"""Fixtures for the tests of the service's tables: on a SQLite file, and with the mark `services` on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from packshot.service.database import Database, Place
from tests.kit.postgres import Postgres, postgres_server
from tests.service.kit import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """One server for the tests of a module; each test takes its own database."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a SQLite file that does not exist yet."""
    return tmp_path / "accounts.sqlite3"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def place(request: pytest.FixtureRequest) -> Place:
    """The database for the tables: one suite covers both kinds."""
    if request.param == "sqlite":
        file: Path = request.getfixturevalue("path")
        return file
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def database(place: Place) -> Iterator[Database]:
    """Empty tables, opened."""
    opened = Database(place)
    yield opened
    opened.close()
