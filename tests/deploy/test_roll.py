"""A deploy under load: deploy/roll.sh with two replicas and nginx, as processes instead of containers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from packshot.api.ailab.routes import PATHS
from tests.deploy.kit import DEPLOY, Nginx, Replica, nginx_before
from tests.kit.images import as_jpeg, photo
from tests.kit.processes import free_port
from tests.kit.server import wait_until

pytestmark = pytest.mark.services
CLIENTS = 4


@dataclass
class Load:
    """Clients that send photos one after the other, fetch each result, and record the outcomes."""

    nginx: Nginx
    key: str
    seen: Counter[str] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)

    def send(self, seed: int) -> None:
        body = as_jpeg(photo(seed=seed))
        while not self.over.is_set():
            self.seen[self._once(body)] += 1

    def _once(self, body: bytes) -> str:
        headers = {"x-api-market-key": self.key}
        try:
            made = httpx.post(self.nginx.url + PATHS[0], files={"image": body}, headers=headers, timeout=30)
            if made.status_code != 200:
                return f"POST {made.status_code} {made.text[:200]}"
            result = httpx.get(made.json()["data"]["image_url"], timeout=30)
        except httpx.TransportError as error:
            return repr(error)
        return "made" if result.content[:4] == b"\x89PNG" else f"GET {result.status_code}"

    @contextmanager
    def running(self) -> Iterator[None]:
        with ThreadPoolExecutor(CLIENTS) as clients:
            for seed in range(CLIENTS):
                clients.submit(self.send, seed)
            try:
                wait_until(lambda: self.seen["made"] > CLIENTS)
                yield
            finally:
                self.over.set()


def replacing(replicas: dict[int, Replica], door: Path) -> threading.Thread:
    """Replaces `docker compose up`: receives a port at `door`, drains that replica, and starts it again."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(door))
    listener.listen()

    def serve() -> None:
        with listener:
            for _ in replicas:
                with listener.accept()[0] as caller:
                    replica = replicas[int(caller.recv(100).rpartition(b":")[2])]
                    caller.sendall(f"{replica.drain()} ".encode())
                    replica.start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


REPLACE = """
import socket, sys
with socket.socket(socket.AF_UNIX) as door:
    door.connect(sys.argv[1])
    door.sendall(sys.argv[2].encode())
    print(door.recv(100))
    assert door.recv(100) == b""  # closed when the new one is ready
"""


def test_no_request_fails_while_both_replicas_are_replaced(tmp_path: Path) -> None:
    """Afterwards each replica is another process, and every request of four clients got its photo."""
    ports = [free_port(), free_port()]
    with nginx_before(tmp_path / "nginx", ports) as nginx:
        environ = {
            **os.environ,
            "PACKSHOT_STATE_DIR": str(tmp_path / "state"),
            "PACKSHOT_PUBLIC_BASE_URL": nginx.url,
            "PACKSHOT_WORKERS": "1",
        }
        replicas = {port: Replica(environ, port) for port in ports}
        try:
            for replica in replicas.values():
                replica.start()
            load = Load(nginx, _new_key(environ))
            before = [replica.process for replica in replicas.values()]
            with load.running():
                output = _roll(nginx, replicas, tmp_path / "door")
                seen = load.seen["made"]
                wait_until(lambda: load.seen["made"] > seen + 2 * CLIENTS)
        finally:
            for replica in replicas.values():
                replica.kill()
    print(f"\n{sum(load.seen.values())} requests while {len(replicas)} replicas were replaced: {dict(load.seen)}")
    # Each old replica ended without a kill: uvicorn finishes its work, then ends with the signal that it received.
    assert output.count("b'-15 '") == len(replicas), output
    assert not {process for process in before if process and process.poll() is None}
    assert load.seen.keys() == {"made"}


def test_a_replica_that_does_not_become_ready_is_named_and_stops_the_deploy(tmp_path: Path) -> None:
    replicas = tmp_path / "replicas.conf"
    replicas.write_text("server one:8000;\nserver two:8000;\n")
    environ = {**os.environ, "REPLICAS_FILE": str(replicas), "RELOAD": "true", "REPLACE": "false"}
    rolled = subprocess.run(
        [DEPLOY / "roll.sh", "one", "two"], env=environ, capture_output=True, text=True, check=False, timeout=30
    )
    assert rolled.returncode == 1
    assert "one did not become ready" in rolled.stderr
    assert replicas.read_text() == "server one:8000;\nserver two:8000;\n"


def _new_key(environ: dict[str, str]) -> str:
    command = [sys.executable, "-m", "packshot", "keys", "create", "load"]
    output = subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout
    return next(word for word in output.split() if word.startswith("pk"))


def _roll(nginx: Nginx, replicas: dict[int, Replica], door: Path) -> str:
    replacing(replicas, door)
    script = door.with_suffix(".py")
    script.write_text(REPLACE)
    rolled = subprocess.run(
        [DEPLOY / "roll.sh", *(f"127.0.0.1:{port}" for port in replicas)],
        env={
            **os.environ,
            "REPLICAS_FILE": str(nginx.replicas),
            "RELOAD": " ".join([*nginx.command, "-s", "reload"]),
            "REPLACE": f"{sys.executable} {script} {door}",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert rolled.returncode == 0, rolled.stdout + rolled.stderr
    return rolled.stdout
