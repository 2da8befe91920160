"""Journal, listing, storage, naming and progress, each alone."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from packshot.batch import patience
from packshot.batch.catalogue import Catalogue
from packshot.batch.folder import LocalStorage
from packshot.batch.journal import NAME, FileJournal, ObjectJournal
from packshot.batch.listing import manifest_line, photos_named, polls
from packshot.batch.naming import Item, make_naming
from packshot.batch.process import Failure, Outcome
from packshot.batch.progress import Progress, duration
from packshot.batch.storage import Entry, open_storage
from packshot.core.options import Options
from packshot.engine.presets import recipe_for
from packshot.errors import BadSettings, InvalidOption, StorageRefused, StoreUnavailable
from tests.batch.kit import fill

ENTRY = Entry("shelf.2/shoe.new.JPG", "v1", 10, 0.0)


def test_the_identity_of_an_output() -> None:
    """It changes with the photo, what is asked and the network, and with nothing else."""
    white = Options(background="white")
    item = make_naming(recipe_for(white), "net@1", "white").item(ENTRY)
    assert item.output == "shelf.2/shoe.new-white.jpg"
    assert make_naming(recipe_for(Options.from_fields({"background": "white"})), "net@1", "white").item(ENTRY) == item
    others = [
        make_naming(recipe_for(white), "net@1", "").item(Entry(ENTRY.key, "v2", 10, 0.0)),
        make_naming(recipe_for(white), "net@1", "").item(Entry("shelf.2/other.jpg", "v1", 10, 0.0)),
        make_naming(recipe_for(white), "net@2", "").item(ENTRY),
        make_naming(recipe_for(Options(background="black")), "net@1", "").item(ENTRY),
        make_naming(recipe_for(Options(preset="amazon")), "net@1", "").item(ENTRY),
        make_naming(recipe_for(Options(preset="square")), "net@1", "").item(ENTRY),
    ]
    assert len({each.fingerprint for each in [item, *others]}) == 1 + len(others)
    assert make_naming(recipe_for(Options()), "n", "").item(Entry("dir.d/none", "v", 1, 0.0)).output == "dir.d/none.png"


def test_a_folder_lists_what_is_a_file_and_not_hidden(tmp_path: Path) -> None:
    fill(tmp_path, ["b.jpg", "a/c.jpg", ".hidden/d.jpg", "a/._c.jpg"])
    (tmp_path / "a" / "circle").symlink_to(tmp_path)
    (tmp_path / "link.jpg").symlink_to(tmp_path / "b.jpg")
    (tmp_path / "dead.jpg").symlink_to(tmp_path / "gone.jpg")
    place = open_storage(str(tmp_path))
    assert [entry.key for entry in place.list()] == ["a/c.jpg", "b.jpg", "link.jpg"]
    assert place is open_storage(f"file://{tmp_path}")


def test_a_write_is_whole_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = LocalStorage(tmp_path)
    place.put("deep/a.bin", b"before", "")
    monkeypatch.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(StorageRefused, match="No space left"):
        place.put("deep/a.bin", b"after", "")
    monkeypatch.undo()
    assert place.get("deep/a.bin") == b"before"
    place.sweep()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.bin", "deep"]


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../up.jpg", "a/../../b.jpg", "a//b.jpg", "nul\0.jpg"])
def test_no_key_leads_out_of_its_place(tmp_path: Path, key: str) -> None:
    for place in (open_storage(str(tmp_path)), open_storage("memory://keys")):
        with pytest.raises(StorageRefused):
            place.get(key)
        with pytest.raises(StorageRefused):
            place.put(key, b"", "")


@pytest.mark.parametrize("url", ["ftp://host/folder", "s3://", "s3://bucket?x=1", "http://host/a"])
def test_places_that_are_none(url: str) -> None:
    with pytest.raises(InvalidOption, match="no place for photos"):
        open_storage(url)


def test_without_the_extra_folders_work_and_buckets_say_what_is_missing(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['obstore'] = None\n"
        "from packshot.batch.storage import open_storage\n"
        f"assert list(open_storage({str(tmp_path)!r}).list()) == []\n"
        "try: open_storage('s3://bucket')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith(BadSettings.__name__)
    assert "pip install 'packshot[batch]'" in said


def test_the_journal_skips_a_torn_line_and_goes_on_after_it(tmp_path: Path) -> None:
    first = FileJournal(LocalStorage(tmp_path))
    first.add({"source": "a"})
    first.close()
    with (tmp_path / NAME).open("ab") as file:
        file.write(b'{"source": "b", "ou')
    second = FileJournal(LocalStorage(tmp_path))
    second.add({"source": "c"})
    assert [row["source"] for row in second.lines()] == ["a", "c"]
    second.close()


def test_the_journal_of_a_bucket_keeps_every_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packshot.batch.journal.SEGMENT_LINES", 3)
    monkeypatch.setattr("packshot.batch.journal.FLUSH_S", 0.0)
    place = open_storage("memory://journal")
    journal = ObjectJournal(place)
    for number in range(8):
        journal.add({"source": number})
        assert [row["source"] for row in ObjectJournal(place).lines()] == list(range(number + 1))
    journal.close()


def test_a_manifest_line_is_read_as_it_was_written(tmp_path: Path) -> None:
    keys = ["plain.jpg", ' spaced "name.jpg', '"quoted".jpg', "two\nlines.jpg", "ü/é.jpg", os.fsdecode(b"\xff.jpg")]
    lines = [f"{manifest_line(key)}\n" for key in keys]
    assert all(line.count("\n") == 1 for line in lines)
    assert [entry.key for entry in photos_named(open_storage(str(tmp_path)), lines)] == keys


def test_a_file_is_taken_when_two_looks_find_it_the_same(tmp_path: Path) -> None:
    stop = threading.Event()
    rounds = polls(LocalStorage(tmp_path), stop, every_s=0)
    growing = tmp_path / "growing.jpg"
    growing.write_bytes(b"1")
    assert next(rounds) == []
    growing.write_bytes(b"22")
    assert next(rounds) == []
    assert [entry.key for entry in next(rounds)] == ["growing.jpg"]
    assert next(rounds) == []
    growing.write_bytes(b"333")
    assert [len(next(rounds)), len(next(rounds))] == [0, 1]
    stop.set()
    assert list(rounds) == []


def test_passing_trouble_is_waited_for_and_lasting_trouble_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "WAITS_S", (0.001, 0.001))
    calls: list[int] = []

    def call(fails: int, error: type[Exception]) -> int:
        calls.append(1)
        if len(calls) <= fails:
            raise error("no")
        return len(calls)

    assert patience.patiently(lambda: call(2, StoreUnavailable)) == 3
    calls.clear()
    with pytest.raises(StoreUnavailable):
        patience.patiently(lambda: call(3, StoreUnavailable))
    calls.clear()
    with pytest.raises(StorageRefused):
        patience.patiently(lambda: call(1, StorageRefused))
    assert len(calls) == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_on_a_terminal_and_rare_lines_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("packshot.batch.progress.time.monotonic", lambda: now[0])
    item = Item("a.jpg", "v", 1, "a.png", "f")
    said = {}
    for stream in (Terminal(), io.StringIO()):
        progress = Progress(stream)
        progress.start(100)
        for number in range(50):
            now[0] += 0.5
            progress.step(Outcome(item, failure=Failure("bad", "It is bad.") if number == 3 else None))
        said[type(stream)] = stream.getvalue()
    assert said[Terminal].count("\n") == 1, "only the failure has a line of its own"
    lines = said[io.StringIO].splitlines()
    assert lines[0] == "a.jpg: It is bad."
    assert [line.split(",")[0] for line in lines[1:]] == ["20/100", "40/100"]
    assert "1 failed, 2.0 photos a second, 40 s left" in lines[1]
    assert [duration(seconds) for seconds in (9, 194, 7500)] == ["9 s", "3 min 14 s", "2 h 5 min"]


def test_what_another_photo_replaced_is_not_finished() -> None:
    """a.jpg made out.png, then b.jpg did, in a run of its own: a.jpg's output is gone."""
    catalogue = Catalogue()
    for source in ("a.jpg", "b.jpg"):
        catalogue.remember({"source": source, "output": "out.png", "fingerprint": "f", "ok": True})
    catalogue.is_there("out.png", 1.0)
    catalogue.want(Item("a.jpg", "v", 1, "out.png", "f"))
    assert [item.source for item in catalogue.todo()] == ["a.jpg"]


def test_the_rows_of_a_report_come_worst_first() -> None:
    catalogue = Catalogue()
    rows = {
        "failed": {"ok": False},
        "broken": {"ok": True, "confidence": 0.9, "preset": {"passed": False}},
        "review": {"ok": True, "confidence": 0.3, "review": True},
        "unsure": {"ok": True, "confidence": 0.5},
        "sure": {"ok": True, "confidence": 0.99},
    }
    for name, facts in reversed(rows.items()):
        catalogue.want(Item(name, "v", 1, f"{name}.png", "f"))
        catalogue.remember({"source": name, "output": f"{name}.png", "fingerprint": "f", **facts})
    assert [row["source"] for row in catalogue.worst(9)] == list(rows)
    assert [row["source"] for row in catalogue.worst(2)] == ["failed", "broken"]
    counts = catalogue.counts()
    assert (counts.wanted, counts.made, counts.failed, counts.review, counts.broken) == (5, 4, 1, 1, 1)
