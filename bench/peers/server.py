"""`rembg s` and `packshot serve` under the same clients, which send rembg's own request to both.

A client sends its next photo once it has the cutout of the last one. It waits as long as a 503 tells it to.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import httpx

from bench.load.client import PATIENCE_S
from bench.load.replicas import free_port, replica, wait_for_port
from bench.processes import PeakMemory, tree_peak_bytes

PATH = "/api/remove"
WARM_UP_S = 3.0


@dataclass
class Load:
    """The requests of one server. times_s: of each photo, from its first request to its cutout, with all waits.

    waits: responses with 503. faults: all other responses. clients: the clients' share of one processor.
    """

    times_s: list[float] = field(default_factory=list)
    waits: int = 0
    faults: list[str] = field(default_factory=list)
    wall_s: float = 0.0
    peak_mb: float = 0.0
    clients: float = 0.0

    @property
    def a_second(self) -> float:
        return len(self.times_s) / self.wall_s


@contextmanager
def rembg_server(command: str, folder: Path) -> Iterator[tuple[str, int]]:
    """`rembg s`: its address and its process."""
    port = free_port()
    quiet = {**os.environ, "BROWSER": "true"}  # otherwise its start opens a page in the desktop's browser
    arguments = [command, "s", "--host", "127.0.0.1", "--port", str(port), "--log_level", "warning"]
    with (folder / "rembg.log").open("wb") as log:
        process = subprocess.Popen(arguments, env=quiet, stdout=log, stderr=log)
    try:
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


@contextmanager
def packshot_server(folder: Path) -> Iterator[tuple[str, int]]:
    """`packshot serve` that also answers rembg's request: its address and its process."""
    with replica(folder / "state", settings={"dialects": "rembg"}) as one:
        yield one.address, one.process.pid


def load(server: tuple[str, int], photos: Sequence[bytes], *, model: str, clients: int, seconds: float) -> Load:
    """Send photos for some seconds, and wait for the last cutouts."""
    address, pid = server
    asyncio.run(_drive(Load(), address, photos, model, clients=clients, seconds=WARM_UP_S))
    done, cpu, began = Load(), time.process_time(), time.monotonic()
    with PeakMemory(lambda: tree_peak_bytes(pid)) as peak:
        asyncio.run(_drive(done, address, photos, model, clients=clients, seconds=seconds))
    done.wall_s, done.peak_mb = time.monotonic() - began, peak.bytes / 1e6
    done.clients = (time.process_time() - cpu) / done.wall_s
    return done


async def _drive(
    done: Load, address: str, photos: Sequence[bytes], model: str, *, clients: int, seconds: float
) -> None:
    next_photo, ends = cycle(photos), time.monotonic() + seconds
    limits = httpx.Limits(max_connections=None, keepalive_expiry=1.0)

    async def one_client(http: httpx.AsyncClient) -> None:
        while time.monotonic() < ends:
            began = time.monotonic()
            if await _cut(done, http, next(next_photo), model):
                done.times_s.append(time.monotonic() - began)

    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE_S, limits=limits, trust_env=False) as http:
        await asyncio.gather(*(one_client(http) for _ in range(clients)))


async def _cut(done: Load, http: httpx.AsyncClient, data: bytes, model: str) -> bool:
    """Whether the cutout came, after any number of 503."""
    while True:
        try:
            answer = await http.post(PATH, files={"file": ("photo.jpg", data)}, data={"model": model})
        except httpx.TransportError as error:
            done.faults.append(repr(error))
            return False
        if answer.status_code == 503:
            done.waits += 1
            await asyncio.sleep(float(answer.headers.get("Retry-After", 1)))
            continue
        if answer.status_code != 200 or not _is_png(answer.content):
            done.faults.append(f"status {answer.status_code}, {len(answer.content)} bytes")
            return False
        return True


def _is_png(data: bytes) -> bool:
    """Whether the bytes begin as a PNG with an alpha channel and end as one."""
    return data[:8] == b"\x89PNG\r\n\x1a\n" and data[25] == 6 and data[-8:-4] == b"IEND"
