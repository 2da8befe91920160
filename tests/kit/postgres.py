"""A real PostgreSQL for tests: fresh, on a free port, without durable writes."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kit.processes import ServerProcess, free_port, needed, server_folder, unprivileged

_OWNER = "packshot"
# Debian keeps the server's programs outside the PATH.
_FOLDERS = tuple(str(folder) for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))


class Postgres(ServerProcess):
    """A running server."""

    def url(self, database: str = "postgres") -> str:
        """A value for PACKSHOT_DATABASE_URL."""
        return f"postgresql+psycopg://{_OWNER}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of an empty database. A test takes a new one, as it would take a temporary folder."""
        import psycopg

        name = f"test_{secrets.token_hex(6)}"
        address = f"postgresql://{_OWNER}@127.0.0.1:{self.port}/postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Start a server; skip the test where none can start."""
    initdb, program = needed("initdb", *_FOLDERS), needed("postgres", *_FOLDERS)
    user = unprivileged()
    with server_folder(user) as folder:
        data, port = folder / "data", free_port()
        make = [initdb, "-D", str(data), "-U", _OWNER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        made = subprocess.run(make, capture_output=True, text=True, user=user, cwd=folder, check=False)
        if made.returncode:
            pytest.skip(f"initdb fails here: {made.stderr[-300:]}")
        command = [program, "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder)]
        server = Postgres([*command, "-c", "fsync=off", "-c", "max_connections=200"], port, folder, user)
        try:
            server.start()
            _wait_until_it_answers(server)
            yield server
        finally:
            server.stop()


def _wait_until_it_answers(server: Postgres) -> None:
    """The server listens a moment before it accepts connections."""
    import time

    import psycopg

    for _ in range(500):
        try:
            psycopg.connect(f"postgresql://{_OWNER}@127.0.0.1:{server.port}/postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return
    pytest.skip("PostgreSQL does not answer")
