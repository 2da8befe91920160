"""A full disk: finished outputs stay, message and exit code name the full disk, and the next run resumes."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from packshot.batch.journal import NAME, FileJournal
from packshot.cli import cli
from packshot.errors import StorageFull, StorageRefused
from tests.batch.kit import batch, fill, journal, made_of, make, outputs

NAMES = [f"{number}.jpg" for number in range(6)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def take_room(disk: Path, leave_bytes: int) -> Path:
    """A file that fills a disk except for `leave_bytes`."""
    free = os.statvfs(disk)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - leave_bytes)))
    return ballast


def whole_lines(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / NAME).read_bytes().splitlines()]


@pytest.mark.slow
def test_a_full_disk_ends_a_batch_in_words_and_the_next_run_goes_on(tmp_path: Path, small_disk: Path) -> None:
    photos, out = fill(tmp_path / "photos", NAMES), small_disk / "out"
    first = batch(
        photos, out, "--report", tmp_path / "report", "--jobs", "1", "--manifest", manifest(tmp_path, NAMES[:2])
    )
    assert first.returncode == 0, first.stderr
    ballast = take_room(small_disk, 0)
    full = batch(photos, out, "--report", tmp_path / "report", "--jobs", "1")
    assert full.returncode == 74
    assert f"packshot: Nothing can be written in {out}: no space is left." in full.stderr
    assert "Traceback" not in full.stderr
    assert outputs(out) == {"0.png", "1.png"}
    assert whole_lines(out)
    ballast.unlink()
    again = batch(photos, out, "--report", tmp_path / "report")
    assert again.returncode == 0, again.stderr
    assert made_of(out) == dict.fromkeys(NAMES, 1)
    assert outputs(out) == {name.replace(".jpg", ".png") for name in NAMES}


def manifest(folder: Path, names: list[str]) -> Path:
    path = folder / "manifest.txt"
    path.write_text("".join(f"{name}\n" for name in names))
    return path


def test_a_full_disk_for_the_report_loses_no_output_and_no_word(tmp_path: Path, small_disk: Path) -> None:
    photos, out = fill(tmp_path / "photos", NAMES[:2]), tmp_path / "out"
    take_room(small_disk, 0)
    result = CliRunner().invoke(cli, ["batch", str(photos), str(out), "--report", str(small_disk / "report")])
    assert isinstance(result.exception, StorageFull)
    assert result.exception.message == f"Nothing can be written in {small_disk / 'report'}: no space is left."
    assert "2 made, 0 failed" in result.stderr
    assert "report.html" not in result.stderr
    assert made_of(out) == dict.fromkeys(NAMES[:2], 1)


def test_a_full_folder_for_temporary_files_is_said(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, out = fill(tmp_path / "photos", NAMES[:1]), tmp_path / "out"
    take_room(small_disk, 0)
    monkeypatch.setattr("tempfile.tempdir", str(small_disk))
    summary = make(photos, out, report=str(tmp_path / "report"))
    assert isinstance(summary.trouble, StorageFull)
    assert str(small_disk) in summary.trouble.message
    assert (summary.counts.made, summary.reported) == (1, False)


@pytest.mark.slow
def test_a_full_disk_ends_remove_too(tmp_path: Path, small_disk: Path) -> None:
    photos = fill(tmp_path / "photos", NAMES)
    take_room(small_disk, 0)
    result = CliRunner().invoke(cli, ["remove", str(photos), "--out", str(small_disk), "--jobs", "1"])
    assert isinstance(result.exception, StorageFull)
    assert str(small_disk) in result.exception.message
    assert "0 done, 1 failed" in result.stderr, "the run ends with the first photo that finds no space"
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [("remove", "{photo}", "--out", "-"), ("presets", "amazon")],
)
def test_output_that_cannot_be_written_is_an_error_in_words(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    photo = fill(tmp_path, ["a.jpg"]) / "a.jpg"
    command = [sys.executable, "-m", "packshot", *(part.format(photo=photo) for part in arguments)]
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 74
    assert result.stderr == (
        "packshot: Output cannot be written: No space left on device. Check the free space on the disk.\n"
    )


@pytest.mark.parametrize("room_bytes", [0, 1, 30])
def test_a_line_without_room_leaves_no_trace_in_the_journal(tmp_path: Path, room_bytes: int) -> None:
    """The system's file size limit stops a line in its middle, as a full disk does."""
    out = FileJournal(tmp_path)
    out.add({"source": "a.jpg", "more": "x" * 500})
    before = (tmp_path / NAME).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + room_bytes, hard))
    try:
        with pytest.raises(StorageRefused, match="File too large"):
            out.add({"source": "b.jpg", "more": "x" * 500})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / NAME).read_bytes() == before
    out.add({"source": "c.jpg"})
    assert [row["source"] for row in out.lines()] == ["a.jpg", "c.jpg"]
    out.close()


@pytest.mark.slow
def test_a_journal_that_cannot_grow_ends_the_run_and_loses_nothing(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", NAMES), tmp_path / "out"
    make(photos, out, manifest=["0.jpg\n"])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    (out / NAME).write_bytes((out / NAME).read_bytes() + b"\n" * 100_000)  # longer than any output
    resource.setrlimit(resource.RLIMIT_FSIZE, ((out / NAME).stat().st_size + 1500, hard))
    try:
        summary = make(photos, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(summary.trouble, StorageRefused)
    assert all(not line or json.loads(line) for line in (out / NAME).read_bytes().splitlines())
    assert summary.left > 0
    again = make(photos, out)
    assert (again.counts.made, again.counts.failed) == (len(NAMES), 0)
    assert len(journal(out)) == len(NAMES)
    assert made_of(out) == dict.fromkeys(NAMES, 1)
