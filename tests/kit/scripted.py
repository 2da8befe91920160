"""A small real HTTP server with one scripted response per request."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import policy
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Asked:
    """A received request."""

    method: str
    path: str
    headers: Message
    body: bytes = field(repr=False)

    def parts(self) -> dict[str, tuple[str | None, bytes]]:
        """The parts of a form, by name: file name, if any, and content."""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        message = BytesParser(policy=policy.HTTP).parsebytes(head + self.body)
        return {
            str(part.get_param("name", header="content-disposition")): (
                part.get_filename(),
                part.get_payload(decode=True),
            )
            for part in message.iter_parts()
        }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        with self.server.counting:
            self.server.asked.append(Asked(self.command, self.path, self.headers, body))
            answer = self.server.script.pop(0)
        answer(self)

    do_POST = do_GET  # noqa: N815 - the name that http.server asks for

    def log_message(self, *_: object) -> None:
        pass


Script = Callable[[Handler], None]


class Scripted(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[Asked] = []
        self.script: list[Script] = []
        self.counting = threading.Lock()
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        pass  # the client has disconnected


@contextmanager
def scripted(*script: Script) -> Iterator[Scripted]:
    """Serve these responses, in this order."""
    with Scripted() as server:
        server.script = list(script)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()


def answers(status: int, body: bytes = b"", **headers: object) -> Script:
    """A response; write header names with underscores."""

    def answer(ask: Handler) -> None:
        ask.send_response(status)
        for name, value in {"Content_Length": len(body), **headers}.items():
            ask.send_header(name.replace("_", "-"), str(value))
        ask.end_headers()
        ask.wfile.write(body)

    return answer


def says(said: Mapping[str, object], status: int = 200, **headers: object) -> Script:
    """A JSON response; problem details from status 400 on."""
    kind = "application/json" if status < 400 else "application/problem+json"
    return answers(status, json.dumps(said).encode(), Content_Type=kind, **headers)


def hangs_up(ask: Handler) -> None:
    """Closes the connection without a response."""
    ask.close_connection = True


def cut_short(ask: Handler) -> None:
    """Announces more bytes than it sends."""
    ask.send_response(200)
    ask.send_header("Content-Length", "1000")
    ask.end_headers()
    ask.wfile.write(b"{")
    ask.close_connection = True


def silent(ask: Handler) -> None:
    """Keeps the connection open and sends nothing."""
    ask.server.over.wait()
    ask.close_connection = True


def drips(ask: Handler) -> None:
    """Sends a little every few milliseconds, without end."""
    ask.send_response(200)
    ask.send_header("Content-Length", "100000")
    ask.end_headers()
    while not ask.server.over.wait(0.02):
        ask.wfile.write(b" ")
        ask.wfile.flush()
    ask.close_connection = True
