"""The SQLite file that holds keys, credits and idempotency: its schema, and short transactions on it.

Several processes may use one file: WAL lets readers pass a writer, and writers wait for each other. A commit survives
the end of the process; the last ones may be lost when the power fails (synchronous=NORMAL), which can cost a credit
and never the file. WAL needs shared memory, so the file must be on a local disk.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packshot.errors import BadSettings, StoreUnavailable

BUSY_TIMEOUT_S = 10

# One entry a version; PRAGMA user_version counts those that a file has. Entries are never edited, only added.
_MIGRATIONS = (
    (
        """
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
        )
        """,
        """
        CREATE TABLE idempotency (
            key_id TEXT NOT NULL,
            idempotency_key TEXT NOT NULL,
            request_hash TEXT NOT NULL,
            started_at REAL NOT NULL,
            outcome TEXT,  -- NULL: still running
            PRIMARY KEY (key_id, idempotency_key)
        )
        """,
        "CREATE INDEX idempotency_by_age ON idempotency (started_at)",
    ),
)


class Database:
    """One connection, shared by threads one statement or transaction at a time: each takes tens of microseconds."""

    def __init__(self, path: Path) -> None:
        """Open the file, make it when it is missing, and bring its schema up to date.

        Raises
        ------
        BadSettings
            The file cannot be made, is no database, or was made by a newer release.
        """
        self._lock = threading.RLock()
        try:
            path.touch(mode=0o600)
            self._connection = _connect(path)
            self._migrate(path)
        except (OSError, sqlite3.Error) as error:
            hint = "PACKSHOT_STATE_DIR must be a folder on a local disk that the service may write to."
            raise BadSettings(f"The database {path} cannot be opened: {error}.", hint=hint) from error

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """The rows of one SELECT."""
        with self._lock, _wrapped():
            return self._connection.execute(sql, values).fetchall()

    def change(self, sql: str, *values: object) -> int:
        """Run one statement that writes, atomically; returns how many rows it touched."""
        with self._lock, _wrapped():
            return self._connection.execute(sql, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Several statements as one; no other process writes between them. An exception undoes them."""
        with self._lock, _wrapped():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _migrate(self, path: Path) -> None:
        with self.transaction():
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version > len(_MIGRATIONS):
                raise BadSettings(f"The database {path} was made by a newer packshot.", hint="Install that release.")
            for statements in _MIGRATIONS[version:]:
                for statement in statements:
                    self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")


def _connect(path: Path) -> sqlite3.Connection:
    # isolation_level None: statements commit by themselves, transactions begin where the code says so.
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Change a fresh file to WAL. Of several that change it at once SQLite refuses some at once, timeout or not."""
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


@contextmanager
def _wrapped() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable("The accounts cannot be read or written now.", hint="Try again.") from error
