"""Decisions from a review, in the next run of the batch: none is lost, and no picture is made twice."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from packshot.batch.catalogue import Catalogue
from packshot.batch.decisions import VERDICTS, Decision, Decisions, new_matte_key
from packshot.batch.listing import Item, make_fingerprint
from packshot.batch.mattes import corrected
from packshot.batch.process import own_options
from packshot.batch.progress import Progress
from packshot.core import codecs
from packshot.core.geometry import Size
from packshot.core.options import Options
from packshot.engine.presets import recipes_for
from packshot.errors import InvalidOption, StorageRefused
from packshot.storage.blocking import BlockingStorage, open_storage
from tests.batch.kit import fill, journal, make
from tests.batch.test_presets import seen as seen  # noqa: PLC0414 - a fixture

WHITE = Options(background="white")
LEFT = (10, 20, 40, 60)
"""A product that no network would find: left, top, right, bottom."""


def matte(size: tuple[int, int] = (96, 72), box: tuple[int, int, int, int] = LEFT) -> bytes:
    levels = np.zeros(size[::-1], np.uint8)
    levels[box[1] : box[3], box[0] : box[2]] = 255
    return codecs.encode(levels, format="png")


def decide(out: BlockingStorage | Path, source: str, verdict: str = "corrected", **more: Any) -> Decision:
    """The decision as a review writes it, for the batch's version of the photo; no picture exists for it yet."""
    place = out if isinstance(out, BlockingStorage) else open_storage(str(out))
    assert place.folder is not None
    version = next(row["version"] for row in reversed(journal(place.folder)) if row["source"] == source)
    before = Decisions(place).of(source)
    revision = 1 if before is None else before.revision + 1
    if more.get("matte") is not None:
        key = new_matte_key(source, revision)
        place.put(key, more["matte"], "image/png")
        more["matte"] = key
    decision = Decision(
        revision=revision,
        source=source,
        version=version,
        verdict=verdict,
        by="Anna",
        **more,  # type: ignore[arg-type]
    )
    Decisions(place).add(decision)
    return decision


def product_of(path: Path) -> tuple[int, int, int, int] | None:
    """The approximate box of the pixels that are not white."""
    with Image.open(path) as image:
        dark = np.asarray(image.convert("L")) < 245
    rows, columns = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
    return (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1) if rows.size else None


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, Path]:
    """Photos and outputs of a first run."""
    photos, out = fill(tmp_path / "photos", ["a.jpg", "b.jpg", "c.jpg"]), tmp_path / "out"
    make(photos, out, WHITE)
    return photos, out


@pytest.mark.slow
def test_a_correction_makes_its_photo_again_and_no_network_is_asked(made: tuple[Path, Path], seen: list[int]) -> None:
    photos, out = made
    decide(out, "b.jpg", made=1, matte=matte())
    said = io.StringIO()
    assert make(photos, out, WHITE, progress=Progress(said)).now == 1
    assert "Using review decisions about 1 photo" in said.getvalue()
    assert not seen
    box = product_of(out / "b.jpg")
    assert box is not None
    assert all(abs(found - asked) <= 8 for found, asked in zip(box, LEFT, strict=True)), box
    assert make(photos, out, WHITE).now == 0
    # The correction stays, whatever run makes the picture again.
    before = (out / "b.jpg").read_bytes()
    assert make(photos, out, Options(background="#808080")).now == 3
    assert make(photos, out, WHITE, force=True).now == 3
    assert (out / "b.jpg").read_bytes() == before


