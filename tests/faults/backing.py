"""Outages of the real backing services: PostgreSQL, Redis, and S3 over a bad network."""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Callable

import httpx
import obstore
import pytest
from PIL import Image

from packshot.storage.bucket import open_bucket
from tests.contract.envelope import success_path
from tests.faults.proof import Place, proof
from tests.kit.faultproxy import Faults, fault_proxy
from tests.kit.images import as_jpeg, good, photo
from tests.kit.locks import locked
from tests.kit.postgres import postgres_server
from tests.kit.redis import redis_server
from tests.kit.s3 import s3_server
from tests.kit.server import PATIENCE_S, Running, gated, serving

BUCKET, SECRETS = "faults", ("s" * 32,)


def recovery_s(send: Callable[[], httpx.Response]) -> float:
    """The time in seconds until a request succeeds again."""
    began = time.monotonic()
    while send().status_code != 200:
        assert time.monotonic() - began < PATIENCE_S, "it does not recover"
        time.sleep(0.05)
    return time.monotonic() - began


def refused(running: Running, key: str, count: int = 4) -> tuple[Counter[int], float]:
    """The statuses of `count` requests, and the longest time that one took."""
    seen, longest_s = Counter[int](), 0.0
    for _ in range(count):
        began = time.monotonic()
        seen[running.send(good("jpeg"), key=key).status_code] += 1
        longest_s = max(longest_s, time.monotonic() - began)
    return seen, longest_s


@proof(
    "fault", "PostgreSQL stopped and started", "503 or 502 at once, no photo for nothing, no restart", kind="services"
)
def database_away(place: Place) -> str:
    with postgres_server() as server:
        url = server.new_database()
        with serving(place.folder, workers=1, database_url=url, url_secrets=SECRETS) as running:
            key = running.new_key(20)
            paths = [success_path(running.send(good("jpeg"), key=key))]
            with gated(running) as gate:
                in_flight = running.send_meanwhile(good("jpeg"), key=key)
                gate.wait_for_arrival()
                server.stop()
                gate.open()
                told = in_flight.result()  # its charge cannot be settled: with any response, no credit is lost
            seen, longest_s = refused(running, key)
            assert set(seen) <= {502, 503}, seen
            assert running.http.get(paths[0]).status_code == 200  # finished results need no database
            server.start()
            back_s = recovery_s(lambda: running.send(good("jpeg"), key=key))
            running.service.ledger.give_back_lost(0)  # automatic once no job can be as old as the charge
            promised = 2 + (told.status_code == 200)
            assert running.credits_of(key) == 20 - promised, (told.status_code, running.credits_of(key))
    return (
        f"{dict(seen)}, {longest_s:.1f} s at most; in flight: {told.status_code}; results served meanwhile; "
        f"recovered {back_s:.1f} s after it; {promised} results, {promised} credits"
    )


@proof("fault", "accounts.sqlite3 locked by another process", "503 at once after 2 s; results, /healthz: as ever")
def accounts_locked(place: Place) -> str:
    with serving(place.folder, workers=1) as running:
        key = running.new_key(20)
        path = success_path(running.send(good("jpeg"), key=key))
        with locked(place.folder / "accounts.sqlite3"):
            waiting = [running.send_meanwhile(good("jpeg"), key=key) for _ in range(8)]
            served = 0
            while not all(each.done() for each in waiting):
                served += running.http.get(path).status_code == running.http.get("/healthz").status_code == 200
            assert served, "results wait for the accounts"
            assert {each.result().status_code for each in waiting} == {503}
            seen, longest_s = refused(running, key)
            assert set(seen) == {503}, seen
            assert running.http.get("/readyz").status_code == 503
        back_s = recovery_s(lambda: running.send(good("jpeg"), key=key))
        running.service.ledger.give_back_lost(0)
        assert running.credits_of(key) == 20 - 2
    return (
        f"{dict(seen)}, {longest_s:.1f} s at most; {served} results served while 8 photos waited; "
        f"recovered {back_s:.1f} s after it; 2 results, 2 credits"
    )


@proof("fault", "Redis stopped and started", "each process counts for itself; no request fails", kind="services")
def redis_away(place: Place) -> str:
    with redis_server() as server:
        settings = {"rate_limit": "5/minute", "rate_limit_url": server.url}
        with serving(place.folder, workers=1, **settings) as running:
            key = running.new_key(50)
            assert running.send(good("jpeg"), key=key).status_code == 200
            server.stop()
            seen, longest_s = refused(running, key, 7)
            assert seen == {200: 5, 429: 2}, seen  # the limit holds, counted here from zero
            server.start()
            time.sleep(1.1)
            assert recovery_s(lambda: running.send(good("jpeg"), key=key)) < 1
            assert running.credits_of(key) == 50 - 7
    return f"away: {dict(seen)}, {longest_s:.1f} s at most; counted in Redis again 1 s after its start; 7 credits for 7"


WIRES = {
    "slow": Faults(latency_s=0.2),
    "refusing": Faults(refuse=True),
    "black hole": Faults(black_hole=True),
    "cut going up": Faults(cut_up_after_bytes=3000),
    "corrupt going up": Faults(corrupt_up=True),
}


@proof(
    "fault",
    "S3 slow, refused, cut, corrupt, black hole",
    "slow succeeds, else 502 in time; all is whole",
    kind="services",
)
def bucket_behind_a_bad_wire(place: Place) -> str:
    with s3_server() as server, fault_proxy(server.endpoint) as proxy, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        server.make_bucket(BUCKET)
        patch.setenv("AWS_ENDPOINT_URL", proxy.url)
        url = f"s3://{BUCKET}/shared"
        with serving(place.folder, results_url=url, url_secrets=SECRETS, results_deadline_s=2.0) as running:
            key, data, seen = running.new_key(50), as_jpeg(photo(320, 240)), {}
            paths = [first := success_path(running.send(data, key=key))]
            for name, faults in WIRES.items():
                proxy.faults = faults
                began = time.monotonic()
                answer = running.send(data, key=key)
                seen[name] = f"{answer.status_code} in {time.monotonic() - began:.1f} s"
                assert time.monotonic() - began < 10
                assert answer.status_code in ({200} if name == "slow" else {502}), seen
                paths += [success_path(answer)] if answer.status_code == 200 else []
                proxy.faults = Faults()
                recovery_s(lambda: running.http.get(first))
            paths.append(success_path(running.send(data, key=key)))
            assert running.credits_of(key) == 50 - len(paths)
            assert all(running.http.get(path).status_code == 200 for path in paths)
        patch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        # The data that the black hole held back arrives when it opens. It is whole, belongs to no client, and is later
        # swept.
        assert 0 <= _whole_objects() - len(paths) <= 1
    return f"{', '.join(f'{name}: {what}' for name, what in seen.items())}; {len(paths)} results, {len(paths)} credits"


def _whole_objects() -> int:
    """The number of results in the bucket, after opening each one."""
    bucket = open_bucket(f"s3://{BUCKET}", deadline_s=20, page="")
    paths = [meta["path"] for page in obstore.list(bucket, "shared") for meta in page]
    results = [path for path in paths if path.rpartition("/")[2] not in {"probe", "sweep"}]
    for path in results:
        Image.open(io.BytesIO(bytes(obstore.get(bucket, path).bytes()))).load()
    return len(results)
