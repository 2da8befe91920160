"""The photos of a folder: `packshot batch`, `packshot remove` and `packshot check` list the same files."""

from __future__ import annotations

import inspect
import os
import sys
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.batch.listing import photos_in, photos_named
from packshot.cli import cli
from packshot.cli.presets import _files
from packshot.cli.targets import make_targets, naming
from packshot.core.options import Options
from packshot.engine.presets import recipe_for
from packshot.errors import InvalidOption
from packshot.storage.blocking import BlockingStorage
from packshot.storage.folder import FolderStorage
from tests.batch.kit import fill, journal, make, outputs

NAMES = naming(recipe_for(Options()))
SYSTEMS = ["__MACOSX", "@eaDir", "lost+found", "#recycle", "packshot-review"]
PARTS = ["shelf", "a b", ".hidden", "._shoe", "é\n", "x.jpg", *SYSTEMS]
ENDINGS = ["shoe.jpg", "._shoe.jpg", ".shoe.png", "shoe.TIFF", "notes.txt", ".DS_Store", "Thumbs.db", "jpg", "..jpg"]


def place(folder: Path) -> BlockingStorage:
    return BlockingStorage(FolderStorage(folder, in_place=True))


def batch_sees(folder: Path) -> list[str]:
    return [entry.key for entry in photos_in(place(folder))]


def remove_sees(folder: Path) -> list[str]:
    try:
        targets = make_targets((str(folder),), names=[NAMES], out=f"{folder}/../out-{folder.name}")
    except InvalidOption:
        return []
    return [str(target.source.relative_to(folder)) for target in targets if target.source is not None]


def check_sees(folder: Path) -> list[str]:
    return [str(Path(each).relative_to(folder)) for each in _files((str(folder),))]


paths = st.lists(st.sampled_from(PARTS), max_size=3).flatmap(
    lambda parts: st.sampled_from(ENDINGS).map(lambda name: "/".join([*parts, name]))
)


@pytest.mark.slow
@settings(max_examples=25)
@given(st.sets(paths, max_size=8))
def test_the_three_commands_see_the_same_photos_and_none_that_is_hidden_or_a_systems(names: set[str]) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "photos"
        folder.mkdir()
        for number, name in enumerate(sorted(names)):
            with_number = folder / str(number) / name  # within a tree, no name may be both file and folder
            with_number.parent.mkdir(parents=True)
            with_number.write_bytes(b"x")
        seen = batch_sees(folder)
        assert seen == remove_sees(folder) == check_sees(folder)
        hidden = [part for key in seen for part in key.split("/") if part.startswith(".") or part in SYSTEMS]
        assert not hidden
        plain = {f"{n}/{name}" for n, name in enumerate(sorted(names)) if name in {"shoe.jpg", "shelf/shoe.TIFF"}}
        assert plain <= set(seen)


def awkward(folder: Path) -> Path:
    """Two photos among the other files that folders contain."""
    fill(
        folder,
        ["a.jpg", "deep/b.jpg", "._a.jpg", "deep/._b.jpg", ".thumbnails/a.jpg", "__MACOSX/a.jpg", "@eaDir/a.jpg"],
    )
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "one").symlink_to("two")
    (folder / "two").symlink_to("one")
    (folder / "circle").symlink_to(folder)
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "folder.jpg").mkdir()
    return folder


def test_a_link_in_a_circle_fails_alone(tmp_path: Path) -> None:
    photos, out = awkward(tmp_path / "photos"), tmp_path / "out"
    summary = make(photos, out)
    assert (summary.counts.made, summary.counts.failed) == (2, 1)
    assert outputs(out) == {"a.jpg", "deep/b.jpg"}
    (failed,) = (row for row in journal(out) if not row["ok"])
    assert failed["source"] == "loop.jpg"
    assert "symbolic links" in failed["error"]["message"]


