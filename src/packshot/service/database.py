"""Short transactions on the accounts database: a SQLite file, or PostgreSQL.

Several processes may share a database. SQLite is for one machine and needs a local disk. Its WAL lets readers pass a
writer, and writers wait for each other. A commit survives the end of the process. A power failure may lose the last
commits (synchronous=NORMAL): that can cost a credit, but never the file. PostgreSQL is for several machines.

No call waits long: connecting, a statement, the lock on the file and the whole transaction have deadlines. After a
call that timed out, further calls fail at once for a second, instead of each waiting in turn.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Engine, Executable, Row, Table, create_engine, event, func, make_url, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from packshot.errors import BadSettings, DatabaseUnavailable, NotReachable, SetupError
from packshot.service.migrations import is_current, migrate

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import Connection

Place = Path | str
"""A SQLite file, or the URL of a PostgreSQL database."""

DEADLINE_S = 6.0  # for a whole transaction; the server enforces the 3 s of a statement
RETRY_AFTER_S = 2
_AWAY_S = 1.0  # pause after a failure; a failed call that took this long counts as timed out
_STALE_S = 1.0  # a connection that was idle longer is tested before use
_BUSY_TIMEOUT_S = 2.0  # for another writer to the SQLite file; a backup or `packshot keys` takes less than 1 s
_STILL_BUSY_TIMEOUT_S = 0.1  # after such a timeout, until a write succeeds
_CONNECT_TIMEOUT_S = 3
_STATEMENT_TIMEOUT_MS = 3000
_CONNECTIONS = 16  # the number of threads that may query at once, see asyncio.to_thread
_TICK_S = 0.2


class Database:
    """Connections, shared by threads. SQLite has a single one, which threads use in turn, for about 0.1 ms each."""

    def __init__(self, place: Place) -> None:
        """Open the database, create a missing file, and bring the tables up to date.

        Raises
        ------
        BadSettings
            The file cannot be created, is no database, or comes from a newer release.
        NotReachable
            The server is unavailable or rejects this user, or another process has locked the file.
        """
        self._is_file = isinstance(place, Path)
        self._turns: AbstractContextManager[object] = threading.RLock() if self._is_file else nullcontext()
        self._watchdog = _Watchdog()
        self._away_until = 0.0
        self._busy_timeout_s = _BUSY_TIMEOUT_S
        self._closed = False
        if isinstance(place, Path):
            self.name, self._engine = str(place), _sqlite(place)
        else:
            url = database_url(place)
            self.name, self._engine = url.render_as_string(hide_password=True), _postgresql(url)
        try:
            if isinstance(place, Path):
                place.touch(mode=0o600)
            with self._turns, self._engine.connect() as connection:
                with connection.begin():
                    current = is_current(connection)  # a read-only command then needs no lock on the file
                if not current:
                    with connection.execution_options(writes=True).begin():
                        migrate(connection, self.name)
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
        """Run one UPDATE or DELETE atomically. Returns the number of affected rows."""
        with self.transaction() as connection:
            return connection.execute(statement).rowcount

    @contextmanager
    def transaction(self, *, alone: str | None = None) -> Iterator[Connection]:
        """Run several statements in one transaction. An exception rolls it back.

        alone: a lock name: no other transaction with this name runs meanwhile, on any machine. SQLite needs no lock.
        """
        with self._connected(writes=True) as connection:
            if alone and not self._is_file:
                lock = func.pg_advisory_xact_lock(func.hashtext(f"packshot {alone}"))
                connection.execute(select(lock))
            yield connection

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT of the database's dialect, which supports ON CONFLICT."""
        return sqlite.insert(table) if self._is_file else postgresql.insert(table)

    def check(self) -> None:
        """Raise DatabaseUnavailable unless the tables can be read. In SQLite, also tests the write lock."""
        with self.transaction() as connection:
            connection.execute(text("SELECT 1 FROM keys LIMIT 1"))

    def close(self) -> None:
        with self._turns:
            self._closed = True
            self._engine.dispose()

    @contextmanager
    def _connected(self, *, writes: bool) -> Iterator[Connection]:
        with self._turns, self._wrapped(), self._fresh() as connection, self._watched(connection):
            connection.execution_options(writes=writes, busy_timeout_s=self._busy_timeout_s)
            with connection.begin():
                yield connection
            connection.info["rested_at"] = time.monotonic()
            if writes:  # in SQLite a read passes another process's lock, so it proves nothing
                self._busy_timeout_s = _BUSY_TIMEOUT_S

    @contextmanager
    def _fresh(self) -> Iterator[Connection]:
        """A working connection. Tests an idle one, because the server may have restarted meanwhile."""
        connection = self._open()
        rested_at = connection.info.get("rested_at")
        if not self._is_file and rested_at is not None and time.monotonic() - rested_at > _STALE_S:
            try:
                with self._watched(connection), connection.begin():
                    connection.execute(text("SELECT 1"))
            except SQLAlchemyError:
                connection.invalidate()  # SQLAlchemy then drops the pool's other old connections too
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
        began_s = time.monotonic()
        if self._closed or began_s < self._away_until:
            raise _unavailable()
        try:
            yield
        except SQLAlchemyError as error:
            ended_s, busy = time.monotonic(), _is_busy(error)
            if busy:
                self._busy_timeout_s = _STILL_BUSY_TIMEOUT_S
            if busy or ended_s - began_s >= _AWAY_S:
                self._away_until = ended_s + _AWAY_S
            raise _unavailable(": another process has locked it" if busy else "") from error


