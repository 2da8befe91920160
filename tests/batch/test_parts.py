"""Journal, listing, naming and progress, each in isolation."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.batch import progress as progress_module
from packshot.batch.catalogue import Catalogue
from packshot.batch.journal import NAME, FileJournal, ObjectJournal
from packshot.batch.listing import Item, make_naming, manifest_line, photos_named, polls
from packshot.batch.process import Failure, Outcome
from packshot.batch.progress import Progress, duration
from packshot.core.options import Options
from packshot.engine.presets import recipe_for
from packshot.storage.base import Entry
from packshot.storage.blocking import open_storage

ENTRY = Entry("shelf.2/shoe.new.JPG", "v1", 10, 0.0)


def test_the_identity_of_an_output() -> None:
    """It changes only with the photo, the options and the network."""
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


def test_the_journal_skips_a_torn_line_and_goes_on_after_it(tmp_path: Path) -> None:
    first = FileJournal(tmp_path)
    first.add({"source": "a"})
    first.close()
    with (tmp_path / NAME).open("ab") as file:
        file.write(b'{"source": "b", "ou')
    second = FileJournal(tmp_path)
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
    rounds = polls(open_storage(str(tmp_path)), stop, every_s=0)
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


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_on_a_terminal_and_rare_lines_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    item = Item("a.jpg", "v", 1, "a.png", "f")
    said = {}
    for stream in (Terminal(), io.StringIO()):
        progress = Progress(stream)
        progress.start(100)
        for number in range(50):
            now[0] += 0.5
            failure = Failure("bad", "It is bad.") if number == 3 else None
            progress.step(Outcome(item, failure=failure, seconds=0.5))
        said[type(stream)] = stream.getvalue()
    assert said[Terminal].count("\n") == 1, "only the failure has a separate line"
    lines = said[io.StringIO].splitlines()
    assert lines[0] == "a.jpg: It is bad."
    assert [line.split(",")[0] for line in lines[1:]] == ["20/100", "40/100"]
    assert "1 failed, 2.0 photos per second, 40 s left" in lines[1]
    assert [duration(seconds) for seconds in (9, 194, 7500)] == ["9 s", "3 min 14 s", "2 h 5 min"]


@given(st.integers(1, 8), st.floats(0.2, 60), st.floats(0.5, 20), st.integers(20, 400), st.booleans())
@settings(max_examples=50)
def test_an_estimate_is_right_from_the_first_one_on(
    jobs: int, loading_s: float, each_s: float, total: int, at_once: bool
) -> None:
    """Threads wait for the network, then make photos, all at one speed; some photos are rejected earlier."""
    now = [0.0]
    item = Item("a.jpg", "v", 1, "a.png", "f")
    refused = 5
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
        progress = Progress(io.StringIO(), jobs)
        progress.start(total + refused)
        for _ in range(refused):
            progress.step(Outcome(item, failure=Failure("taken", "It is there.")))
        shown = []
        for number in range(total):
            # Once the network is loaded: one thread after the other, evenly, or all of them at once.
            now[0] = loading_s + each_s * (1 + (number // jobs if at_once else number / jobs))
            progress.step(Outcome(item, seconds=each_s))
            if rate := progress.rate():
                shown.append(rate)
    assert all(rate == pytest.approx(jobs / each_s, rel=0.2 if at_once else 0.01) for rate in shown)
    assert shown or each_s * total / jobs < 5 or total <= 6 * jobs


def test_a_log_says_at_once_that_photos_are_looked_for() -> None:
    for stream in (Terminal(), io.StringIO()):
        progress = Progress(stream)
        progress.begin("Looking for photos in ./photos")
        assert "./photos" in stream.getvalue()


def test_what_another_photo_replaced_is_not_finished() -> None:
    """a.jpg made out.png, then b.jpg did in a separate run: a.jpg's output is gone."""
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
