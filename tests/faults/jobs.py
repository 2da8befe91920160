"""Two replicas, each killed while they work on jobs: every photo is done once, every webhook arrives."""

from __future__ import annotations

import base64
import hmac
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from bench.load.replicas import Replica, free_port, new_key, replica
from packshot.service.accounts import Accounts
from packshot.service.database import Database
from packshot.service.ledger import Ledger
from packshot.service.queue import LEASE_S
from tests.faults.proof import Place, proof
from tests.kit.images import as_jpeg, photo
from tests.kit.postgres import postgres_server
from tests.kit.server import PATIENCE_S, wait_until

JOBS = 60 if "CI" in os.environ else 500
SETTINGS = {
    "workers": 1,
    "url_secrets": "s" * 32,
    "webhooks": "http",
    "webhook_networks": "127.0.0.0/8",
    "deadline_s": 10,
}
EXPECTED = "each photo done and paid once, each webhook verified, none lost"


class Receiver(ThreadingHTTPServer):
    """Receives webhooks, and checks each signature."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.secret = b""
        self.told: Counter[str] = Counter()
        self.unverified = 0
        self.turn = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def take(self, headers: Mapping[str, str], body: bytes) -> None:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        mine = f"v1,{base64.b64encode(hmac.digest(self.secret, signed, 'sha256')).decode()}"
        with self.turn:
            self.unverified += mine not in headers["webhook-signature"].split()
            self.told[json.loads(body)["data"]["id"]] += 1


class _Hook(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.take({name.lower(): value for name, value in self.headers.items()}, body)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiving() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, daemon=True)
        thread.start()
        yield receiver
        receiver.shutdown()


@proof("fault", "kill -9 of each of two replicas in turn, with jobs on PostgreSQL", EXPECTED, kind="release")
def killed_amid_jobs(place: Place) -> str:
    with postgres_server() as server:
        return _killed_amid_jobs(place, {"database_url": server.new_database()})


@proof("fault", "the same with jobs in a shared SQLite file", EXPECTED, kind="release")
def killed_amid_jobs_in_a_file(place: Place) -> str:
    return _killed_amid_jobs(place, {})


def _killed_amid_jobs(place: Place, database: Mapping[str, object]) -> str:
    settings, ports = {**SETTINGS, **database}, [free_port(), free_port()]
    with (
        receiving() as receiver,
        replica(place.folder, port=ports[0], settings=settings) as first,
        replica(place.folder, port=ports[1], settings=settings) as second,
    ):
        key = new_key(place.folder, JOBS, database)
        ids = _begin(receiver, [first, second], key)
        killed_at = time.monotonic()
        wait_until(lambda: len(receiver.told) >= JOBS // 5, 10 * PATIENCE_S)
        first.kill()
        wait_until(lambda: len(receiver.told) >= JOBS // 3, 10 * PATIENCE_S)
        with replica(place.folder, port=ports[0], settings=settings) as third:
            second.kill()
            wait_until(lambda: len(receiver.told) >= JOBS, 10 * PATIENCE_S)
            took_s = time.monotonic() - killed_at
            missing = _missing(third, key, ids)
        assert not missing, f"{len(missing)} of {JOBS} are not done, or their pictures are not there: {missing[:3]}"
        assert receiver.told.keys() == set(ids)
        assert not receiver.unverified, f"{receiver.unverified} webhooks could not be verified"
    address = database.get("database_url") or place.folder / "accounts.sqlite3"
    with closing(Database(address)) as opened:  # type: ignore[arg-type]
        books = Ledger(opened).usage()
        left = Accounts(opened).authenticate(key).credits
    assert (left, sum(day.succeeded for day in books), sum(day.credits for day in books)) == (0, JOBS, JOBS)
    twice = sum(count - 1 for count in receiver.told.values())
    assert twice <= 2 * 8, "a webhook repeats only where its replica died before it could record the response"
    return (
        f"{JOBS} jobs done and paid once in {took_s:.0f} s, {JOBS} webhooks verified, {twice} of them twice; "
        f"leases of {LEASE_S:g} s"
    )


def _begin(receiver: Receiver, replicas: list[Replica], key: str) -> list[str]:
    headers = {"authorization": f"Bearer {key}"}
    account = httpx.get(f"{replicas[0].address}/v1/account", headers=headers, timeout=PATIENCE_S).json()
    receiver.secret = base64.b64decode(account["webhook_secret"].removeprefix("whsec_"))

    def begin(number: int) -> str:
        # Each photo differs: a repeated photo would be free the second time.
        files = {"image": ("photo.jpg", as_jpeg(photo(96, 72, number)))}
        with httpx.Client(timeout=3 * PATIENCE_S, headers=headers) as http:
            address = replicas[number % 2].address
            answer = http.post(f"{address}/v1/jobs", files=files, data={"webhook": receiver.url})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(begin, range(JOBS)))


def _missing(there: Replica, key: str, ids: list[str]) -> list[str]:
    """Jobs that are not done, or whose picture is missing."""
    missing = []
    with httpx.Client(base_url=there.address, timeout=PATIENCE_S, headers={"authorization": f"Bearer {key}"}) as http:
        for each in ids:
            job: dict[str, Any] = http.get(f"/v1/jobs/{each}").json()
            photos = job["photos"]
            links = [picture["url"] for photo in photos for picture in photo["packshots"]]
            paths = [httpx.URL(link).raw_path.decode() for link in links]
            if job["status"] != "done" or len(links) != 1 or http.get(paths[0]).status_code != 200:
                missing.append(each)
    return missing
