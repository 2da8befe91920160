"""Several presets: a folder each, one matte for all; a rerun makes only the missing pictures."""

from __future__ import annotations

import csv
import os
import threading
from collections import Counter
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.batch import process as processing
from packshot.batch.catalogue import Catalogue
from packshot.batch.journal import NAME
from packshot.batch.listing import Item, Naming, Photo, make_namings
from packshot.core.options import Options
from packshot.engine.network import OnnxNetwork
from packshot.engine.presets import recipes_for
from packshot.storage.base import Entry
from tests.batch.kit import fill, journal, make, outputs
from tests.batch.test_report import Links
from tests.batch.test_run import StopAfter

NAMES = ["a.jpg", "deep/b.jpg", "c.jpg"]
THREE = Options(preset="amazon, etsy,square")
PRESETS = ("amazon", "etsy", "square")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with each prediction of a network."""
    looks: list[int] = []
    predict = OnnxNetwork.predict

    def counted(self, *arguments):  # type: ignore[no-untyped-def]
        looks.append(1)
        return predict(self, *arguments)

    monkeypatch.setattr(OnnxNetwork, "predict", counted)
    return looks


@pytest.mark.slow
def test_a_photo_has_a_picture_in_a_folder_for_each_preset_and_one_matte(tmp_path: Path, seen: list[int]) -> None:
    photos, out = fill(tmp_path / "photos", NAMES), tmp_path / "out"
    summary = make(photos, out, THREE)
    assert (summary.now, summary.counts.made, summary.counts.pictures) == (3, 3, 9)
    assert outputs(out) == {f"{preset}/{name}" for preset in PRESETS for name in NAMES}
    assert len(seen) == 3
    assert {(row["output"], row["preset"]["name"]) for row in journal(out)} == {
        (f"{preset}/{name}", preset) for preset in PRESETS for name in NAMES
    }
    # Each picture equals the one of its preset alone.
    make(photos, tmp_path / "alone", Options(preset="etsy"))
    for name in NAMES:
        assert (out / "etsy" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    assert make(photos, out, THREE).now == 0


@pytest.mark.slow
def test_only_the_pictures_that_are_missing_are_made_again(tmp_path: Path, seen: list[int]) -> None:
    photos, out = fill(tmp_path / "photos", NAMES), tmp_path / "out"
    make(photos, out, Options(preset="amazon,etsy"))
    (out / "etsy/a.jpg").unlink()
    before = {name: (out / name).stat().st_mtime_ns for name in outputs(out)}
    assert make(photos, out, THREE).counts.pictures == 9
    assert {name: (out / name).stat().st_mtime_ns for name in before} == before
    assert len(seen) == 6
    assert len(journal(out)) == 6 + 1 + 3


@pytest.mark.slow
def test_a_stop_between_two_photos_leaves_whole_ones_and_the_next_run_makes_the_rest(
    tmp_path: Path, seen: list[int]
) -> None:
    photos, out = fill(tmp_path / "photos", [f"{number}.jpg" for number in range(6)]), tmp_path / "out"
    stop = threading.Event()
    stopped = make(photos, out, THREE, stop=stop, jobs=1, progress=StopAfter(stop, 2))
    assert stopped.left == 6 - stopped.now > 0
    assert len(outputs(out)) == 3 * stopped.now
    assert make(photos, out, THREE).now == stopped.left
    assert len(seen) == 6


@pytest.mark.slow
def test_a_kill_between_two_pictures_of_a_photo_costs_what_has_no_line(tmp_path: Path, seen: list[int]) -> None:
    """All pictures are written; of one photo, one journal line is torn and one is missing."""
    photos, out = fill(tmp_path / "photos", NAMES), tmp_path / "out"
    make(photos, out, THREE, jobs=1)
    path = out / NAME
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-2]) + lines[-2][:40])
    assert make(photos, out, THREE).counts.pictures == 9
    assert len(seen) == 4
    times = Counter(row["output"] for row in journal(out))
    assert times == dict.fromkeys(outputs(out), 1)


@pytest.mark.slow
def test_one_picture_that_cannot_be_written_keeps_none_of_the_others_away(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", NAMES), tmp_path / "out"
    (out / "etsy/a.jpg").mkdir(parents=True)
    (out / "amazon").mkdir()
    (out / "amazon/c.jpg").write_bytes(b"painted by hand")
    os.utime(out / "amazon/c.jpg", (1, 1))
    (photos / "bad.jpg").write_bytes(b"no picture")
    report = tmp_path / "report"
    counts = make(photos, out, THREE, report=str(report)).counts
    assert (counts.wanted, counts.made, counts.failed, counts.pictures) == (4, 1, 3, 7)
    failed = {row["output"] for row in journal(out) if not row["ok"]}
    assert failed == {"etsy/a.jpg", "amazon/c.jpg", *(f"{preset}/bad.jpg" for preset in PRESETS)}
    assert (out / "amazon/c.jpg").read_bytes() == b"painted by hand"
    assert (report / "failed.txt").read_text().splitlines() == ["a.jpg", "bad.jpg", "c.jpg"]


@pytest.mark.slow
def test_the_report_has_a_card_for_each_photo_and_a_line_for_each_picture(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", NAMES), tmp_path / "out"
    (photos / "bad.jpg").write_bytes(b"no picture")
    report = out / "packshot-report"
    make(photos, out, THREE, report=str(report))
    with (report / "report.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 3
    text = (report / "report.html").read_text(encoding="utf-8")
    found = Links(text)
    assert found.items[0]["data-name"] == "bad.jpg"
    assert sorted(item["data-name"] or "" for item in found.items) == sorted([*NAMES, "bad.jpg"])
    assert "3 photos, 9 pictures, 1 failed" in text
    assert text.count("<b>Failed:</b>") == 1, "one reason for all three"
    assert "unsupported-format 1" in text
    small = [link for link in found.links if link.startswith("thumbnails/")]
    assert len(small) == len(set(small)) == 3 + 9, "the photo once, and each of its pictures"
    for link in found.links:
        assert (report / link).is_file(), link
    for preset in PRESETS:
        assert text.count(f"<figcaption>{preset}</figcaption>") == 3


def test_what_fails_for_one_preset_alone_is_said_with_its_name(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", ["a.jpg"]), tmp_path / "out"
    (out / "etsy/a.jpg").mkdir(parents=True)
    make(photos, out, THREE, report=str(tmp_path / "report"))
    assert "<b>Failed etsy:</b>" in (tmp_path / "report/report.html").read_text(encoding="utf-8")


def test_a_fault_of_ours_in_one_photo_is_the_failure_of_all_its_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, out = fill(tmp_path / "photos", ["a.jpg"]), tmp_path / "out"

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(processing, "run_all", broken)
    assert make(photos, out, THREE).counts.failed == 1
    assert [row["error"]["slug"] for row in journal(out)] == ["internal"] * 3


def test_names_of_one_preset_are_those_of_remove_and_of_several_have_a_folder() -> None:
    entry = Entry("shelf.2/shoe.new.JPG", "v1", 10, 0.0)

    def names(options: Options) -> list[str]:
        return [naming.item(entry).output for naming in make_namings(recipes_for(options), "n")]

    assert names(Options()) == ["shelf.2/shoe.new.png"]
    assert names(Options(preset="amazon")) == ["shelf.2/shoe.new-amazon.jpg"]
    assert names(Options(preset="etsy,amazon")) == ["etsy/shelf.2/shoe.new.jpg", "amazon/shelf.2/shoe.new.jpg"]
    alone, both = (make_namings(recipes_for(Options(preset=each)), "n")[-1] for each in ("amazon", "etsy,amazon"))
    assert alone.item(entry).fingerprint == both.item(entry).fingerprint, "the picture's content is the same"


@pytest.mark.slow
@given(st.lists(st.lists(st.sampled_from(["made", "gone", "failed", "new"]), min_size=3, max_size=3), max_size=9))
@settings(max_examples=60, deadline=None)
def test_a_photo_is_wanted_with_what_it_lacks_and_counted_once(fates: list[list[str]]) -> None:
    """fates: for each photo, the earlier outcomes of its three outputs."""
    namings = [Naming("k", "n", "", ".jpg", f"{folder}/", place) for place, folder in enumerate("xyz")]
    catalogue = Catalogue()
    lacking: list[Photo] = []
    for number, outputs_of in enumerate(fates):
        items = [naming.item(Entry(f"{number}.png", "v", 1, 0.0)) for naming in namings]
        for item, fate in zip(items, outputs_of, strict=True):
            catalogue.want(item)
            if fate != "new":
                catalogue.remember({**vars(item), "ok": fate != "failed", "seconds": 0})
            if fate == "made":
                catalogue.is_there(item.output, 1.0)
        if missing := tuple(item for item, fate in zip(items, outputs_of, strict=True) if fate != "made"):
            lacking.append(Photo(missing))
    assert list(catalogue.todo()) == lacking
    assert (catalogue.found(), catalogue.unfinished()) == (len(fates), len(lacking))
    counts = catalogue.counts()
    assert counts.wanted == len(fates)
    assert counts.failed == sum("failed" in each for each in fates)
    assert counts.made == sum({"made", "gone"} >= set(each) for each in fates)
    assert counts.pictures == sum(fate in {"made", "gone"} for each in fates for fate in each)
    for photo in lacking:
        assert catalogue.missing(photo.source) == {item.output for item in photo.items}
    worst = [row["source"] for row in catalogue.worst(len(fates))]
    assert sorted(worst) == sorted(row["source"] for row in catalogue.rows())
    assert len([source for source, _ in groupby(worst)]) == len(set(worst)), "the rows of a photo are together"


def test_a_photo_that_changed_while_it_is_watched_has_each_output_once() -> None:
    catalogue = Catalogue()
    for version in ("v1", "v2"):
        catalogue.round += 1
        for place, folder in enumerate("xy"):
            catalogue.want(Item("a.jpg", version, 1, f"{folder}/a.jpg", version, place))
    (photo,) = catalogue.todo()
    assert [(item.version, item.output) for item in photo.items] == [("v2", "x/a.jpg"), ("v2", "y/a.jpg")]
