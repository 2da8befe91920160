"""How the two kinds of database are connected to, and the deadlines that their servers and drivers keep."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import StaticPool

from packshot.errors import BadSettings

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import Connection

BUSY_TIMEOUT_S = 10
CONNECT_TIMEOUT_S = 3
STATEMENT_TIMEOUT_MS = 3000
# As many as threads may ask at once, see asyncio.to_thread; a replica needs no more.
_CONNECTIONS = 16


def database_url(given: str) -> URL:
    """The URL of a PostgreSQL database, with the one driver that is used here. Raises ValueError on any other."""
    try:
        url = make_url(given)
    except ArgumentError as error:
        raise ValueError from error
    if url.drivername not in {"postgresql", "postgres", "postgresql+psycopg"} or not url.database:
        raise ValueError
    return url.set(drivername="postgresql+psycopg")


def name_of(place: Path | str) -> str:
    """The database in words: without its password."""
    return str(place) if isinstance(place, Path) else database_url(place).render_as_string(hide_password=True)


def open_engine(place: Path | str) -> Engine:
    """An engine for a SQLite file or a PostgreSQL URL. Connects to nothing yet."""
    return _sqlite(place) if isinstance(place, Path) else _postgresql(database_url(place))


def _sqlite(path: Path) -> Engine:
    arguments = {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=StaticPool, connect_args=arguments)

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # transactions begin where we say so, below
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Whoever will write says so first: two readers that both go on to write could only fail.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")

    return engine


def _postgresql(url: URL) -> Engine:
    try:
        import psycopg  # noqa: F401, PLC0415 - the extra may be missing
    except ImportError as error:
        raise BadSettings(
            "PACKSHOT_DATABASE_URL needs the PostgreSQL driver.", hint="Install packshot[postgresql]."
        ) from error
    arguments: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "tcp_user_timeout": 1000 * CONNECT_TIMEOUT_S,
        "application_name": "packshot",
        "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} "
        f"-c idle_in_transaction_session_timeout={2 * STATEMENT_TIMEOUT_MS}",
        # A pooler in transaction mode (PgBouncer) hands a statement to a connection that never prepared it.
        "prepare_threshold": None,
    }
    kept = {name: value for name, value in arguments.items() if name not in url.query}
    return create_engine(url, connect_args=kept, pool_size=_CONNECTIONS, max_overflow=0, pool_timeout=CONNECT_TIMEOUT_S)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Change a fresh file to WAL. Of several that change it at once SQLite refuses some at once, timeout or not."""
    import sqlite3  # noqa: PLC0415 - a PostgreSQL service needs none

    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # the low byte: the rest says why
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
