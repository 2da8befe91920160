"""The other commands, as processes with their own state folder."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from packshot.engine.weights import embedded_model
from tests.kit.images import as_jpeg, photo
from tests.kit.processes import free_port


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PACKSHOT_")}
    return inherited | {"PACKSHOT_STATE_DIR": str(tmp_path / "state"), "PYTHONUNBUFFERED": "1"}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "packshot", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom packshot.cli import cli\n"
        "heavy = ('numpy', 'cv2', 'onnxruntime', 'fastapi', 'pydantic', 'PIL', 'asyncio')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.slow
def test_keys_are_created_listed_credited_and_revoked(environment: dict[str, str]) -> None:
    key = run(environment, "keys", "create", "shop", "--credits", "5").stdout.strip()
    listed = run(environment, "keys", "list").stdout
    assert "shop" in listed
    assert key not in listed
    key_id = listed.split()[0]
    assert run(environment, "keys", "credits", "add", key_id, "7").returncode == 0
    assert " 12 " in run(environment, "keys", "list").stdout
    assert run(environment, "keys", "revoke", key_id).returncode == 0
    assert "revoked" in run(environment, "keys", "list").stdout
    unknown = run(environment, "keys", "revoke", "no-such-id")
    assert unknown.returncode != 0
    assert "Traceback" not in unknown.stderr


@pytest.mark.slow
def test_keys_move_to_another_database_with_their_texts(environment: dict[str, str], tmp_path: Path) -> None:
    run(environment, "keys", "create", "shop", "--credits", "5")
    file = str(tmp_path / "state" / "accounts.sqlite3")
    elsewhere = environment | {"PACKSHOT_STATE_DIR": str(tmp_path / "elsewhere")}
    moved = run(elsewhere, "keys", "import", file)
    assert moved.stdout.startswith("1 keys imported")
    assert run(elsewhere, "keys", "list").stdout == run(environment, "keys", "list").stdout
    twice = run(elsewhere, "keys", "import", file)
    assert twice.returncode == 2
    assert "already" in twice.stderr


@pytest.mark.slow
def test_models_are_listed_and_verified(environment: dict[str, str]) -> None:
    listed = run(environment, "models", "list").stdout
    assert f"* {embedded_model()}" in listed
    verified = run(environment, "models", "verify")
    assert verified.returncode == 0
    assert "SHA-256 is correct" in verified.stdout


@pytest.mark.slow
def test_bad_settings_are_all_named_at_once(environment: dict[str, str]) -> None:
    result = run(environment | {"PACKSHOT_PORT": "high", "PACKSHOT_WORKERS": "0"}, "serve")
    assert result.returncode == 78
    assert "PACKSHOT_PORT" in result.stderr
    assert "PACKSHOT_WORKERS" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_serving_to_others_without_a_secret_is_refused(environment: dict[str, str]) -> None:
    result = run(environment, "serve", "--host", "0.0.0.0", "--port", str(free_port()))  # noqa: S104 - refused
    assert result.returncode == 78
    assert "PACKSHOT_URL_SECRETS" in result.stderr


@pytest.mark.slow
def test_a_port_that_is_taken_is_named_and_costs_no_key(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = run(environment, "serve", "--port", port)
    assert result.returncode == 78
    assert port in result.stderr
    assert "PACKSHOT_PORT" in result.stderr
    assert result.stdout == ""
    assert run(environment, "keys", "list").stdout == ""


@pytest.mark.slow
def test_an_address_of_another_machine_is_named(environment: dict[str, str]) -> None:
    environment |= {"PACKSHOT_URL_SECRETS": "s" * 40}
    result = run(environment, "serve", "--host", "192.0.2.1", "--port", str(free_port()))
    assert result.returncode == 78
    assert "PACKSHOT_HOST" in result.stderr


@pytest.mark.slow
def test_a_first_start_prints_a_line_that_works_and_stops_cleanly(environment: dict[str, str], tmp_path: Path) -> None:
    port = free_port()
    environment |= {"PACKSHOT_PORT": str(port)}
    assert run(environment, "health").returncode == 69
    command = [sys.executable, "-m", "packshot", "serve"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            wait_until_healthy(environment)
            server.send_signal(0)
            photo_path = tmp_path / "photo.jpg"
            photo_path.write_bytes(as_jpeg(photo(160, 120, 1)))
            assert server.stdout is not None
            welcome = "".join(iter(server.stdout.readline, "\n")) + server.stdout.readline()
            key = re.search(r"x-api-market-key: (\S+)'", welcome)
            assert key, welcome
            url = re.search(r"http://\S+/cutout/commodity/commodity", welcome)
            assert url
            with photo_path.open("rb") as file:
                answer = httpx.post(url[0], headers={"x-api-market-key": key[1]}, files={"image": file})
            assert answer.status_code == 200, answer.text
            picture = httpx.get(answer.json()["data"]["image_url"])
            assert picture.headers["content-type"] == "image/png"
            assert run(environment, "health", "--ready").returncode == 0
        finally:
            server.send_signal(signal.SIGTERM)
            _, errors = server.communicate(timeout=20)
    assert "Traceback" not in errors
    assert server.returncode in {0, -signal.SIGTERM}


def wait_until_healthy(environment: dict[str, str]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if run(environment, "health").returncode == 0:
            return
    raise AssertionError("the service did not start")
