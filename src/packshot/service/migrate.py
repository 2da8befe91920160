"""Bring a database's tables up to date, whatever release made them. Safe for replicas that start together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from packshot.errors import BadSettings

if TYPE_CHECKING:
    from sqlalchemy import Connection

HEAD = "0002"  # the last step in migrations/versions; a test compares them
_SQLITE_STEPS = 2  # what PRAGMA user_version says after that step
_LOCK = 7_093_172_061  # any number, as long as nobody else's program takes it for its advisory lock


def migrate(connection: Connection, name: str) -> None:
    """Run what is missing, in the transaction that is open; SQLite's holds the file's lock already.

    Raises
    ------
    BadSettings
        A newer release made the tables.
    """
    if connection.dialect.name == "postgresql":
        # One replica does it, the others wait; the lock goes with the transaction.
        connection.execute(text("SET LOCAL statement_timeout = '60s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    found = _revision(connection, name)
    if found == HEAD:
        return
    _upgrade(connection, name, found)


def _revision(connection: Connection, name: str) -> str | None:
    """The step that the tables are at; None where there are none."""
    tables = inspect(connection).get_table_names()
    if connection.dialect.name == "sqlite":
        steps = connection.execute(text("PRAGMA user_version")).scalar_one()
        if steps > _SQLITE_STEPS:
            raise _newer(name)
    if "alembic_version" in tables:
        known = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return None if known is None else str(known)
    return "0001" if connection.dialect.name == "sqlite" and "keys" in tables else None


def _upgrade(connection: Connection, name: str, found: str | None) -> None:
    # 0.3 s to import, and only needed once a release.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "packshot.service:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        if found == "0001":
            command.stamp(config, "0001")  # tables of packshot 0.1 carry no mark of Alembic's
        command.upgrade(config, "head")
    except CommandError as error:
        raise _newer(name) from error


def _newer(name: str) -> BadSettings:
    return BadSettings(f"The database {name} was made by a newer packshot.", hint="Install that release.")
