"""`packshot batch` as processes: killed, interrupted, watched, and with its exit codes."""

from __future__ import annotations

import contextlib
import csv
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from packshot.batch.journal import NAME
from packshot.cli import cli
from packshot.errors import InvalidOption
from tests.batch.kit import batch, command, fill, journal, made_of, outputs
from tests.kit.server import PATIENCE_S, wait_until

NAMES = [f"shelf-{number % 3}/{number}.jpg" for number in range(24)]


@contextlib.contextmanager
def running(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command(*arguments), stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


def lines_of(out: Path) -> int:
    return len(journal(out)) if (out / NAME).exists() else 0


@pytest.mark.slow
def test_a_killed_run_goes_on_with_what_is_missing_only(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", NAMES), tmp_path / "out"
    with running(photos, out, "--background", "white", "--jobs", "2") as process:
        wait_until(lambda: lines_of(out) >= 6)
        process.kill()
        process.wait(PATIENCE_S)
    before = made_of(out)
    assert 6 <= len(before) < len(NAMES)
    with (out / NAME).open("ab") as file:
        file.write(b'{"source": "shelf-0/0.jpg", "ok": tr')  # as a power cut would leave the journal

    again = batch(photos, out, "--background", "white", "--jobs", "2")
    assert again.returncode == 0, again.stderr
    assert f"{len(before)} of them finished before" in again.stderr
    assert made_of(out) == dict.fromkeys(NAMES, 1)
    assert outputs(out) == {name.replace(".jpg", "-white.jpg") for name in NAMES}
    for name in outputs(out):
        with Image.open(out / name) as image:
            image.load()
            assert image.size == (96, 72)


@pytest.mark.slow
def test_ctrl_c_finishes_what_is_in_hand_and_says_how_to_go_on(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", NAMES), tmp_path / "out"
    with running(photos, out, "--jobs", "2") as process:
        wait_until(lambda: lines_of(out) >= 4)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 128 + signal.SIGINT
    assert "Run the same command to continue" in said
    done = made_of(out)
    assert 4 <= len(done) < len(NAMES)
    assert outputs(out) == {name.replace(".jpg", ".png") for name in done}, "an output without a line, or vice versa"
    with (out / "packshot-report" / "report.csv").open(newline="") as file:
        assert {row["source"] for row in csv.DictReader(file)} == set(done)
    assert f"{len(NAMES) - len(done)} photos" in (out / "packshot-report" / "report.html").read_text()


@pytest.mark.slow
def test_sigterm_stops_as_ctrl_c_does(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", NAMES), tmp_path / "out"
    with running(photos, out, "--report", "none") as process:
        wait_until(lambda: lines_of(out) >= 1)
        process.terminate()
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 128 + signal.SIGTERM
    assert not (out / "packshot-report").exists()


@pytest.mark.slow
def test_a_watched_folder_gives_what_comes_until_ctrl_c(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", ["first.jpg"]), tmp_path / "out"
    with running(photos, out, "--watch") as process:
        wait_until((out / "first.png").exists)
        fill(photos, ["second.jpg"])
        wait_until((out / "second.png").exists)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 128 + signal.SIGINT, said
    assert "Stopped before" not in said
    assert made_of(out) == {"first.jpg": 1, "second.jpg": 1}
    assert outputs(out) == {"first.png", "second.png"}


@pytest.mark.slow
def test_one_bad_file_stops_nothing_and_the_exit_code_follows_the_error_rate(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", ["a.jpg", "b.jpg", "c.jpg"]), tmp_path / "out"
    (photos / "bad.jpg").write_bytes(b"this is no picture")
    result = batch(photos, out, "--preset", "square")
    assert result.returncode == 79
    assert "bad.jpg: This file is text" in result.stderr
    assert "25.0%" in result.stderr
    assert outputs(out) == {f"{name}-square.jpg" for name in "abc"}
    retry = out / "packshot-report" / "failed.txt"
    assert retry.read_text() == "bad.jpg\n"

    assert batch(photos, out, "--preset", "square", "--max-error-rate", "25%").returncode == 0
    fill(photos, ["bad.jpg"])
    again = batch(photos, out, "--preset", "square", "--manifest", retry)
    assert again.returncode == 0, again.stderr
    assert "1 made, 0 failed" in again.stderr


@pytest.mark.slow
def test_two_runs_on_one_folder_do_not_mix(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", NAMES), tmp_path / "out"
    with running(photos, out) as process:
        wait_until(lambda: lines_of(out) >= 1)
        process.send_signal(signal.SIGSTOP)  # it holds the folder, and cannot end too soon
        assert process.poll() is None
        other = batch(photos, out)
        process.send_signal(signal.SIGCONT)
    assert other.returncode == 2
    assert "Another packshot batch" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing", "out"), "IN nothing does not exist"),
        (("*.jpg", "out"), "IN cannot be a pattern"),
        (("a.jpg", "out"), "packshot remove a.jpg"),
        ((".", "a.jpg"), "OUT a.jpg is a file"),
        ((".", "a.jpg/deep"), "OUT a.jpg/deep is in a.jpg, which is a file"),
        ((".", "out", "--report", "a.jpg"), "--report a.jpg is a file"),
        (("one.jpg", "two.jpg", "out"), "name them in a --manifest"),
        ((".", "."), "OUT . is the folder of the photos"),
        ((".", "ftp://host/folder"), "is not a folder or bucket"),
        ((".", "out", "--report", "ftp://host/folder"), "is not a folder or bucket"),
        ((".", "out", "--preset", "amazn"), "Did you mean amazon?"),
        ((".", "out", "--form", "cutout", "--format", "jpeg"), "JPEG has no transparency"),
        (("memory://shop", "out", "--watch"), "cannot be watched"),
        ((".", "out", "--watch", "--manifest", "-"), "exclude each other"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(fill(tmp_path, ["a.jpg"]))
    refused = CliRunner().invoke(cli, ["batch", *arguments]).exception
    assert isinstance(refused, InvalidOption)
    assert words in str(refused)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]