@pytest.mark.slow
def test_remove_goes_on_behind_what_it_cannot_read(tmp_path: Path) -> None:
    photos, out = awkward(tmp_path / "photos"), tmp_path / "out"
    result = CliRunner().invoke(cli, ["remove", str(photos), "--out", str(out)], catch_exceptions=False)
    assert result.exit_code == 74
    assert "2 done, 1 failed" in result.stderr
    assert "loop.jpg: The photo cannot be read: Too many levels of symbolic links." in result.stderr
    assert outputs(out) == {"a.png", "deep/b.png"}


def closed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A mode does not keep root out, and the tests may run as root: this function fakes the system's error."""
    scandir = os.scandir

    def refusing(path: str | Path | int) -> object:
        if str(path).endswith(f"/{name}"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("packshot.storage.folder.os.scandir", refusing)


def test_a_folder_that_is_closed_fails_alone_and_its_line_in_a_manifest_names_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, out = fill(tmp_path / "photos", ["a.jpg", "locked/b.jpg", "lost+found/c.jpg"]), tmp_path / "out"
    with monkeypatch.context() as patch:
        closed(patch, "locked")
        summary = make(photos, out, report=str(tmp_path / "report"))
    assert (summary.counts.made, summary.counts.failed, summary.left) == (1, 1, 0)
    (failed,) = (row for row in journal(out) if not row["ok"])
    assert (failed["source"], failed["error"]["message"]) == ("locked/", "The photo cannot be read: Permission denied.")
    assert (tmp_path / "report/failed.txt").read_text() == "locked/\n"
    again = make(photos, out, manifest=(tmp_path / "report/failed.txt").read_text().splitlines(keepends=True))
    assert (again.counts.made, again.counts.failed) == (1, 0)
    assert outputs(out) == {"a.jpg", "locked/b.jpg"}


def test_no_line_of_a_manifest_leads_out_of_the_place(tmp_path: Path) -> None:
    photos = fill(tmp_path / "photos", ["a.jpg"])
    fill(tmp_path / "secret", ["b.jpg"])
    found = list(photos_named(place(photos), ["../secret/\n", "/\n", "..//\n"]))
    assert all(not entry.version for entry in found)


def test_folders_deeper_than_calls_can_be_are_listed(tmp_path: Path) -> None:
    fill(tmp_path, ["d/" * 300 + "a.jpg"])
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 150)
    try:
        seen = batch_sees(tmp_path)
    finally:
        sys.setrecursionlimit(limit)
    assert seen == ["d/" * 300 + "a.jpg"]


@pytest.mark.slow
def test_a_name_as_long_as_names_can_be_fails_alone(tmp_path: Path) -> None:
    long = "x" * 250
    photos, out = fill(tmp_path / "photos", [f"{long}.jpg", "a.jpg"]), tmp_path / "out"
    result = CliRunner().invoke(cli, ["remove", str(photos), "--out", str(out), "--background", "white"])
    assert "File name too long" in result.stderr
    assert "1 done, 1 failed" in result.stderr
    cutouts = CliRunner().invoke(cli, ["remove", str(photos), "--out", str(tmp_path / "cutouts")])
    assert cutouts.exit_code == 0, cutouts.stderr
    assert outputs(tmp_path / "cutouts") == {"a.png", f"{long}.png"}


@pytest.mark.parametrize("out", [".", "photos", "photos/../photos"])
def test_outputs_of_a_folder_go_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str) -> None:
    fill(tmp_path / "photos", ["a.jpg"])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidOption, match="could replace photos"):
        make_targets(("photos",), names=[NAMES], out=out)


@pytest.mark.parametrize("command", ["remove", "batch", "check"])
@pytest.mark.parametrize("name", ["loop.jpg", "x" * 300, "d/" * 3000 + "x.jpg"])
def test_a_name_that_leads_nowhere_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop.jpg").symlink_to("loop.jpg")
    more = {"remove": [], "batch": ["out"], "check": ["--preset", "amazon"]}[command]
    result = CliRunner().invoke(cli, [command, name, *more])
    refused = command == "check" and result.exit_code == 74
    assert refused or isinstance(result.exception, InvalidOption), result
