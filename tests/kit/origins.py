"""Support for tests of pictures from URLs: a scripted resolver, and listeners that count every connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tests.kit.scripted import Handler, Script


class Names:
    """A resolver: each name has a list of answers, one per look-up; the last one repeats."""

    def __init__(self, answers: dict[str, list[Sequence[str]]]) -> None:
        self._answers = answers
        self._system = socket.getaddrinfo
        self.asked: list[str] = []

    def __call__(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in self._answers:
            return self._system(host, port, *args, **kwargs)
        self.asked.append(host)
        answers = self._answers[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in found
        ]


@contextmanager
def names(answers: dict[str, list[Sequence[str]]]) -> Iterator[Names]:
    """Within the block, resolve these names so, for the whole process; other names resolve normally."""
    resolver = Names(answers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolver)
        yield resolver


class Ears:
    """Listens on one port of every address of this machine, counts connections, and never responds."""

    def __init__(self) -> None:
        self.heard = 0
        self._over = threading.Event()
        first = socket.create_server(("", 0))
        self.port: int = first.getsockname()[1]
        self._listeners = [first]
        if socket.has_ipv6:
            self._listeners.append(socket.create_server(("::", self.port), family=socket.AF_INET6))
        self._threads = [threading.Thread(target=self._listen, args=(each,)) for each in self._listeners]
        for thread in self._threads:
            thread.start()

    def _listen(self, listener: socket.socket) -> None:
        listener.settimeout(0.02)
        while not self._over.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            self.heard += 1
            connection.close()

    def close(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        for listener in self._listeners:
            listener.close()


def heads(head: bytes, times: int, last: bytes = b"") -> Script:
    """Sends `head` this many times while the client reads, then `last`."""

    def answer(ask: Handler) -> None:
        ask.close_connection = True
        for _ in range(times):
            ask.wfile.write(head)
        ask.wfile.write(last)

    return answer


def chunked(*pieces: bytes, ends: bool = True) -> Script:
    """A response of these chunks; without `ends`, repeats them while the client reads."""

    def answer(ask: Handler) -> None:
        ask.send_response(200)
        ask.send_header("Transfer-Encoding", "chunked")
        ask.end_headers()
        framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        ask.wfile.write(framed)
        while not ends and not ask.server.over.is_set():
            ask.wfile.write(framed)
        ask.wfile.write(b"0\r\n\r\n")

    return answer
