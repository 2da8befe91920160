"""The link that opens the page with its key: `packshot serve` and `packshot keys link` may show it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from packshot.cli import cli
from packshot.cli.serve import _welcome
from packshot.service.accounts import Accounts
from packshot.service.database import Database
from packshot.service.settings import Settings
from packshot.service.state import State
from tests.kit.processes import free_port
from tests.kit.server import PATIENCE_S, wait_until

LINK = re.compile(r"(http://\S+)/#key=(pk_\w+)")
OTHERS = {
    "an address of the network": {"PACKSHOT_HOST": "0.0.0.0", "PACKSHOT_PUBLIC_BASE_URL": "http://shop.lan:8000"},  # noqa: S104
    "a proxy": {"PACKSHOT_PUBLIC_BASE_URL": "https://cutouts.example.com"},
    "a name": {"PACKSHOT_HOST": "shop.lan"},
}
SECRET = {"PACKSHOT_URL_SECRETS": "s" * 40}


def run(folder: Path, *arguments: str, **environ: str) -> Result:
    return CliRunner(env={"PACKSHOT_STATE_DIR": str(folder), **environ}).invoke(cli, [*arguments])


def settings_in(folder: Path, **environ: str) -> Settings:
    return Settings.from_environment({"PACKSHOT_STATE_DIR": str(folder), **environ})


@contextmanager
def accounts_in(folder: Path) -> Iterator[Accounts]:
    with closing(Database(folder / "accounts.sqlite3")) as database:
        yield Accounts(database)


def welcome(folder: Path, capsys: pytest.CaptureFixture[str], **environ: str) -> str:
    """The welcome text of a start, without starting."""
    settings = settings_in(folder, **environ)
    state = State(settings)
    with accounts_in(folder) as accounts:
        _welcome(settings, state.link(accounts, settings.base_url))
    return capsys.readouterr().out


@contextmanager
def served(folder: Path, port: int, *options: str, **environ: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`packshot serve` once it responds, with its output up to the end of its welcome."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PACKSHOT_")}
    ours = {"PACKSHOT_STATE_DIR": str(folder), "PACKSHOT_WORKERS": "1", "PACKSHOT_PORT": str(port), **environ}
    command = [sys.executable, "-m", "packshot", "serve", *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=inherited | ours, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            said = _until_over(process)
            wait_until(lambda: _answers(port))
            yield said, process
        finally:
            process.kill()


def _until_over(process: subprocess.Popen[str]) -> str:
    """The welcome, up to its last line."""
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if line.startswith(("This endpoint accepts", "Keys:")):
            break
    return "".join(lines)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.slow
def test_every_start_shows_the_same_link_and_open_opens_it(tmp_path: Path) -> None:
    port, folder, opened = free_port(), tmp_path / "state", tmp_path / "opened"
    with served(folder, port) as (said, process):
        found = LINK.search(said)
        assert found
        assert found[1] == f"http://127.0.0.1:{port}"
        account = httpx.get(f"{found[1]}/v1/account", headers={"authorization": f"Bearer {found[2]}"})
        assert account.json()["name"] == "link of this machine"
        assert f"-H 'x-api-market-key: {found[2]}'" in said
        running = run(folder, "keys", "link")  # with only the state folder given: the port is not the usual one
        assert (running.stdout, running.stderr) == (f"{found[0]}\n", "")
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE_S)
        assert "pk_" not in log
    stopped = run(folder, "keys", "link")
    assert stopped.stdout == f"{found[0]}\n"
    assert "packshot serve`." in stopped.stderr
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$@" > {opened}.part && mv {opened}.part {opened}\n')
    browser.chmod(0o700)
    with served(folder, port, "--open", BROWSER=str(browser)) as (said_again, _):
        assert said_again == said
        wait_until(opened.exists)
        assert opened.read_text() == f"{found[0]}\n"


@pytest.mark.slow
@pytest.mark.parametrize("browser", ["w3m", "/usr/bin/lynx %s", "/nowhere/at/all"])
def test_without_a_browser_that_has_a_window_the_link_is_said(tmp_path: Path, browser: str) -> None:
    with served(tmp_path, free_port(), "--open", BROWSER=browser) as (said, process):
        found = LINK.search(said)
        assert found
        assert process.stdout is not None
        assert process.stdout.readline() == "\n"
        assert process.stdout.readline() == f"No browser can be opened here. Open {found[0]} in yours.\n"


def test_a_link_over_ipv6_can_be_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = LINK.search(welcome(tmp_path, capsys, PACKSHOT_HOST="::1", PACKSHOT_PORT="8123"))
    assert found
    assert found[1] == "http://[::1]:8123"
    assert "packshot serve" in run(tmp_path, "keys", "link").stderr


@pytest.mark.parametrize("environ", OTHERS.values(), ids=list(OTHERS))
def test_where_others_may_reach_it_nothing_of_this(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], environ: dict[str, str]
) -> None:
    run(tmp_path, "keys", "create", "shop")
    said = welcome(tmp_path, capsys, **environ, **SECRET)
    assert "pk_" not in said
    assert "packshot keys create NAME" in said
    refused = run(tmp_path, "keys", "link", **environ, **SECRET)
    assert refused.exit_code != 0
    words = str(refused.exception)
    assert all(word in words for word in ("packshot keys rotate ID", "packshot keys create NAME", "PACKSHOT_"))
    opening = run(tmp_path, "serve", "--open", **environ, **SECRET)
    assert opening.exit_code == 2
    assert "only this machine can reach" in opening.output
    assert not (tmp_path / "link").exists()
    with accounts_in(tmp_path) as accounts:
        assert [key.name for key in accounts.list()] == ["shop"]


def test_a_revoked_key_makes_way_for_a_new_link(tmp_path: Path) -> None:
    first = run(tmp_path, "keys", "link").stdout
    run(tmp_path, "keys", "revoke", run(tmp_path, "keys", "list").stdout.split()[0])
    second = run(tmp_path, "keys", "link").stdout
    assert LINK.match(second)
    assert second != first
    assert run(tmp_path, "keys", "link").stdout == second
    assert [line.split()[1] for line in run(tmp_path, "keys", "list").stdout.splitlines()] == ["revoked", "active"]


def test_a_locked_key_is_left_locked_and_no_link_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link = run(tmp_path, "keys", "link").stdout
    key_id = run(tmp_path, "keys", "list").stdout.split()[0]
    run(tmp_path, "keys", "lock", key_id)
    for said in (welcome(tmp_path, capsys), str(run(tmp_path, "keys", "link").exception)):
        assert "pk_" not in said
        assert f"packshot keys unlock {key_id}" in said
    run(tmp_path, "keys", "unlock", key_id)
    assert run(tmp_path, "keys", "link").stdout == link


def test_without_credits_the_link_opens_the_page_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = welcome(tmp_path, capsys, PACKSHOT_FIRST_CREDITS="0")
    assert LINK.search(said)
    assert re.search(r"packshot keys credits add \w+ COUNT", said)
    shown = run(tmp_path, "keys", "link")
    assert LINK.search(shown.stdout)
    assert "no credits left" in shown.stderr


def test_rotating_the_key_changes_the_link(tmp_path: Path) -> None:
    run(tmp_path, "keys", "link")
    new = run(tmp_path, "keys", "rotate", run(tmp_path, "keys", "list").stdout.split()[0]).stdout.strip()
    assert run(tmp_path, "keys", "link").stdout.strip().endswith(f"/#key={new}")


def test_the_limits_of_the_line_to_paste_stand_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = welcome(tmp_path, capsys)
    assert "JPEG, PNG or BMP of at most 3 MB with sides of 32 to 1999 px" in said
    assert "/v1/packshots" in said


def test_a_service_that_hangs_is_not_waited_for_long(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        shown = run(tmp_path, "keys", "link", PACKSHOT_PORT=port)
    assert shown.exit_code == 0
    assert f":{port}/" in shown.stdout
