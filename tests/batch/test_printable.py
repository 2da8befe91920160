"""File names in output for people: a terminal, a table, a page."""

from __future__ import annotations

import csv
import io
import json
import os
import unicodedata
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from packshot.batch.listing import Item
from packshot.batch.printable import printable
from packshot.batch.process import Failure, Outcome
from packshot.batch.progress import Progress
from packshot.batch.report import COLUMNS, as_cell, write_csv
from packshot.cli import cli
from tests.batch.kit import batch, make
from tests.kit.images import as_jpeg, photo

EVIL = "a\x1b[2Jb\n\r\tc\x9b31m\u202egpj\u2066\u200b\udcff\x7f.jpg"
names = st.text(st.characters(codec="utf-8") | st.sampled_from(EVIL), max_size=40)


def is_seen(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CZ" or unicodedata.category(character) == "Zs"


@given(names)
@example(EVIL)
def test_what_is_shown_holds_nothing_unseen_and_what_is_seen_stays(name: str) -> None:
    shown = printable(name)
    assert all(map(is_seen, shown))
    shown.encode("utf-8")
    assert printable(shown) == shown
    if all(map(is_seen, name)):
        assert shown == name


def test_escapes_are_read_as_they_are_known() -> None:
    assert printable(EVIL) == r"a\x1b[2Jb\n\r\tc\x9b31m\u202egpj\u2066\u200b\xff\x7f.jpg"
    assert printable("été 12\u202fh 30 日本.jpg") == "été 12\u202fh 30 日本.jpg"


@given(names)
@example("=1+1")
@example("\t=1")
@example("'=1")
@example("＝cmd|'/c calc'!A0")
def test_no_cell_begins_like_a_formula_and_the_text_can_be_had_again(name: str) -> None:
    cell = as_cell(name)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
    assert cell.removeprefix("'") == printable(name)


@settings(max_examples=30)
@given(st.lists(names.filter(bool), min_size=1, max_size=4, unique=True))
def test_a_table_keeps_its_rows_whatever_the_names_and_numbers_stay_numbers(
    tmp_path_factory: object, some: list[str]
) -> None:
    rows = [
        {"source": name, "output": f"{name}.png", "ok": True, "seconds": -1.5, "at": "x", "box": [-1, 0, 5, 9]}
        for name in some
    ]
    path = Path(tmp_path_factory.mktemp("csv") / "report.csv")  # type: ignore[attr-defined]
    write_csv(rows, path)
    text = path.read_bytes().decode("utf-8")
    assert text.count("\n") == 1 + len(rows)
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["source"].removeprefix("'") for row in read] == [printable(name) for name in some]
    assert {(row["seconds"], row["box_left"]) for row in read} == {("-1.5", "-1")}
    for row in read:
        for name, kind, _ in COLUMNS:
            assert kind is not str or not row[name].startswith(("=", "+", "-", "@"))


@given(names)
def test_a_failure_is_one_line_of_progress(name: str) -> None:
    stream = io.StringIO()
    Progress(stream).step(Outcome(Item(name, "v", 1, "a.png", "f"), failure=Failure("bad", f"{name} is bad.")))
    assert stream.getvalue().count("\n") == 1
    assert all(map(is_seen, stream.getvalue()[:-1]))


def is_plain(text: str) -> bool:
    return all(is_seen(character) or character == "\n" for character in text)


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """A folder with two such names: one of a picture, one of another file."""
    folder = tmp_path / "evil\x1b[1m"
    folder.mkdir()
    (folder / EVIL).write_bytes(as_jpeg(photo(96, 72)))
    (folder / f"=no{EVIL}").write_bytes(b"no picture")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("remove", "{folder}", "--out", "{folder}-out"),
        ("remove", "{folder}/{name}"),
        ("remove", "{folder}/no{name}"),
        ("remove", "{folder}/={name}"),
        ("check", "{folder}", "--preset", "amazon"),
        ("check", "{folder}", "--preset", "amazon", "--json"),
        ("check", "{folder}/{name}", "--preset", "{name}"),
        ("batch", "{folder}", "{folder}-batch"),
        ("batch", "{folder}/{name}", "out"),
        ("batch", "{folder}", "{folder}"),
        ("remove", "{folder}/{name}", "--touch-up", "{folder}/no{name}"),
        ("remove", "{folder}/{name}", "--{name}"),
        ("{name}",),
    ],
)
def test_no_command_prints_what_a_terminal_would_obey(evil: Path, arguments: tuple[str, ...]) -> None:
    name = EVIL.replace("\udcff", "")  # an argument of these tests; the folder holds the byte
    filled = [part.format(folder=evil, name=name) for part in arguments]
    result = CliRunner().invoke(cli, filled)
    said = result.stdout + result.stderr
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        said += printable(f"packshot: {result.exception}")  # the message that main() prints
    assert is_plain(said), said
    assert said


@pytest.mark.slow
def test_a_process_says_such_names_in_one_line_and_goes_on(evil: Path, tmp_path: Path) -> None:
    result = batch(evil, tmp_path / "out", env={**os.environ, "PYTHONUTF8": "1"})
    assert result.returncode == 79
    assert is_plain(result.stderr)
    assert "a\\x1b[2Jb\\n" in result.stderr
    refused = batch(evil, evil)
    assert refused.returncode == 2
    assert "evil\\x1b[1m" in refused.stderr
    assert is_plain(refused.stderr)
    report = tmp_path / "out/packshot-report"
    for name in ("report.html", "report.csv", "failed.txt"):
        text = (report / name).read_text(encoding="utf-8")
        assert not {"\x1b", "\u202e", "\x9b"} & set(text), name
    assert json.loads((report / "failed.txt").read_text()) == f"=no{EVIL}"


def test_what_failed_under_such_a_name_is_tried_again_by_its_manifest(evil: Path, tmp_path: Path) -> None:
    make(evil, tmp_path / "out", report=str(tmp_path / "report"))
    (evil / f"=no{EVIL}").write_bytes(as_jpeg(photo(96, 72, 1)))
    lines = (tmp_path / "report/failed.txt").read_text().splitlines(keepends=True)
    summary = make(evil, tmp_path / "out", manifest=lines)
    assert (summary.counts.made, summary.counts.failed) == (1, 0)
