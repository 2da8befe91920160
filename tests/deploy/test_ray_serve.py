"""`packshot serve --engine ray`: two replicas on a real local cluster, under load, drained by SIGTERM."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec

import httpx
import pytest

from packshot.api.ailab.envelope import Envelope
from packshot.api.ailab.routes import PATHS
from tests.kit.images import good
from tests.kit.processes import free_port
from tests.kit.ray_cluster import Cluster
from tests.kit.server import wait_until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        find_spec("ray") is None or find_spec("grpc") is None,
        reason="Ray Serve is not installed: uv sync --group cluster",
    ),
]


@dataclass(frozen=True)
class Service:
    """A service on Ray that runs, and its first key."""

    process: subprocess.Popen[str]
    url: str
    key: str

    def send(self, photo: bytes) -> httpx.Response:
        headers = {"x-api-market-key": self.key}
        return httpx.post(self.url + PATHS[0], files={"image": photo}, headers=headers, timeout=60)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    cluster, port = Cluster(), free_port()
    environ = {
        **cluster.environ,
        "PACKSHOT_STATE_DIR": str(tmp_path_factory.mktemp("state")),
        "PACKSHOT_WORKERS": "1",
    }
    command = [sys.executable, "-m", "packshot", "serve", "--engine", "ray", "--replicas", "2", "--port", str(port)]
    log = tmp_path_factory.mktemp("log") / "stderr"
    try:
        cluster.start()
        with log.open("w") as stderr:
            process = subprocess.Popen(command, env=environ, text=True, stdout=subprocess.PIPE, stderr=stderr)
        lines = iter(process.stdout.readline, "") if process.stdout else iter(())
        key = next((line.split()[-1] for line in lines if line.startswith("First API key")), "")
        assert key, log.read_text()[-3000:]
        yield Service(process, f"http://127.0.0.1:{port}", key)
        process.kill()
        process.communicate(timeout=30)
    finally:
        cluster.stop()


def test_photos_are_cut_out_and_fetched(service: Service) -> None:
    made = service.send(good("jpeg"))
    assert made.status_code == 200, made.text
    result = httpx.get(made.json()["data"]["image_url"])
    assert result.headers["content-type"] == "image/png"
    assert result.content.startswith(b"\x89PNG")


def test_errors_are_the_applications_own(service: Service) -> None:
    refused = httpx.post(service.url + PATHS[0], files={"image": b"photo"})
    assert Envelope.model_validate(refused.json()).error_code_str == "ERROR_APPLICATIONS_NOT_EXISTS"
    too_large = service.send(bytes(8 * 1024**2))
    assert Envelope.model_validate(too_large.json()).error_code == too_large.status_code == 413


def test_a_stop_finishes_what_was_begun(service: Service) -> None:
    photo = good("jpeg", 1600, 1200)
    with ThreadPoolExecutor(4) as clients:
        answers = [clients.submit(service.send, photo) for _ in range(4)]
        wait_until(lambda: any(answer.done() for answer in answers))
        service.process.send_signal(signal.SIGTERM)
        assert [answer.result().status_code for answer in answers] == [200] * 4
    assert service.process.wait(60) == 0
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{service.url}/healthz")