def _unavailable(why: str = "") -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"The service cannot use its accounts database now{why}.",
        retry_after_s=RETRY_AFTER_S,
        hint="Try again in a moment.",
    )


def _is_busy(error: Exception) -> bool:
    """Whether another process holds the lock of a SQLite file."""
    import sqlite3  # noqa: PLC0415 - PostgreSQL does not need it

    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, sqlite3.OperationalError):
        return False
    return cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # the higher bytes hold the detailed reason


def _unusable(name: str, is_file: bool, error: Exception) -> SetupError:
    reason = str(getattr(error, "orig", None) or error).strip().split("\n")[0].rstrip(".")
    if _is_busy(error):
        return NotReachable(
            f"The database {name} is locked by another process.",
            hint="Try again when that process, such as a backup, has ended.",
        )
    hint = 'PACKSHOT_DATABASE_URL names the database. See "Use PostgreSQL and Redis" in the documentation.'
    if not is_file and isinstance(error, OperationalError):
        return NotReachable(f"The database {name} cannot be reached: {reason}.", hint=hint)
    if is_file:
        hint = "It must be packshot's own file, on a local disk and in a writable folder: PACKSHOT_STATE_DIR."
    return BadSettings(f"The database {name} cannot be opened: {reason}.", hint=hint)


def database_url(given: str) -> URL:
    """Parse the URL of a PostgreSQL database and set its driver, psycopg. Raises ValueError for any other URL."""
    try:
        url = make_url(given)
    except ArgumentError as error:
        raise ValueError from error
    if url.drivername not in {"postgresql", "postgres", "postgresql+psycopg"} or not url.database:
        raise ValueError
    return url.set(drivername="postgresql+psycopg")


def _sqlite(path: Path) -> Engine:
    arguments = {"timeout": _BUSY_TIMEOUT_S, "check_same_thread": False}
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=StaticPool, connect_args=arguments)

    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # `_begin` begins transactions
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        timeout_ms = round(1000 * options.get("busy_timeout_s", _BUSY_TIMEOUT_S))
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {timeout_ms}")
        # A writing transaction takes the lock at its start: two readers that both go on to write would fail.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")

    return engine


def _postgresql(url: URL) -> Engine:
    try:
        import psycopg  # noqa: F401, PLC0415 - the extra may be missing
    except ImportError as error:
        raise BadSettings(
            "PACKSHOT_DATABASE_URL needs the PostgreSQL driver.", hint="Install packshot[postgresql]."
        ) from error
    arguments: dict[str, Any] = {
        "connect_timeout": _CONNECT_TIMEOUT_S,
        "tcp_user_timeout": 1000 * _CONNECT_TIMEOUT_S,
        "application_name": "packshot",
        "options": f"-c statement_timeout={_STATEMENT_TIMEOUT_MS} "
        f"-c idle_in_transaction_session_timeout={2 * _STATEMENT_TIMEOUT_MS}",
        # A pooler in transaction mode (PgBouncer) may send a statement over a connection that never prepared it.
        "prepare_threshold": None,
    }
    kept = {name: value for name, value in arguments.items() if name not in url.query}
    pool: dict[str, Any] = {"pool_size": _CONNECTIONS, "max_overflow": 0, "pool_timeout": _CONNECT_TIMEOUT_S}
    return create_engine(url, connect_args=kept, **pool)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch a new file to WAL, with retries: SQLite rejects simultaneous switches at once, despite its timeout."""
    import sqlite3  # noqa: PLC0415 - PostgreSQL does not need it

    deadline = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


class _Watchdog:
    """Shuts down sockets after their deadline: a server that stops responding enforces no timeout.

    One thread watches all sockets, because a timer for each call would cost as much as the call.
    """

    def __init__(self) -> None:
        self._ends: dict[object, tuple[float, int]] = {}
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, descriptor: int, seconds: float) -> Iterator[None]:
        """Watch a socket while the block runs."""
        # Duplicates the descriptor: the driver may close its own meanwhile, and the number may be reused.
        entry, mine = object(), os.dup(descriptor)
        with self._change:
            self._ends[entry] = (time.monotonic() + seconds, mine)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()
            elif len(self._ends) == 1:
                self._change.notify()
        try:
            yield
        finally:
            with self._change:
                self._ends.pop(entry, None)
                os.close(mine)

    def _run(self) -> None:
        while True:
            with self._change:
                while not self._ends:
                    self._change.wait()
                now = time.monotonic()
                for entry in [entry for entry, (ends, _) in self._ends.items() if ends <= now]:
                    _cut(self._ends.pop(entry)[1])
            time.sleep(_TICK_S)


def _cut(descriptor: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as connection:  # closes only the duplicate
        connection.shutdown(socket.SHUT_RDWR)
