"""Bring a database's tables up to date, whatever release made them. Safe for replicas that start together.

versions/ holds one step a file, from the tables of one release to those of the next: never edited, only added to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from packshot.errors import BadSettings

if TYPE_CHECKING:
    from sqlalchemy import Connection

HEAD = "0005"  # the last step in versions/; a test compares them
_LOCK = 7_093_172_061  # any number, as long as nobody else's program takes it for its advisory lock


def is_current(connection: Connection) -> bool:
    """Whether nothing is missing."""
    return _revision(connection) == HEAD


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
    if not is_current(connection):
        _upgrade(connection, name)


def _revision(connection: Connection) -> str | None:
    """The step that the tables are at; None where there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    known: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return known


def _upgrade(connection: Connection, name: str) -> None:
    # 0.3 s to import, and only needed once a release.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "packshot.service:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise BadSettings(f"The database {name} was made by a newer packshot.", hint="Install that release.") from error
