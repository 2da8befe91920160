"""Runs of `packshot remove` and `packshot check`: files that a second run skips, messages, exit codes."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from packshot.cli import cli
from tests.batch.kit import fill
from tests.kit.images import as_jpeg, photo
from tests.kit.processes import free_port

RATE = re.compile(r"([\d,.]+) photos per second")


def invoked(*arguments: str | Path, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)), input=stdin, catch_exceptions=False)


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "packshot", *map(str, arguments)]


@pytest.mark.slow
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["absent", "there", "empty"]), min_size=2))
def test_a_second_run_makes_what_is_missing_and_counts_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, states: dict[str, str]
) -> None:
    place = tmp_path_factory.mktemp("run")
    photos, out = fill(place / "photos", [f"{name}.jpg" for name in states]), place / "out"
    out.mkdir()
    for name, state in states.items():
        if state != "absent":
            (out / f"{name}.png").write_bytes(b"mine" if state == "there" else b"")
    there = [name for name, state in states.items() if state == "there"]
    result = invoked("remove", photos, "--out", out)
    assert result.exit_code == 0, result.stderr
    summary = result.stderr.splitlines()[-1]
    assert summary.startswith(f"{len(states) - len(there)} done, 0 failed, ")
    assert (f"{len(there)} exist already" in summary) == bool(there)
    assert result.stderr.count(" -> ") == len(states) - len(there)
    assert bool(RATE.search(summary)) == (len(there) < len(states)), "no rate for work that was not done"
    for name in states:
        assert ((out / f"{name}.png").read_bytes() == b"mine") == (name in there)


def test_force_makes_all_again(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", ["a.jpg", "b.jpg"]), tmp_path / "out"
    fill(out, ["a.png"])
    result = invoked("remove", photos, "-o", out, "-f")
    assert "2 done" in result.stderr
    assert "exist already" not in result.stderr
    with Image.open(out / "a.png") as image:
        assert image.format == "PNG"


def test_many_that_fail_at_once_make_no_rate(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(30):
        (photos / f"{number}.jpg").write_text("no picture")
    result = invoked("remove", photos, "-o", tmp_path / "out")
    assert result.exit_code == 65
    assert result.stderr.splitlines()[-1] == "0 done, 30 failed, 0 to look at"


def test_what_is_in_the_way_is_no_output(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", ["a.jpg", "b.jpg", "c.jpg"]), tmp_path / "out"
    (out / "a.png").mkdir(parents=True)
    (out / "b.png").symlink_to("nowhere")
    result = invoked("remove", photos, "-o", out)
    assert result.exit_code == 73
    assert "a.png is a folder." in result.stderr
    assert "b.png is a broken link. Use --force to replace it." in result.stderr
    assert "1 done, 2 failed" in result.stderr


def test_json_is_an_object_a_line_for_each_photo_and_nothing_else(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", ["a.jpg", "b.jpg"]), tmp_path / "out"
    (photos / "bad.jpg").write_text("no picture")
    fill(out, ["b.png"])
    result = invoked("remove", f"{photos}/", "-o", out, "--json", "--preset", "square", "--format", "png")
    assert result.exit_code == 65
    rows = {Path(row["source"]).name: row for row in map(json.loads, result.stdout.splitlines())}
    assert rows.keys() == {"a.jpg", "b.jpg", "bad.jpg"}
    made = rows["a.jpg"]
    assert made["output"] == f"{out}/a-square.png"
    assert made["bytes"] == (out / "a-square.png").stat().st_size
    with Image.open(made["output"]) as image:
        assert image.size == (made["width"], made["height"])
    assert made["preset"]["passed"] in {True, False}
    error = rows["bad.jpg"]["error"]
    assert error["slug"] == "unsupported-format"
    assert error["message"]
    assert error["hint"]
    again = invoked("remove", photos / "a.jpg", "-o", out / "a-square.png", "--json")
    expected = {"source": str(photos / "a.jpg"), "output": str(out / "a-square.png"), "skipped": True}
    assert json.loads(again.stdout) == expected


def test_quiet_says_nothing_but_errors(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", ["a.jpg"]), tmp_path / "out"
    assert invoked("remove", photos, "-o", out, "-q").output == ""
    assert invoked("remove", photos, "-o", out, "-q").output == ""
    assert invoked("remove", photos / "a.jpg", "-o", out / "a.png", "-q").output == ""
    assert invoked("check", out, "--preset", "amazon", "-q").output == ""
    (photos / "bad.jpg").write_text("no picture")
    assert invoked("remove", photos, "-o", out, "-q").output.count("\n") == 1


def at_terminal(*arguments: str | Path, streams: str) -> tuple[int, str]:
    """Run a command with some of its streams ("in", "out", "err") at a terminal; returns its exit code and output."""
    master, slave = pty.openpty()
    ends = {name: slave if name in streams.split() else subprocess.PIPE for name in ("in", "out", "err")}
    with subprocess.Popen(command(*arguments), stdin=ends["in"], stdout=ends["out"], stderr=ends["err"]) as process:
        os.close(slave)
        said = b"".join(process.communicate(b"" if process.stdin else None)[n] or b"" for n in (0, 1))
    with os.fdopen(master, "rb", buffering=0) as screen:
        try:
            while chunk := screen.read(65536):
                said += chunk
        except OSError:  # Linux: the other end is closed
            pass
    return process.returncode, said.decode()


def test_no_picture_goes_to_a_terminal_and_none_is_typed_there(tmp_path: Path) -> None:
    code, said = at_terminal("remove", fill(tmp_path, ["a b.jpg"]) / "a b.jpg", "--out", "-", streams="out")
    assert code == 2
    assert "A picture cannot be shown in a terminal." in said
    assert f"packshot remove '{tmp_path}/a b.jpg' --out cutout.png" in said
    for arguments in (["remove", "-", "-o", str(tmp_path / "x.png")], ["check", "-", "--preset", "amazon"]):
        code, said = at_terminal(*arguments, streams="in")
        assert code == 2
        assert "stdin is the terminal" in said
        assert "< photo.jpg" in said
    assert not (tmp_path / "x.png").exists()


@pytest.mark.slow
def test_at_a_terminal_one_line_moves_for_many_photos_and_failures_stay(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(25):
        (photos / f"{number}.jpg").write_text("no picture")
    fill(photos, ["good.jpg"])
    code, said = at_terminal("remove", photos, "-o", tmp_path / "out", "--jobs", "1", streams="err")
    assert code == 65
    assert said.count("This file is text") == 25, "every failure has a line, since there is no report"
    assert " -> " not in said
    assert "1 done, 25 failed" in said


# Prints "up" once main() has set the Ctrl-C handler, its first step; then runs `packshot`.
_UP = (
    "import sys\nfrom packshot.cli.interrupt import end_at_once\nend_at_once()\n"
    "print('up', file=sys.stderr, flush=True)\nfrom packshot.cli import main\nmain()"
)


@pytest.mark.slow
def test_ctrl_c_ends_every_command_at_any_moment_without_a_traceback(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "0.jpg").write_bytes(as_jpeg(photo(1600, 1200, 1)))
    for number in range(1, 40):
        (photos / f"{number}.jpg").hardlink_to(photos / "0.jpg")
    commands = [
        ["remove", photos / "0.jpg", "--crop"],
        ["remove", photos, "-o", tmp_path / "out", "--jobs", "1"],
        ["check", photos, "--preset", "amazon"],
        ["batch", photos, tmp_path / "batch", "--jobs", "1"],
        ["serve", "--port", str(free_port())],
        ["keys", "list"],
        ["presets"],
        ["models", "list"],
        ["models", "bench", "--runs", "10000"],
    ]
    environment = {**os.environ, "PACKSHOT_STATE_DIR": str(tmp_path / "state")}
    environment.pop("PYTHONUNBUFFERED", None)
    for number, arguments in enumerate(commands):
        how = (signal.SIGINT, signal.SIGTERM)[number % 3 == 2]
        with subprocess.Popen(
            [sys.executable, "-c", _UP, *map(str, arguments)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stderr is not None
            assert process.stderr.readline() == b"up\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.04 * (number % 5))  # while modules are imported, or later
            process.send_signal(how)
            said = process.communicate(timeout=30)[1]
        in_shell = 128 - process.returncode if process.returncode < 0 else process.returncode
        assert in_shell == 128 + how, (arguments, said)
        assert b"Traceback" not in said
        assert b"Aborted" not in said


@pytest.mark.slow
def test_a_reader_that_stops_reading_is_no_mistake(tmp_path: Path) -> None:
    path = fill(tmp_path, ["a.jpg"]) / "a.jpg"
    for arguments in (["presets", "amazon"], ["remove", path, "--out", "-"]):
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") as pipe:
            result = subprocess.run(command(*arguments), stdout=pipe, stderr=subprocess.PIPE, check=False)
        assert (result.returncode, result.stderr) == (141, b""), arguments


def test_listing_is_shown_while_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packshot.batch.progress._ELSEWHERE_S", 0.0)
    empty = tmp_path / "photos"
    empty.mkdir()
    for number in range(300):
        (empty / f"{number}.jpg").touch()
    out = tmp_path / "out"
    out.mkdir()
    for number in range(300):
        (out / f"{number}.png").write_bytes(b"x")
    result = invoked("remove", empty, "--out", out)
    assert "200 photos found" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("0 done, 0 failed, 0 to look at, 300 exist already")
    assert "photos found" in invoked("check", empty, "--preset", "amazon").stderr
