"""Mixed good and bad requests for any length of time: memory and descriptors must stay flat."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.load.replicas import Replica, new_key, replica
from tests.faults.sockets import exchange
from tests.kit.images import BAD, ODD, as_jpeg, good, photo
from tests.kit.server import ENDPOINT

CLIENTS = 4
LINES = 12
WARM_UP = 1 / 4
"""Share of the time. Allocators fill their arenas at first, so growth counts from here."""


@dataclass
class Record:
    """Results so far: responses by status, and violations."""

    answers: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def endure(minutes: float) -> int:
    """Send requests for this many minutes and print a line per twelfth of the time; returns 1 if a resource grew or a
    check failed.
    """
    with tempfile.TemporaryDirectory() as folder, replica(Path(folder), settings={"log_level": "error"}) as one:
        record, ends, key = Record(), time.monotonic() + 60 * minutes, new_key(Path(folder))
        shared = {"key": key, "files": _files(), "record": record, "ends": ends}
        threads = [
            threading.Thread(target=_client, args=(one,), kwargs={**shared, "seed": seed}) for seed in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        series = _watch(one, record, minutes)
        for thread in threads:
            thread.join()
    return _verdict(series, record)


def _files() -> list[tuple[bytes, frozenset[int]]]:
    """Files, and the statuses that each may get. Every third request brings a bad file."""
    honest = [as_jpeg(photo(*size, seed)) for seed, size in enumerate([(640, 480), (1000, 800), (300, 500)])]
    odd = [make() for make in ODD.values()]
    bad = [make() for make in BAD.values()]
    good_answers, any_answer = frozenset({200, 503}), frozenset({200, 400, 413, 415, 422, 503})
    return [(data, good_answers) for data in honest * 20] + [(data, any_answer) for data in odd + bad]


def _client(
    one: Replica, *, key: str, files: list[tuple[bytes, frozenset[int]]], record: Record, ends: float, seed: int
) -> None:
    chance = random.Random(seed)
    host, port = one.address.removeprefix("http://").split(":")
    with httpx.Client(base_url=one.address, timeout=90) as http:
        while time.monotonic() < ends:
            data, allowed = chance.choice(files)
            try:
                answer = http.post(ENDPOINT, files={"image": data}, headers={"x-api-market-key": key})
                _look_at(http, answer, allowed, record)
                _misbehave(chance.randrange(8), (host, int(port)), http)
            except httpx.TransportError as error:
                record.faults.append(repr(error))


def _look_at(http: httpx.Client, answer: httpx.Response, allowed: frozenset[int], record: Record) -> None:
    record.answers[answer.status_code] += 1
    if answer.status_code not in allowed:
        record.faults.append(f"{answer.status_code} {answer.text[:200]}")
    if answer.status_code == 200 and http.get(answer.json()["data"]["image_url"]).status_code != 200:
        record.faults.append("a promised result is missing")


def _misbehave(how: int, address: tuple[str, int], http: httpx.Client) -> None:
    """Now and then misuse the connection as no honest client does."""
    if how == 0:
        exchange(address, b"GET / HTTP/1.1\r\nHost", patience_s=0.01)  # closed within the head
    elif how == 1:
        exchange(address, b"\x16\x03\x01\x02\x00", patience_s=0.01)
    elif how == 2:
        http.post(ENDPOINT, headers={"x-api-market-key": good("png")[:20].hex()})
    elif how == 3:
        http.get("/results/none.png?expires=1&signature=none")


def _watch(one: Replica, record: Record, minutes: float) -> list[tuple[float, float, int]]:
    """(minute, MB, descriptors), sampled during the run."""
    series = []
    print("| minute | memory MB | descriptors | answers |\n|---|---|---|---|")
    began = time.monotonic()
    for line in range(1, LINES + 1):
        time.sleep(max(0.0, began + 60 * minutes * line / LINES - time.monotonic()))
        series.append((minutes * line / LINES, one.resident_bytes / 1e6, one.descriptors))
        told = ", ".join(f"{status}: {count}" for status, count in sorted(record.answers.items()))
        print(f"| {series[-1][0]:.1f} | {series[-1][1]:.0f} | {series[-1][2]} | {told} |", flush=True)
    return series


def _verdict(series: list[tuple[float, float, int]], record: Record) -> int:
    late = series[int(WARM_UP * LINES) :]
    half = len(late) // 2
    before, after = (sum(mb for _, mb, _ in part) / len(part) for part in (late[:half], late[half:]))
    most_open = max(count for _, _, count in series)
    flat = after < 1.1 * before + 10 and most_open < 100
    print(f"\nmemory {before:.0f} -> {after:.0f} MB, at most {most_open} descriptors, faults: {len(record.faults)}")
    print("\n".join(record.faults[:5]))
    return 0 if flat and not record.faults else 1
