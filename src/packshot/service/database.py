"""Short transactions on the database that holds keys, credits and idempotency: a SQLite file, or PostgreSQL.

Several processes may use one database. SQLite is for one machine: WAL lets readers pass a writer, writers wait for each
other, and it needs a local disk; a commit survives the end of the process, and the last ones may be lost when the power
fails (synchronous=NORMAL), which can cost a credit and never the file. PostgreSQL is for several machines.

No call waits for long: connecting, a statement and the whole have deadlines, and after a failure to connect the next
calls fail at once for a second instead of each waiting in turn.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Executable, Row, Table, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from packshot.errors import BadSettings, DatabaseUnavailable, NotReachable, SetupError
from packshot.service.engines import name_of, open_engine
from packshot.service.migrations import migrate
from packshot.service.watchdog import Watchdog

if TYPE_CHECKING:
    from sqlalchemy import Connection

Place = Path | str
"""A SQLite file, or the URL of a PostgreSQL database."""

DEADLINE_S = 6.0  # of a whole transaction; a statement's own, 3 s, is the server's to keep
RETRY_AFTER_S = 2
_AWAY_S = 1.0
_STALE_S = 1.0  # a connection that rested longer is tried before it is relied on


class Database:
    """Connections, shared by threads. SQLite has one, which they take in turns: a turn takes 0.1 ms."""

    def __init__(self, place: Place) -> None:
        """Open the database, make the file when it is missing, and bring the tables up to date.

        Raises
        ------
        BadSettings
            It cannot be made, is no database, or was made by a newer release.
        NotReachable
            Its server is away, or does not let this user in.
        """
        self.name = name_of(place)
        self._is_file = isinstance(place, Path)
        self._turns: AbstractContextManager[object] = threading.RLock() if self._is_file else nullcontext()
        self._watchdog = Watchdog()
        self._away_until = 0.0
        self._closed = False
        self._engine = open_engine(place)
        try:
            if isinstance(place, Path):
                place.touch(mode=0o600)
            self._bring_up_to_date()
        except (OSError, SQLAlchemyError) as error:
            self._engine.dispose()
            raise _unusable(self.name, self._is_file, error) from error
        except BadSettings:
            self._engine.dispose()
            raise

    def rows(self, statement: Executable) -> Sequence[Row[Any]]:
        """The rows of one SELECT."""
        with self._connected(writes=False) as connection:
            return connection.execute(statement).all()

    def change(self, statement: Executable) -> int:
        """Run one UPDATE or DELETE, atomically; returns how many rows it touched."""
        with self.transaction() as connection:
            return connection.execute(statement).rowcount

    @contextmanager
    def transaction(self, *, alone: str | None = None) -> Iterator[Connection]:
        """Several statements as one; an exception undoes them.

        alone: a word; no other transaction with this word runs meanwhile, on any machine. In SQLite none does anyway.
        """
        with self._connected(writes=True) as connection:
            if alone and not self._is_file:
                lock = func.pg_advisory_xact_lock(func.hashtext(f"packshot {alone}"))
                connection.execute(select(lock))
            yield connection

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that can say what happens where the row is already there."""
        return sqlite.insert(table) if self._is_file else postgresql.insert(table)

    def check(self) -> None:
        """Raise DatabaseUnavailable unless the tables can be read."""
        self.rows(text("SELECT 1 FROM keys LIMIT 1"))

    def close(self) -> None:
        with self._turns:
            self._closed = True
            self._engine.dispose()

    def _bring_up_to_date(self) -> None:
        with self._turns, self._engine.connect().execution_options(writes=True) as connection, connection.begin():
            migrate(connection, self.name)

    @contextmanager
    def _connected(self, *, writes: bool) -> Iterator[Connection]:
        with self._turns, self._wrapped(), self._fresh() as connection, self._watched(connection):
            connection.execution_options(writes=writes)
            with connection.begin():
                yield connection
            connection.info["rested_at"] = time.monotonic()

    @contextmanager
    def _fresh(self) -> Iterator[Connection]:
        """A connection that works: the server may have been restarted since it was last used."""
        connection = self._open()
        rested_at = connection.info.get("rested_at")
        if not self._is_file and rested_at is not None and time.monotonic() - rested_at > _STALE_S:
            try:
                with self._watched(connection), connection.begin():
                    connection.execute(text("SELECT 1"))
            except SQLAlchemyError:
                connection.invalidate()  # and what else the pool holds from before, by SQLAlchemy
                connection.close()
                connection = self._open()
        with connection:
            yield connection

    def _open(self) -> Connection:
        try:
            return self._engine.connect()
        except SQLAlchemyError:
            self._away_until = time.monotonic() + _AWAY_S
            raise

    def _watched(self, connection: Connection) -> AbstractContextManager[None]:
        if self._is_file:
            return nullcontext()
        raw = connection.connection.driver_connection
        assert raw is not None  # noqa: S101 - it is connected
        return self._watchdog.over(raw.fileno(), DEADLINE_S)

    @contextmanager
    def _wrapped(self) -> Iterator[None]:
        if self._closed or time.monotonic() < self._away_until:
            raise _unavailable()
        try:
            yield
        except SQLAlchemyError as error:
            raise _unavailable() from error


def _unavailable() -> DatabaseUnavailable:
    return DatabaseUnavailable(
        "The accounts cannot be read or written now.", retry_after_s=RETRY_AFTER_S, hint="Send the request again."
    )


def _unusable(name: str, is_file: bool, error: Exception) -> SetupError:
    reason = str(getattr(error, "orig", None) or error).strip().split("\n")[0].rstrip(".")
    hint = "PACKSHOT_DATABASE_URL names it: see docs/databases.md."
    if not is_file and isinstance(error, OperationalError):
        return NotReachable(f"The database {name} cannot be reached: {reason}.", hint=hint)
    if is_file:
        hint = "It must be a file of packshot's on a local disk, in a writable folder: PACKSHOT_STATE_DIR."
    return BadSettings(f"The database {name} cannot be opened: {reason}.", hint=hint)
