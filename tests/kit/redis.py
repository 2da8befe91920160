"""A real Redis for tests: memory only, on a free port."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.kit.processes import ServerProcess, free_port, needed, server_folder


class Redis(ServerProcess):
    """A server that runs at `url`."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


@contextmanager
def redis_server() -> Iterator[Redis]:
    """Start a server; skip the test where none can start."""
    program = needed("redis-server")
    with server_folder(None) as folder:
        port = free_port()
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        server = Redis(command, port, folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()