@pytest.mark.slow
def test_pictures_that_a_review_made_are_finished(made: tuple[Path, Path]) -> None:
    photos, out = made
    (last,) = [row for row in journal(out) if row["source"] == "b.jpg"]
    keys = last["source"], last["version"]
    network = "a network"
    fingerprint = make_fingerprint(*keys, recipes_for(WHITE)[0].key, network, 1)
    row = {**last, "fingerprint": fingerprint, "at": "2999-01-01T00:00:00+00:00", "confidence": None}
    decide(out, "b.jpg", made=1, matte=matte(), rows=(row,))
    (out / "b.jpg").write_bytes(b"as the review made it")
    assert make(photos, out, WHITE).now == 0
    decide(out, "b.jpg", "good", made=1, rows=(row,))
    assert make(photos, out, WHITE).now == 0
    assert (out / "b.jpg").read_bytes() == b"as the review made it"
    # A --force after the review makes the picture again, also when that run was stopped and resumed.
    with (out / ".packshot/journal.jsonl").open("a") as file:
        file.write('{"again": {"source": "b.jpg", "output": "b.jpg", "at": "2999-01-02T00:00:00+00:00"}}\n')
    assert make(photos, out, WHITE).now == 1


@pytest.mark.slow
def test_options_of_one_photo_hold_for_all_its_presets(made: tuple[Path, Path], tmp_path: Path) -> None:
    photos, _ = made
    out, two = tmp_path / "two", Options(preset="etsy,square")
    make(photos, out, two)
    decide(out, "a.jpg", "again", made=1, options={"background": "#ff0000"})
    assert make(photos, out, two).now == 1
    for preset in ("etsy", "square"):
        for name, colour in (("a", (254, 0, 0)), ("b", (255, 255, 255))):
            with Image.open(out / preset / f"{name}.jpg") as image:
                corner = image.convert("RGB").getpixel((1, 1))
            assert max(abs(x - y) for x, y in zip(corner, colour, strict=True)) <= 3, (preset, name)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("verdict", ["good", "photograph-again", "open"])
def test_what_changes_no_picture_makes_none_again(made: tuple[Path, Path], verdict: str) -> None:
    photos, out = made
    decide(out, "a.jpg", verdict)
    assert make(photos, out, WHITE).now == 0


@pytest.mark.slow
def test_a_photo_that_was_replaced_is_made_without_what_was_said_of_the_one_before(made: tuple[Path, Path]) -> None:
    photos, out = made
    decide(out, "a.jpg", made=1, matte=matte())
    (photos / "a.jpg").write_bytes((photos / "c.jpg").read_bytes())
    report = out / "packshot-report"
    assert make(photos, out, WHITE, report=str(report)).now == 1
    assert (out / "a.jpg").read_bytes() == (out / "c.jpg").read_bytes()
    assert {row["decision"] for row in table(report)} == {""}


def test_a_correction_whose_matte_is_gone_fails_in_words_and_leaves_the_others_alone(made: tuple[Path, Path]) -> None:
    photos, out = made
    decision = decide(out, "a.jpg", made=1, matte=matte())
    decide(out, "b.jpg", made=1, matte=matte(size=(96, 96)))
    assert decision.matte is not None
    (out / decision.matte).unlink()
    counts = make(photos, out, WHITE).counts
    assert (counts.made, counts.failed) == (1, 2)
    said = {row["source"]: row["error"]["message"] for row in journal(out) if not row["ok"]}
    assert decision.matte in said["a.jpg"]
    assert said["b.jpg"] == "The corrected matte has 96x96 px, but the photo has 96x72 px."


def test_a_damaged_decision_stops_the_run_before_it_overwrites_what_people_did(made: tuple[Path, Path]) -> None:
    photos, out = made
    decide(out, "a.jpg", made=1, matte=matte())
    (path,) = out.rglob("000001.json")
    path.write_text("{")
    with pytest.raises(StorageRefused, match="is not a valid review decision"):
        make(photos, out, WHITE)


def test_a_matte_has_the_size_of_the_photo_as_it_is_seen(tmp_path: Path) -> None:
    """A photo that its camera has turned: stored as 96x72, displayed as 72x96."""
    photos, out = fill(tmp_path / "photos", ["a.jpg"]), tmp_path / "out"
    with Image.open(photos / "a.jpg") as image:
        exif = Image.Exif()
        exif[0x0112] = 6
        image.save(photos / "a.jpg", exif=exif)
    make(photos, out, WHITE)
    decide(out, "a.jpg", made=1, matte=matte((72, 96), (20, 50, 50, 80)))
    assert make(photos, out, WHITE).counts.failed == 0
    box = product_of(out / "a.jpg")
    assert box is not None
    assert all(abs(found - asked) <= 8 for found, asked in zip(box, (20, 50, 50, 80), strict=True)), box


