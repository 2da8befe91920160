"""Clients in a separate process, closed or open loop; every result is downloaded, and opened after the run."""

from __future__ import annotations

import asyncio
import io
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from PIL import Image

PATH = "/v1/packshots"
PATIENCE_S = 120.0
NO_ANSWER = 0


@dataclass(frozen=True)
class Traffic:
    """The work of one client process.

    photos: file by size class. weights: relative frequency of each class. clients: of a closed loop; each sends again
    after it has its result. rate: of an open loop, requests a second, sent without waiting for earlier responses.
    """

    address: str
    key: str
    photos: Mapping[str, bytes]
    weights: Mapping[str, float]
    seconds: float
    folder: Path
    clients: int = 0
    rate: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """One request. status: NO_ANSWER if the connection broke. took_s: from the scheduled time to the response."""

    status: int
    took_s: float
    served_s: float = 0.0
    fault: str = ""
    result: Path | None = None
    expected: tuple[int, int] = (0, 0)


@dataclass
class Drive:
    """All requests of a traffic; busy: the clients' share of one processor."""

    outcomes: list[Outcome] = field(default_factory=list)
    wall_s: float = 0.0
    busy: float = 0.0


def drive(traffic: Traffic) -> Drive:
    """Send a traffic, and wait for the response of its last request."""
    began, cpu = time.monotonic(), time.process_time()
    done = asyncio.run(_closed(traffic) if traffic.clients else _open(traffic))
    wall_s = time.monotonic() - began
    busy = (time.process_time() - cpu) / wall_s
    return Drive([_opened(outcome) for outcome in done], wall_s, busy)


def _http(traffic: Traffic) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=traffic.address,
        headers={"authorization": f"Bearer {traffic.key}", "accept": "application/json"},
        timeout=PATIENCE_S,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=1.0),
        trust_env=False,
    )


async def _closed(traffic: Traffic) -> list[Outcome]:
    chance, ends, outcomes = random.Random(traffic.seed), time.monotonic() + traffic.seconds, list[Outcome]()

    async def one_client(http: httpx.AsyncClient) -> None:
        while time.monotonic() < ends:
            outcome = await _send(traffic, http, _pick(traffic, chance), time.monotonic())
            outcomes.append(outcome)
            if outcome.status != 200:
                await asyncio.sleep(0.2)

    async with _http(traffic) as http:
        await asyncio.gather(*(one_client(http) for _ in range(traffic.clients)))
    return outcomes


async def _open(traffic: Traffic) -> list[Outcome]:
    """Poisson arrivals. A request's time starts when it was due, so that a slow client hides no waiting."""
    chance, due, tasks = random.Random(traffic.seed), time.monotonic(), []
    ends = due + traffic.seconds
    async with _http(traffic) as http:
        while (due := due + chance.expovariate(traffic.rate)) < ends:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            tasks.append(asyncio.create_task(_send(traffic, http, _pick(traffic, chance), due)))
        return list(await asyncio.gather(*tasks))


def _pick(traffic: Traffic, chance: random.Random) -> str:
    return chance.choices(list(traffic.weights), list(traffic.weights.values()))[0]


async def _send(traffic: Traffic, http: httpx.AsyncClient, size: str, due: float) -> Outcome:
    try:
        answer = await http.post(PATH, files={"image": ("photo.jpg", traffic.photos[size])})
        took_s = time.monotonic() - due
        if answer.status_code != 200:
            return Outcome(answer.status_code, took_s)
        return await _fetch(traffic, http, answer.json(), Outcome(200, took_s))
    except httpx.TransportError as error:
        return Outcome(NO_ANSWER, time.monotonic() - due, fault=repr(error))


async def _fetch(traffic: Traffic, http: httpx.AsyncClient, told: dict[str, object], answered: Outcome) -> Outcome:
    """The linked result as a file; it is opened later, so that the check takes no time from the service."""
    timings = told["timings_ms"]
    assert isinstance(timings, dict)  # noqa: S101 - the API's own model
    served_s = sum(value for name, value in timings.items() if name != "wait") / 1000
    link = urlsplit(str(told["url"]))
    download = await http.get(f"{link.path}?{link.query}")  # on the path of the request: through nginx, if there is one
    fault = ""
    if download.status_code != 200 or len(download.content) != told["bytes"]:
        fault = f"promised result: status {download.status_code}, {len(download.content)} of {told['bytes']} bytes"
    path = traffic.folder / f"{told['request_id']}"
    path.write_bytes(download.content)
    expected = (int(str(told["width"])), int(str(told["height"])))
    return Outcome(200, answered.took_s, served_s, fault, path, expected)


def _opened(outcome: Outcome) -> Outcome:
    """The outcome with any fault of its result; the result's file is deleted."""
    if outcome.result is None or outcome.fault:
        return outcome
    data = outcome.result.read_bytes()
    outcome.result.unlink()
    fault = ""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            if picture.size != outcome.expected or picture.mode != "RGBA":
                fault = f"{picture.mode} {picture.size}, promised {outcome.expected}"
    except OSError as error:
        fault = f"cannot be opened: {error}"
    return Outcome(200, outcome.took_s, outcome.served_s, fault, None, outcome.expected)
