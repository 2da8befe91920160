"""Faults within one process: failing workers, jumping clocks, exhausted descriptors."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from bench.load.replicas import new_key, replica
from packshot.core.picture import Float32
from tests.contract.envelope import success_path
from tests.faults.proof import Place, proof
from tests.faults.sockets import closed
from tests.kit.images import good
from tests.kit.server import ENDPOINT, PATIENCE_S, Clock, Running, gated, serving, wait_until

HOUR = 3600


@contextmanager
def network_that_raises(running: Running, error: BaseException) -> Iterator[None]:
    def broken(rgb: Float32) -> Float32:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running.service.network, "predict", broken)
        yield


@proof("fault", "a worker that raises, whatever it is", "500, the credit back, the next photo done by the same slot")
def worker_raises(place: Place) -> str:
    running, key = place.running, place.running.new_key(1)
    failures = [RuntimeError("broken"), MemoryError(), RecursionError(), SystemExit(1), KeyboardInterrupt()]
    for error in failures:
        with network_that_raises(running, error):
            answer = running.send(good("jpeg"), key=key)
        assert answer.status_code == 500, f"{error!r}: {answer.status_code}"
        assert running.credits_of(key) == 1
    began = time.monotonic()
    success_path(running.send(good("jpeg"), key=key))
    assert running.service.admission.running == 0
    return f"{len(failures)} x 500; recovered after {time.monotonic() - began:.2f} s; no credit lost"


@proof("fault", "the clock jumps a day ahead and back", "links expire and live again; work in flight is untouched")
def clock_jumps(place: Place) -> str:
    clock = Clock()
    with serving(place.folder, workers=1, now=clock, deadline_s=5) as running:
        key, name = running.new_key(9), {"idempotency-key": "order-1"}
        path = success_path(running.send(good("jpeg"), key=key, headers=name))
        with gated(running) as gate:
            in_flight = running.send_meanwhile(good("jpeg"), key=key)
            gate.wait_for_arrival()
            clock.ahead_s = 25 * HOUR
            gate.open()
        success_path(in_flight.result())
        assert running.http.get(path).status_code == 410
        again = success_path(running.send(good("jpeg"), key=key, headers=name))
        assert again != path, "the service repeated an outcome whose link has expired"
        clock.ahead_s = -25 * HOUR
        assert running.http.get(path).status_code == 200
        back = running.send(good("jpeg"), key=key, headers=name)
        assert back.status_code == 200, back.text
        clock.ahead_s = 0.0
        assert running.http.get(path).status_code == 200
        assert running.credits_of(key) == 6
    return "410 while it is ahead, 200 after it; three photos made, three credits"


@proof("fault", "out of file descriptors", "idle ones give way; photos are done meanwhile", kind="slow")
def out_of_descriptors(place: Place) -> str:
    with replica(place.folder, descriptors=64, settings={"workers": 1, "idle_timeout_s": 2}) as one:
        key, address = new_key(place.folder, 3), one.address.removeprefix("http://").split(":")
        idle = [socket.create_connection((address[0], int(address[1]))) for _ in range(200)]
        try:
            wait_until(lambda: closed(idle) > 100)
            began = time.monotonic()
            links = [_cutout(one.address, key) for _ in range(3)]
            took_s = (time.monotonic() - began) / 3
            assert all(httpx.get(link).status_code == 200 for link in links)
            wait_until(lambda: closed(idle) == len(idle))
        finally:
            for connection in idle:
                connection.close()
        assert one.descriptors < 40
        assert "out of system resource" not in one.log.read_text()
    return f"200 idle connections, 64 descriptors: 3 photos for 3 credits meanwhile, {took_s:.2f} s each"


def _cutout(address: str, key: str) -> str:
    answer = httpx.post(
        address + ENDPOINT, files={"image": good("jpeg")}, headers={"x-api-market-key": key}, timeout=PATIENCE_S
    )
    assert answer.status_code == 200, answer.text
    link: str = answer.json()["data"]["image_url"]
    return link
