"""Many connections and slow ones: heads and bodies byte by byte, unread responses, ten thousand idle connections."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections.abc import Iterator

import pytest

from bench.load.replicas import new_key, replica
from tests.faults.polyglots import stored_url
from tests.faults.proof import Place, proof
from tests.faults.sockets import GoodClient, closed, drain, statuses
from tests.kit.images import as_png, good, noise
from tests.kit.server import Running, head, multipart, serving, wait_until

IDLERS = 10_000


@contextlib.contextmanager
def connected(address: tuple[str, int], count: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(address)) for _ in range(count)]


def good_client(running: Running) -> GoodClient:
    return GoodClient(running.base_url, running.new_key(), good("jpeg"))


def drip(connections: list[socket.socket], data: bytes) -> None:
    """Send one byte on each connection that still accepts bytes."""
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.send(data)


@proof("abuse", "slowloris: 300 heads, a byte at a time", "all cut at the head's deadline; good clients go on")
def slow_heads(place: Place) -> str:
    with (
        serving(place.folder, workers=1, idle_timeout_s=1) as running,
        good_client(running).at_work() as client,
        connected(running.address, 300) as slow,
    ):
        began = time.monotonic()
        drip(slow, b"POST /v1/packshots HTTP/1.1\r\nx-slow: ")
        while closed(slow) < len(slow):
            drip(slow, b"a")
            assert time.monotonic() - began < 5, f"{closed(slow)} of {len(slow)} were cut"
            time.sleep(0.1)
        cut_s = time.monotonic() - began
    return f"300 cut after {cut_s:.1f} s (deadline 1 s); {client.words}"


@proof("abuse", "40 bodies with a true key, a byte at a time", "504 at the body's deadline, no credit, no worker held")
def slow_bodies(place: Place) -> str:
    body, kind = multipart("image", good("jpeg"))
    with (
        serving(place.folder, workers=1, body_deadline_s=1, idle_timeout_s=1) as running,
        good_client(running).at_work() as client,
        connected(running.address, 40) as slow,
    ):
        key = running.new_key(1)
        for connection in slow:
            connection.sendall(head(key, kind, len(body)) + body[:50])
        ends = time.monotonic() + 1.5
        while time.monotonic() < ends:
            drip(slow, b"a")
            time.sleep(0.1)
        answers = [statuses(drain(connection, 3)) for connection in slow]
        assert answers == [[504]] * len(slow), answers
        assert running.credits_of(key) == 1
    return f"40 x 504; {client.words}"


@proof(
    "abuse",
    "an answer of 4 MB that nobody reads, 20 times",
    "cut once they stand still; descriptors come back",
    kind="slow",
)
def unread_answers(place: Place) -> str:
    with serving(place.folder, workers=1, idle_timeout_s=1, body_deadline_s=1) as running:
        photo = as_png(noise(1000, 1000))
        url = stored_url(running, photo * (1 + 4_000_000 // len(photo)))
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                connection = stack.enter_context(socket.socket())
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.connect(running.address)
                connection.sendall(
                    f"GET {url.removeprefix(running.base_url)} HTTP/1.1\r\nHost: packshot\r\n\r\n".encode()
                )
            wait_until(lambda: len(running.server.server_state.connections) >= 20)
            began = time.monotonic()
            wait_until(lambda: len(running.server.server_state.connections) == 0)
            took_s = time.monotonic() - began
    return f"20 cut after {took_s:.1f} s, 1.2 s after the kernel's own buffers were full"


@proof("abuse", f"{IDLERS:,} idle connections", "good clients go on; all cut; descriptors come back", kind="release")
def idle_connections(place: Place) -> str:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(IDLERS, hard - 500)
    if count < 500:
        pytest.skip(f"only {count} descriptors")
    with replica(place.folder, settings={"workers": 1, "idle_timeout_s": 30}) as one:  # it starts with a usual limit
        host, port = one.address.removeprefix("http://").split(":")
        key, before = new_key(place.folder), one.descriptors
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        try:
            with (
                GoodClient(one.address, key, good("jpeg")).at_work() as client,
                connected((host, int(port)), count) as idle,
            ):
                wait_until(lambda: one.descriptors > count)  # a connection exists before the server accepts it
                most = one.descriptors
                memory_mb = one.resident_bytes / 1e6
                wait_until(lambda: closed(idle) == count, patience_s=90)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        wait_until(lambda: one.descriptors <= before + 2)
    return f"{count:,} open at once, {memory_mb:.0f} MB, descriptors {before} -> {most} -> {before}; {client.words}"
