"""Sixteen clients for two minutes: only 200 and 503, every result present and of the right size, memory flat."""

from __future__ import annotations

import io
import os
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.contract.envelope import failure, success_url
from tests.kit.images import WRITERS, photo
from tests.kit.server import ENDPOINT, wait_until

CLIENTS = 16
SECONDS = 120
SIZES = [(320, 240), (640, 480), (1000, 800), (240, 400), (1600, 1200)]


@dataclass
class Log:
    """Observations of the clients and of the process monitor; times in seconds since the start."""

    started: float = field(default_factory=time.monotonic)
    statuses: Counter[int] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def now_s(self) -> float:
        return time.monotonic() - self.started

    def resident_mb(self, begin_s: float, end_s: float) -> float:
        """The median over an interval."""
        return statistics.median(rss for at_s, rss in self.memory if begin_s <= at_s < end_s) / 1e6


@pytest.mark.release
@pytest.mark.timeout(SECONDS + 120)
def test_sixteen_clients_for_two_minutes(tmp_path: Path) -> None:
    photos = [(size, WRITERS[kind](photo(*size, seed))) for seed, size in enumerate(SIZES) for kind in ("jpeg", "png")]
    log = Log()
    with served(tmp_path) as (process, base_url, key):
        clients = [threading.Thread(target=client, args=(log, base_url, key, photos)) for _ in range(CLIENTS)]
        for thread in clients:
            thread.start()
        watch(log, process.pid)
        for thread in clients:
            thread.join()
    report(log)
    assert not log.faults, log.faults[:5]
    assert set(log.statuses) <= {200, 503}
    assert log.statuses[200] > CLIENTS
    early_mb, late_mb = log.resident_mb(60, 80), log.resident_mb(SECONDS - 20, SECONDS)
    assert late_mb < 1.1 * early_mb + 20


def client(log: Log, base_url: str, key: str, photos: list[tuple[tuple[int, int], bytes]]) -> None:
    """Send one photo after the other and fetch each result, until the test ends; failures go to the log."""
    with httpx.Client(base_url=base_url, headers={"x-api-market-key": key}, timeout=60) as http:
        while log.now_s < SECONDS and not log.faults:
            try:
                one_photo(log, http, *photos[log.statuses.total() % len(photos)])
            except Exception as error:  # noqa: BLE001 - whatever it is, the test must tell it
                log.faults.append(repr(error))


def one_photo(log: Log, http: httpx.Client, size: tuple[int, int], data: bytes) -> None:
    started = time.monotonic()
    response = http.post(ENDPOINT, files={"image": ("photo", data)})
    log.statuses[response.status_code] += 1
    if response.status_code == 503:
        failure(response, 503, "AI_SERVICE_FLOW_RESTRICTION")
        time.sleep(min(1, int(response.headers["retry-after"])))
        return
    log.took_s.append(time.monotonic() - started)
    picture = Image.open(io.BytesIO(http.get(success_url(response)).raise_for_status().content))
    picture.load()
    assert (picture.mode, picture.size) == ("RGBA", size)


def watch(log: Log, pid: int) -> None:
    """Record the resident memory of a process every half second, until the test ends."""
    while log.now_s < SECONDS and not log.faults:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        log.memory.append((log.now_s, pages * os.sysconf("SC_PAGESIZE")))
        time.sleep(0.5)


def report(log: Log) -> None:
    took_s = sorted(log.took_s) or [0.0]
    p50, p95 = (took_s[len(took_s) * share // 100] for share in (50, 95))
    rate = log.statuses[200] / SECONDS
    print(f"\n{dict(log.statuses)} in {SECONDS} s, {rate:.1f} a second, p50 {p50:.2f} s, p95 {p95:.2f} s")
    memory = ", ".join(f"{at}: {log.resident_mb(at, at + 20):.0f}" for at in range(0, SECONDS, 20) if log.memory)
    print(f"resident MB by second: {memory}")


@contextmanager
def served(state_dir: Path) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """`packshot serve` in its own process: the process, its address and the first key that it prints."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {"PACKSHOT_STATE_DIR": str(state_dir), "PACKSHOT_PORT": str(port), "PACKSHOT_QUEUE_LIMIT": "8"}
    command = [sys.executable, "-u", "-m", "packshot", "serve"]
    with (state_dir / "out").open("w+") as out:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=out, stderr=subprocess.STDOUT, text=True
        )
        try:
            base_url = f"http://127.0.0.1:{port}"
            wait_until(lambda: answers(base_url) or process.poll() is not None)
            found = re.search(r"pk_\w{49}", (state_dir / "out").read_text())
            assert found, (state_dir / "out").read_text()
            yield process, base_url, found[0]
        finally:
            process.terminate()
            assert process.wait(30) in {0, -15}


def answers(base_url: str) -> bool:
    try:
        return httpx.get(f"{base_url}/readyz").status_code == 200
    except httpx.TransportError:
        return False