def table(report: Path) -> list[dict[str, str]]:
    with (report / "report.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_the_report_says_what_people_said(made: tuple[Path, Path]) -> None:
    photos, out = made
    report = out / "packshot-report"
    decide(out, "a.jpg", "photograph-again", comment="<b>blurred</b>")
    decide(out, "b.jpg", "again", made=1, options={"fill": "80%"})
    decide(out, "c.jpg", "good")
    decide(out, "c.jpg", "open")
    make(photos, out, WHITE, report=str(report))
    assert {row["source"]: row["decision"] for row in table(report)} == {
        "a.jpg": "photograph-again", "b.jpg": "again", "c.jpg": "open",
    }  # fmt: skip
    assert (report / "photograph-again.txt").read_text() == "a.jpg\n"
    text = (report / "report.html").read_text(encoding="utf-8")
    assert "<b>Photograph again</b> (by Anna; &lt;b&gt;blurred&lt;/b&gt;)" in text
    assert "<b>Made again</b> (by Anna; fill 80%)" in text
    assert text.count('class="decision"') == 2
    decide(out, "a.jpg", "good")
    make(photos, out, WHITE, report=str(report))
    assert (report / "photograph-again.txt").read_text() == ""


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([None, *VERDICTS]), st.booleans()), max_size=12))
@settings(max_examples=50, deadline=None)
def test_what_a_person_has_judged_need_not_be_looked_at(
    photos: list[tuple[bool, str | None, bool]],
) -> None:
    """Per photo: whether it needs a look, a person's verdict, and whether the photo was replaced since."""
    catalogue = Catalogue()
    left = set()
    for number, (review, verdict, replaced) in enumerate(photos):
        name = f"{number}.jpg"
        catalogue.want(Item(name, "v", 1, name, "f"))
        row = {"source": name, "output": name, "fingerprint": "f", "ok": True, "review": review, "confidence": 0.5}
        catalogue.remember(row)
        if verdict is not None:
            version = "old" if replaced else "v"
            catalogue.decide(Decision(1, name, version, verdict, "Anna"))  # type: ignore[arg-type]
        if review and (verdict in {None, "open"} or replaced):
            left.add(name)
    assert catalogue.counts().review == len(left)
    assert {row["source"] for row in catalogue.rows() if row["review"]} == left
    worst = [row["source"] for row in catalogue.worst(99)]
    assert set(worst[: len(left)]) == left


@pytest.mark.parametrize(
    ("own", "of_batch", "together"),
    [
        ({}, {"crop": True}, {"crop": True}),
        ({"fill": "80%"}, {"margin": "5%", "crop": True}, {"fill": "80%", "crop": True}),
        ({"margin": "5%"}, {"fill": "80%", "canvas": "1:1"}, {"margin": "5%", "canvas": "1:1"}),
        ({"rotate": "90"}, {"rotate": 5.0, "fill": "80%"}, {"rotate": 90.0, "fill": "80%"}),
    ],
)
def test_options_of_a_photo_go_over_those_of_its_batch(
    own: dict[str, str], of_batch: dict[str, Any], together: dict[str, Any]
) -> None:
    assert own_options(own, Options(**of_batch)) == Options(**together)


def test_a_corrected_matte_is_used_to_the_last_bit() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (20, 30), np.uint8)
    found = corrected(codecs.encode(levels, format="png"), Size(30, 20)).find(recipes_for(Options())[0])
    assert found is not None
    assert np.array_equal(cv2.convertScaleAbs(found.matte, alpha=255), levels)
    with pytest.raises(InvalidOption, match="30x20"):
        corrected(codecs.encode(levels, format="png"), Size(31, 20))
