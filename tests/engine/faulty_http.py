"""A real HTTP server with scripted responses: honest, cut, silent, corrupt, busy, ignoring Range."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Asked(NamedTuple):
    """A received request."""

    path: str
    headers: Message


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def do_GET(self) -> None:
        with self.server.counting:
            self.server.asked.append(Asked(self.path, self.headers))
            answer = self.server.script.pop(0) if self.server.script else honest
        answer(self)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()


Answer = Callable[[Handler], None]


class FaultyServer(ThreadingHTTPServer):
    """Serves one file under every path. `script` holds the next responses; after them, all are honest."""

    daemon_threads = True

    def __init__(self, data: bytes, script: tuple[Answer, ...]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.etag, self.script = data, '"first"', list(script)
        self.asked: list[Asked] = []
        self.counting = threading.Lock()
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def ranges(self) -> list[str | None]:
        """The Range header of each received request."""
        return [each.headers["Range"] for each in self.asked]

    def handle_error(self, *_: object) -> None:
        pass  # a killed client


@contextmanager
def faulty_server(data: bytes, *script: Answer) -> Iterator[FaultyServer]:
    with FaultyServer(data, script) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()


def honest(ask: Handler) -> None:
    """A response by RFC 9110, with ranges, an entity tag and If-Range."""
    data, etag = ask.server.data, ask.server.etag
    wanted = ask.headers["Range"]
    if wanted is None or ask.headers.get("If-Range", etag) != etag:
        return whole(ask)
    start = int(wanted.removeprefix("bytes=").removesuffix("-"))
    if start >= len(data):
        ask.head(416, Content_Range=f"bytes */{len(data)}", Content_Length=0)
        return None
    part = f"bytes {start}-{len(data) - 1}/{len(data)}"
    ask.head(206, Content_Range=part, Content_Length=len(data) - start, ETag=etag)
    ask.wfile.write(data[start:])
    return None


def whole(ask: Handler) -> None:
    """The whole file, for any requested range."""
    ask.head(200, Content_Length=len(ask.server.data), ETag=ask.server.etag)
    ask.wfile.write(ask.server.data)


def corrupt(ask: Handler) -> None:
    """The right length, but the last bit is wrong."""
    data = ask.server.data
    ask.head(200, Content_Length=len(data))
    ask.wfile.write(data[:-1] + bytes([data[-1] ^ 1]))


def cut(after: int) -> Answer:
    """Announces the whole file and closes after this many bytes."""

    def answer(ask: Handler) -> None:
        ask.head(200, Content_Length=len(ask.server.data), ETag=ask.server.etag)
        ask.wfile.write(ask.server.data[:after])

    return answer


def silent(after: int) -> Answer:
    """Announces the whole file, sends this many bytes, and then keeps the connection open."""

    def answer(ask: Handler) -> None:
        cut(after)(ask)
        ask.wfile.flush()
        ask.server.over.wait()

    return answer


def chunked(ends: bool) -> Answer:
    """No Content-Length; with or without the final chunk."""

    def answer(ask: Handler) -> None:
        data = ask.server.data
        ask.head(200, Transfer_Encoding="chunked")
        ask.wfile.write(
            b"%x\r\n%s\r\n" % (len(data), data) if ends else b"%x\r\n%s" % (len(data), data[: len(data) // 2])
        )
        if ends:
            ask.wfile.write(b"0\r\n\r\n")

    return answer


def status(code: int, **headers: object) -> Answer:
    return lambda ask: ask.head(code, Content_Length=0, **headers)


def other_part(ask: Handler) -> None:
    """A range that was not requested."""
    data = ask.server.data
    ask.head(206, Content_Range=f"bytes 1-{len(data) - 1}/{len(data)}", Content_Length=len(data) - 1)
    ask.wfile.write(data[1:])


def redirect(to: str) -> Answer:
    """Redirects to another host, as the publisher's release page does."""
    return status(302, Location=to)
