"""`packshot serve` as a process, seen from outside: its log lines, and the port for Prometheus."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from packshot.cli.serve import _welcome, command
from packshot.service.metrics import SILENCE_S
from packshot.service.settings import Settings
from tests.kit.figures import Figures
from tests.kit.processes import free_port
from tests.kit.server import wait_until


@contextmanager
def served(state: Path, **settings: object) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    port = free_port()
    ours = {"STATE_DIR": state, "PORT": port, "WORKERS": 1, **settings}
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PACKSHOT_")}
    environ |= {f"PACKSHOT_{name}": str(value) for name, value in ours.items()}
    line, pipes = [sys.executable, "-m", "packshot", "serve"], {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with (
        subprocess.Popen(line, env=environ, text=True, **pipes) as process,  # type: ignore[call-overload]
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        try:
            yield process, http
        finally:
            process.kill()


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/healthz").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.slow
def test_every_line_of_a_json_log_is_json(tmp_path: Path) -> None:
    metrics = free_port()
    with served(tmp_path, LOG_FORMAT="json", LOG_LEVEL="debug", METRICS_PORT=metrics) as (process, http):
        wait_until(lambda: _answers(http))
        http.get("/v1/about")
        http.get("/nowhere")
        with socket.create_connection(("127.0.0.1", http.base_url.port or 0)) as stranger:
            stranger.sendall(b"rubbish\r\n\r\n")
            stranger.settimeout(SILENCE_S)
            stranger.recv(100)
        figures = Figures(httpx.get(f"http://127.0.0.1:{metrics}/").text)
        assert figures.sum("packshot_requests_total", route="/v1/about") == 1
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    lines = [json.loads(line) for line in errors.splitlines()]
    assert {"packshot.access", "asyncio"} <= {line["logger"] for line in lines}  # packshot's, and other packages' too
    assert any(line.get("status") == 400 for line in lines), "malformed requests have no line"
    assert all({"time", "level", "message"} <= line.keys() for line in lines)


@pytest.mark.slow
def test_a_metrics_port_that_is_taken_is_named_and_costs_no_key(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with served(tmp_path, METRICS_PORT=port) as (process, _):
            said, errors = process.communicate(timeout=20)
    assert process.returncode not in {0, None}
    assert "PACKSHOT_METRICS_PORT" in errors
    assert "Traceback" not in errors
    assert "pk_" not in said
    with served(tmp_path) as (process, http):
        wait_until(lambda: _answers(http))
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=20)
    assert "pk_" in said


def test_a_service_behind_a_proxy_says_where_it_listens(capsys: pytest.CaptureFixture[str]) -> None:
    public = Settings.from_environment(
        {"PACKSHOT_PUBLIC_BASE_URL": "https://cutouts.example.com", "PACKSHOT_PORT": "8123"}
    )
    for settings, shown in ((public, True), (Settings.from_environment({"PACKSHOT_PORT": "8123"}), False)):
        _welcome(settings, None)
        assert ("It listens on 127.0.0.1, port 8123." in capsys.readouterr().out) is shown


def test_the_command_is_named_as_it_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    assert command() == "packshot"
    monkeypatch.chdir(tmp_path)
    assert command() == ".venv/bin/packshot"
