"""The report: tables of the outcomes, and a page that a browser shows without network access."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq
import pytest
from PIL import Image

from packshot.batch.catalogue import Counts, Summary
from packshot.batch.report import write_parquet
from packshot.batch.report.page import RunFacts, Tally, page
from packshot.core.options import Options
from tests.batch.kit import fill, journal, make

NAMES = ["one & two.jpg", "deep/100% <b>.jpg", "plain.jpg"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder OUT with a report: three photos, and a file that is not a photo."""
    folder = tmp_path_factory.mktemp("batch")
    photos, out = fill(folder / "photos", NAMES), folder / "out"
    (photos / "bad.jpg").write_bytes(b"no picture")
    make(photos, out, Options(preset="amazon"), report=f"{out}/packshot-report")
    return out


class Links(HTMLParser):
    """All references of a page, and the data of its list items."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.items: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links += [value for name in ("src", "href") if (value := given.get(name))]
        if "data-states" in given:
            self.items.append(given)


@pytest.mark.slow
def test_the_tables_hold_what_the_journal_holds(made: Path) -> None:
    report = made / "packshot-report"
    with (report / "report.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["source"]: row for row in csv.DictReader(file)}
    parquet = {row["source"]: row for row in pq.read_table(report / "report.parquet").to_pylist()}
    said = {row["source"]: row for row in journal(made)}
    assert set(rows) == set(parquet) == set(said) == {*NAMES, "bad.jpg"}
    for name in NAMES:
        with Image.open(made / rows[name]["output"]) as image:
            assert (int(rows[name]["width"]), int(rows[name]["height"])) == image.size
            assert (parquet[name]["width"], parquet[name]["height"]) == image.size
        assert int(rows[name]["bytes"]) == (made / rows[name]["output"]).stat().st_size
        assert float(rows[name]["confidence"]) == parquet[name]["confidence"] == said[name]["confidence"]
        assert (rows[name]["rules_passed"], parquet[name]["rules_passed"]) == ("false", False)
        assert "1000" in rows[name]["rules_broken"], "photos of 96 px are too small for that marketplace"
    assert (rows["bad.jpg"]["status"], rows["bad.jpg"]["error"]) == ("failed", "unsupported-format")
    assert parquet["bad.jpg"]["width"] is None


def test_the_page_shows_failures_first_and_every_link_leads_somewhere(made: Path) -> None:
    report = made / "packshot-report"
    found = Links((report / "report.html").read_text(encoding="utf-8"))
    assert found.items[0]["data-states"] == "failed"
    assert {item["data-name"] for item in found.items} == {name.lower() for name in [*NAMES, "bad.jpg"]}
    sure = [float(item["data-confidence"] or 0) for item in found.items[1:]]
    assert sure == sorted(sure)
    assert len(found.links) == 4 + 3 + 3 + 3  # each photo, each output, and two previews per output
    for link in found.links:
        assert "://" not in link
        assert (report / unquote(link)).is_file(), link
    for path in (report / "thumbnails").iterdir():
        with Image.open(path) as image:
            assert max(image.size) <= 240


def test_names_cannot_write_into_the_page(made: Path) -> None:
    text = (made / "packshot-report" / "report.html").read_text(encoding="utf-8")
    assert "100% <b>" not in text
    assert "default-src 'none'" in text
    assert "unsafe" not in text


def row(**more: Any) -> dict[str, Any]:
    return {
        "source": "a.jpg",
        "output": "a.png",
        "ok": True,
        "seconds": 0.1,
        "at": "2026-01-01T00:00:00+00:00",
        "width": 10,
        "height": 10,
        "bytes": 1,
        "notes": [],
        "preset": None,
        **more,
    }


def test_the_page_counts_all_and_says_what_it_leaves_out() -> None:
    rows = [row(review=True, confidence=0.2), row(source="b.jpg", confidence=0.9)]
    summary = Summary(Counts(wanted=9, made=6, failed=1, review=1, broken=0), now=8, made_now=7, seconds=2.0)
    facts = {"options": {"crop": True, "margin": "5%"}, "network": "n", "packshot": "1", "at": "2026-01-01T10:20:30"}
    about = RunFacts("s3://in", "s3://out", facts, summary)
    tally = Tally.of([*rows, row(ok=False, error={"slug": "no-foreground"})])
    text = page(rows, about, tally, (None, None))
    for words in (
        "6 packshots, 1 failed",
        "worst 2 of 7",
        "crop, margin 5%",
        "no-foreground 1",
        "2 photos: the same command",
        "3.5 per second",
    ):
        assert words in text, words
    assert not Links(text).links, "a browser cannot open s3://"
    assert re.search(r"To look at <b>1</b>", text)
    whole = page(rows, replace(about, summary=replace(summary, counts=Counts(2, 2, 0, 1, 0))), tally, (None, None))
    assert "worst" not in whole


@pytest.mark.parametrize(
    ("more", "states", "verdict"),
    [
        ({}, "fine", "Amazon: all 1 rules kept"),
        ({"review": True}, "review", "Amazon: all 1 rules kept, but look at the picture before you use it"),
        ({"review": True, "broken": True}, "broken review", "Amazon: 1 of 1 rules not kept"),
    ],
)
def test_what_is_to_be_looked_at_is_not_fine_whatever_rules_it_keeps(
    more: dict[str, Any], states: str, verdict: str
) -> None:
    kept = not more.get("broken")
    check = {"rule": "fill", "passed": kept, "required": True, "message": "The product fills 86 %."}
    made = row(preset={"title": "Amazon", "passed": kept, "checks": [check]}, confidence=0.6, **more)
    summary = Summary(Counts(wanted=1, made=1, failed=0, review=1, broken=0), now=1, made_now=1, seconds=1.0)
    facts = {"options": {}, "network": "n", "packshot": "1", "at": "2026-01-01T10:20:30"}
    text = page([made], RunFacts("in", "out", facts, summary), Tally.of([made]), (None, None))
    assert [item["data-states"] for item in Links(text).items] == [states]
    assert f"<summary>{verdict}</summary>" in text
    assert ("<span>Fine <b>" in text) == (states == "fine")


def test_without_pyarrow_there_is_no_parquet_and_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    assert write_parquet([row()], tmp_path / "report.parquet") is False
