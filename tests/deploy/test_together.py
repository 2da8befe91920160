"""The parts of deploy/compose.yaml, run as processes: two replicas, nginx, PostgreSQL, Redis and an S3 server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
import yaml

from packshot.api.ailab.routes import PATHS
from tests.deploy.kit import DEPLOY, Nginx, Replica, nginx_before
from tests.kit.images import good
from tests.kit.postgres import postgres_server
from tests.kit.processes import free_port
from tests.kit.redis import redis_server
from tests.kit.s3 import S3

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Stack:
    """The running stack; environ: the replicas' settings, for the command line next to them."""

    nginx: Nginx
    replicas: list[Replica]
    environ: dict[str, str]

    def keys(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "packshot", "keys", *arguments]
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def send(self, base: str, key: str, **headers: str) -> httpx.Response:
        return httpx.post(
            base + PATHS[0], files={"image": good("jpeg")}, headers={"x-api-market-key": key, **headers}, timeout=60
        )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, shared_s3: S3) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    ports = [free_port(), free_port()]
    with (
        postgres_server() as database,
        redis_server() as redis,
        nginx_before(folder / "nginx", ports) as nginx,
    ):
        shared_s3.make_bucket("packshot")
        secrets = {"URL_SECRETS": "0123456789abcdef" * 4, "DATABASE_URL": database.new_database()}
        for name, text in secrets.items():
            (folder / name).write_text(text)
        environ = composed() | shared_s3.environment
        environ |= {f"PACKSHOT_{name}_FILE": str(folder / name) for name in secrets}
        environ |= {
            "PACKSHOT_HOST": "127.0.0.1",
            "PACKSHOT_PUBLIC_BASE_URL": nginx.url,
            "PACKSHOT_RATE_LIMIT_URL": redis.url,
            "PACKSHOT_RATE_LIMIT": "20/minute",
        }
        # Only the servers are shared: each replica has its own folder, as each container has.
        replicas = [
            Replica(
                environ
                | {
                    "PACKSHOT_STATE_DIR": str(folder / str(port)),
                    "PACKSHOT_METRICS_HOST": "127.0.0.1",
                    "PACKSHOT_METRICS_PORT": str(free_port()),
                },
                port,
            )
            for port in ports
        ]
        try:
            for replica in replicas:
                replica.start()
            environ["PACKSHOT_STATE_DIR"] = str(folder / "command")
            yield Stack(nginx, replicas, environ)
        finally:
            for replica in replicas:
                replica.kill()


def composed() -> dict[str, str]:
    """The environment of a replica in compose.yaml; the fixture replaces the names of other containers."""
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["packshot-1"]
    given = {name: str(text) for name, text in service["environment"].items() if "METRICS" not in name}
    assert all(name.startswith(("PACKSHOT_", "AWS_")) for name in given)
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("PACKSHOT_")}
    return inherited | given


def test_what_one_replica_made_the_other_serves(stack: Stack) -> None:
    key = stack.keys("create", "shop", "--credits", "3")
    one, other = (f"http://127.0.0.1:{replica.port}" for replica in stack.replicas)
    made = stack.send(one, key)
    assert made.status_code == 200, made.text
    url = httpx.URL(made.json()["data"]["image_url"])
    assert str(url).startswith(stack.nginx.url)
    for base in (other, stack.nginx.url):
        result = httpx.get(base + url.raw_path.decode())
        assert (result.status_code, result.content[:4]) == (200, b"\x89PNG")


def test_credits_are_counted_for_all_replicas(stack: Stack) -> None:
    key = stack.keys("create", "two", "--credits", "2")
    answers = [stack.send(f"http://127.0.0.1:{stack.replicas[n % 2].port}", key) for n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].json()["error_code_str"] == "ERROR_NOT_ENOUGH_CREDITS"


def test_an_idempotency_key_holds_on_the_other_replica(stack: Stack) -> None:
    key = stack.keys("create", "once", "--credits", "5")
    bases = [f"http://127.0.0.1:{replica.port}" for replica in stack.replicas]
    answers = [stack.send(base, key, **{"Idempotency-Key": "the-same"}) for base in bases]
    links = [answer.json()["data"]["image_url"].partition("?")[0] for answer in answers]
    assert links[0] == links[1]


def test_rates_are_counted_for_all_replicas(stack: Stack) -> None:
    key = stack.keys("create", "fast", "--rate", "2/minute")
    answers = [stack.send(f"http://127.0.0.1:{stack.replicas[n % 2].port}", key) for n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]


def test_a_locked_key_is_locked_everywhere(stack: Stack) -> None:
    key = stack.keys("create", "leaked")
    assert stack.send(stack.nginx.url, key).status_code == 200
    listed = next(line for line in stack.keys("list").splitlines() if line.endswith("leaked"))
    stack.keys("lock", listed.split()[0])
    assert {stack.send(f"http://127.0.0.1:{replica.port}", key).status_code for replica in stack.replicas} == {403}
