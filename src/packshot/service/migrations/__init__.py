"""Brings a database's tables up to date from any earlier release. Safe for replicas that start together.

Each file in versions/ is one step, from the tables of one release to the next. Existing steps never change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from packshot.errors import BadSettings

if TYPE_CHECKING:
    from sqlalchemy import Connection

HEAD = "0005"  # the last step in versions/; a test compares them
_LOCK = 7_093_172_061  # an arbitrary number, which no other program should use for its advisory lock


def is_current(connection: Connection) -> bool:
    """Whether the tables are at the last step."""
    return _revision(connection) == HEAD


def migrate(connection: Connection, name: str) -> None:
    """Run the missing steps in the open transaction. In SQLite the transaction already holds the lock on the file.

    Raises
    ------
    BadSettings
        A newer release made the tables.
    """
    if connection.dialect.name == "postgresql":
        # One replica migrates and the others wait. The lock ends with the transaction.
        connection.execute(text("SET LOCAL statement_timeout = '60s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if not is_current(connection):
        _upgrade(connection, name)


def _revision(connection: Connection) -> str | None:
    """The step of the tables; None without tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    known: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return known


def _upgrade(connection: Connection, name: str) -> None:
    # Takes 0.3 s to import, and is needed once per release.
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
        raise BadSettings(
            f"The database {name} comes from a newer release of packshot.", hint="Install that release."
        ) from error
