"""Clients that write to the socket directly, because no honest library would send such bytes."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import httpx

from tests.kit.server import ENDPOINT, PATIENCE_S

Address = tuple[str, int]


def exchange(address: Address, data: bytes, patience_s: float = 3.0) -> bytes:
    """Send bytes, and return all received bytes until the server closes or is silent for `patience_s`."""
    with socket.create_connection(address, timeout=PATIENCE_S) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
        return drain(connection, patience_s)


def drain(connection: socket.socket, patience_s: float) -> bytes:
    """All received bytes until the connection ends, or until it is silent for `patience_s`."""
    connection.settimeout(patience_s)
    parts = []
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def statuses(answer: bytes) -> list[int]:
    """The status of every response in the bytes of a connection."""
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


def closed(connections: Sequence[socket.socket]) -> int:
    """The number of these connections that the server has closed."""
    poll = select.poll()
    for connection in connections:
        poll.register(connection, select.POLLIN | select.POLLHUP | select.POLLERR)
    ready = {number for number, _ in poll.poll(0)}
    return sum(each.fileno() in ready and _at_end(each) for each in connections)


def _at_end(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        while part := connection.recv(65536):
            del part
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@dataclass
class GoodClient:
    """A customer who sends one photo after another in parallel; took_s: seconds per response."""

    base_url: str
    key: str
    photo: bytes
    took_s: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[GoodClient]:
        over = threading.Event()
        thread = threading.Thread(target=self._work, args=(over,))
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join()
        assert self.took_s, "no photo was answered"
        assert not self.faults, self.faults[:3]

    @property
    def words(self) -> str:
        return f"{len(self.took_s)} good photos answered, slowest {max(self.took_s):.2f} s"

    def _work(self, over: threading.Event) -> None:
        with httpx.Client(base_url=self.base_url, timeout=PATIENCE_S) as http:
            while not over.is_set() and not self.faults:
                began = time.monotonic()
                try:
                    answer = http.post(ENDPOINT, files={"image": self.photo}, headers={"x-api-market-key": self.key})
                except httpx.TransportError as error:
                    self.faults.append(repr(error))
                    return
                if answer.status_code != 200:
                    self.faults.append(f"{answer.status_code} {answer.text[:200]}")
                self.took_s.append(time.monotonic() - began)
