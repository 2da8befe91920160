"""A real service behind a real socket: the composition root builds it, the real server runs it in a thread."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from packshot.api.ailab.routes import PATHS
from packshot.api.server import Server, make_server
from packshot.core.picture import Float32
from packshot.service.build import Service, build
from packshot.service.results import ResultStore
from packshot.service.settings import Settings

ENDPOINT = PATHS[0]
# Long enough for a machine with all cores busy; normally the waits end in milliseconds.
PATIENCE_S = 20.0


class Clock:
    """The real time plus an offset that a test sets."""

    ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@dataclass(frozen=True)
class Running:
    """A server at `base_url`, the service behind it, a client for it, and threads for more clients."""

    service: Service
    server: Server
    base_url: str
    http: httpx.Client
    threads: ThreadPoolExecutor

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, for tests that write to the socket directly."""
        return self.service.settings.host, self.service.settings.port

    def new_key(self, credit_count: int | None = None) -> str:
        return self.service.accounts.create("test", credits=credit_count).key

    def credits_of(self, key: str) -> int | None:
        return self.service.accounts.authenticate(key).credits

    def send(
        self,
        photo: bytes,
        *,
        key: str | None = None,
        return_form: str | None = None,
        path: str = ENDPOINT,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """POST a photo as any client does; with a new key unless `key` is given."""
        return self.http.post(
            path,
            files={"image": ("photo.jpg", photo)},
            data={} if return_form is None else {"return_form": return_form},
            headers={"x-api-market-key": key or self.new_key(), **(headers or {})},
        )

    def send_meanwhile(
        self, photo: bytes, *, key: str, headers: dict[str, str] | None = None
    ) -> Future[httpx.Response]:
        """The same in a thread."""
        return self.threads.submit(self.send, photo, key=key, headers=headers)


@contextmanager
def serving(
    state_dir: Path,
    *,
    store: ResultStore | None = None,
    now: Callable[[], float] = time.time,
    port: int = 0,
    **settings: object,
) -> Iterator[Running]:
    """Run a service with these settings on a free loopback port, or on `port`; drained and closed at the end."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        port = listener.getsockname()[1]
        chosen = Settings.model_validate({"port": port, "state_dir": state_dir, **settings})
        service = build(chosen, store=store, now=now)
        server = make_server(service)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server")
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive())
            assert server.started, "the server does not start"
            with httpx.Client(base_url=chosen.base_url, timeout=PATIENCE_S) as http, ThreadPoolExecutor(8) as threads:
                yield Running(service, server, chosen.base_url, http, threads)
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), f"the server does not stop:\n{_whereabouts(server)}"


def _whereabouts(server: Server) -> str:
    """What keeps a server from stopping: its open connections, and the places of its tasks."""
    tasks = [task for task in asyncio.tasks._all_tasks if not task.done()]  # type: ignore[attr-defined]
    return "\n".join(map(repr, [*server.server_state.connections, *tasks]))


def wait_until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Return once the condition holds; fail after `patience_s`."""
    ends = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < ends, "the condition of the test does not become true"
        time.sleep(0.005)


class Gate:
    """The network of a running service, stopped: each prediction waits until the gate opens."""

    def __init__(self, predict: Callable[[Float32], Float32]) -> None:
        self._predict = predict
        self._open = threading.Event()
        self.arrived = 0

    def __call__(self, rgb: Float32) -> Float32:
        self.arrived += 1
        self._open.wait(PATIENCE_S)
        return self._predict(rgb)

    def wait_for_arrival(self) -> None:
        wait_until(lambda: self.arrived)

    def open(self) -> None:
        self._open.set()


@contextmanager
def gated(running: Running) -> Iterator[Gate]:
    """Hold the network of a service: tests of queues and deadlines need requests that take long."""
    gate = Gate(running.service.network.predict)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running.service.network, "predict", gate)
        try:
            yield gate
        finally:
            gate.open()
            wait_until(lambda: not running.service.admission.running)


def multipart(name: str, content: bytes, filename: str | None = "photo.jpg") -> tuple[bytes, str]:
    """The body and the Content-Type of a form with one part."""
    file = "" if filename is None else f'; filename="{filename}"'
    head = f'--frontier\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + content + b"\r\n--frontier--\r\n", "multipart/form-data; boundary=frontier"


def head(key: str, content_type: str, length: int) -> bytes:
    return (
        f"POST {ENDPOINT} HTTP/1.1\r\nHost: packshot\r\nx-api-market-key: {key}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def received(connection: socket.socket) -> httpx.Response:
    """Read one whole response with a body from a socket."""
    connection.settimeout(PATIENCE_S)
    with connection.makefile("rb") as file:
        status = int(file.readline().split()[1])
        lines = iter(file.readline, b"\r\n")
        headers = [tuple(line.strip().split(b": ", 1)) for line in lines]
        length = int(dict(headers)[b"content-length"])
        return httpx.Response(status, headers=headers, content=file.read(length))
