"""`packshot health` tells apart a service that is away, silent, or not ready."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from click.testing import CliRunner

from packshot.cli import cli
from packshot.cli.errors import NotHealthy
from tests.kit.processes import free_port


def said(port: int, *arguments: str) -> str:
    result = CliRunner(env={"PACKSHOT_PORT": str(port)}).invoke(cli, ["health", *arguments])
    assert isinstance(result.exception, NotHealthy)
    return str(result.exception)


@contextmanager
def answering(status: int, body: bytes) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Keeps the log out of the test's output."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def test_a_service_that_is_away() -> None:
    assert "Check that the service runs." in said(free_port())


def test_a_service_that_listens_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        told = said(silent.getsockname()[1], "--timeout", "0.2")
    assert "did not answer within 0.2 s" in told
    assert "Check that the service runs." not in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"detail": "Results cannot be stored.", "hint": "Look there."}', "Results cannot be stored. Look there."),
        (b"[]", "[]"),
    ],
)
def test_a_service_that_is_not_ready_says_why(body: bytes, shown: str) -> None:
    with answering(502, body) as port:
        assert f"/readyz answered 502: {shown}" in said(port, "--ready")
