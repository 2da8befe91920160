"""The review of a batch: urgent photos come first, corrections are kept, two people overwrite nothing."""

from __future__ import annotations

import csv
import io
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from packshot.batch.decisions import MATTES, PHOTOS, Decisions
from packshot.batch.journal import open_journal
from packshot.batch.listing import make_naming
from packshot.batch.review import Review
from packshot.batch.review.making import TOUCH_UP, laid_over
from packshot.batch.review.photos import as_csv, described
from packshot.core.options import Options
from packshot.engine.presets import recipe_for
from packshot.engine.weights import embedded_model
from packshot.errors import ConflictError, InvalidOption, PhotoUnknown, StorageRefused
from packshot.storage.blocking import BlockingStorage, open_storage
from tests.batch.kit import fill, journal, make
from tests.kit.images import as_png

NAMES = ["shoe.jpg", "deep/bag.jpg", "lamp.jpg"]
OPTIONS = Options(background="white", canvas="200x160")
AS_FOUND, KEEP, REMOVE = 128, 255, 0


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """photos/ and out/ of a batch of three photos, and a file that is not a photo."""
    folder = tmp_path_factory.mktemp("batch")
    photos = fill(folder / "photos", NAMES)
    (photos / "bad.jpg").write_bytes(b"no picture")
    make(photos, folder / "out", OPTIONS, report=f"{folder}/out/packshot-report")
    return folder


@pytest.fixture
def work(batch: Path, tmp_path: Path) -> Path:
    """A copy of the batch, for changes. File times are part of a photo's version."""
    shutil.copytree(batch, tmp_path / "work", copy_function=shutil.copy2)
    return tmp_path / "work"


@pytest.fixture
def review(work: Path) -> Review:
    return review_of(work)


def review_of(work: Path) -> Review:
    return Review(open_storage(str(work / "out")), photos=str(work / "photos"), model=embedded_model())


def named(review: Review, source: str) -> str:
    return next(shown.id for shown in review.photos() if shown.source == source)


def painted(level: int, box: tuple[int, int, int, int] = (0, 0, 30, 72)) -> bytes:
    """A stroke on a photo of 96 x 72: a rectangle."""
    gray = np.full((72, 96), AS_FOUND, np.uint8)
    left, top, right, bottom = box
    gray[top:bottom, left:right] = level
    return as_png(gray)


def pixels(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.int16)


def test_what_failed_or_is_least_sure_comes_first_and_what_is_decided_last(review: Review) -> None:
    photos = review.photos()
    assert photos[0].source == "bad.jpg"
    assert photos[0].states == ("failed",)
    sure = [shown.confidence for shown in photos[1:] if shown.confidence is not None]
    assert len(sure) == len(NAMES)
    assert sure == sorted(sure)
    review.judge(photos[0], "photograph-again", by="Anna")
    review.judge(photos[1], "good", by="Anna")
    again = review.photos()
    assert [shown.source for shown in again[-2:]] == [shown.source for shown in photos[:2]]
    assert [shown.is_decided for shown in again] == [False, False, True, True]


def test_a_correction_makes_that_photo_again_alone_and_is_kept_for_learning(work: Path, review: Review) -> None:
    before = {path: path.read_bytes() for path in (work / "out").rglob("*.jpg")}
    rows = journal(work / "out")
    shown = review.correct(review.find(named(review, "shoe.jpg")), painted(KEEP), by="Anna", comment="the strap")
    changed = {path for path, data in before.items() if path.read_bytes() != data}
    assert changed == {work / "out" / "shoe.jpg"}
    # Only people's decisions record it: the journal belongs to the batch, which may be running.
    assert journal(work / "out") == rows
    decision = shown.in_force
    assert decision is not None
    assert (decision.verdict, decision.by, decision.comment, decision.made) == ("corrected", "Anna", "the strap", 1)
    assert (work / "out" / PHOTOS / "shoe.jpg").read_bytes() == (work / "photos" / "shoe.jpg").read_bytes()
    with Image.open(work / "out" / MATTES / "shoe.png") as matte:
        assert (matte.mode, matte.size) == ("L", (96, 72))
        assert np.asarray(matte)[:, :28].min() == 255  # pixels painted as product are product
    assert {"fingerprint", "output", "version", "at", "ok", "box", "media_type"} <= decision.rows[0].keys()


def test_the_picture_follows_from_the_kept_matte_to_the_byte(work: Path, review: Review) -> None:
    """A rerun of the batch has only the kept matte, and so makes the same picture."""
    review.correct(review.find(named(review, "shoe.jpg")), painted(KEEP), by="Anna")
    output = work / "out" / "shoe.jpg"
    made = output.read_bytes()
    output.unlink()
    another = review_of(work)
    shown = another.settle(another.find(named(another, "shoe.jpg")))
    assert output.read_bytes() == made
    assert another.settle(shown) == shown


def test_its_row_is_what_a_batch_with_the_decision_looks_for(work: Path, review: Review) -> None:
    for number in (1, 2):
        shown = review.correct(review.find(named(review, "shoe.jpg")), painted(KEEP), by="Anna")
        assert shown.in_force is not None
        naming = make_naming(recipe_for(OPTIONS), "a network", "")
        first = next(row for row in journal(work / "out") if row["source"] == "shoe.jpg")
        entry = open_storage(str(work / "photos")).find("shoe.jpg")
        assert entry is not None
        assert naming.item(entry).fingerprint == first["fingerprint"]
        assert shown.rows[0]["fingerprint"] != first["fingerprint"]
        assert shown.in_force.made == number
    good = review.judge(shown, "good", by="Ben")
    assert good.in_force is not None
    assert (good.in_force.made, good.in_force.matte) == (2, shown.in_force.matte)  # good means the correction
    assert good.rows == shown.rows


def test_a_second_correction_goes_on_from_the_first(review: Review) -> None:
    shown = review.find(named(review, "shoe.jpg"))
    shown = review.correct(shown, painted(KEEP, (0, 0, 20, 72)), by="Anna")
    shown = review.correct(shown, painted(KEEP, (76, 0, 96, 72)), by="Anna")
    assert shown.in_force is not None
    assert shown.in_force.matte is not None
    matte = np.asarray(Image.open(io.BytesIO(review.out.get(shown.in_force.matte))))
    assert matte[:, :18].min() == matte[:, 78:].min() == 255


def test_taking_back_gives_the_very_pictures_of_before(work: Path, review: Review) -> None:
    output, shown = work / "out" / "shoe.jpg", review.find(named(review, "shoe.jpg"))
    as_batch = output.read_bytes()
    shown = review.correct(shown, painted(KEEP), by="Anna")
    corrected = output.read_bytes()
    shown = review.again(shown, {"rotate": "90"}, by="Anna")
    assert output.read_bytes() not in {as_batch, corrected}
    shown = review.restore(shown, 1, by="Anna")
    assert output.read_bytes() == corrected
    shown = review.restore(shown, 0, by="Anna")
    assert output.read_bytes() == as_batch
    assert not shown.is_decided
    first = next(row for row in journal(work / "out") if row["source"] == "shoe.jpg")
    assert shown.rows[0]["fingerprint"] == first["fingerprint"]  # a batch counts it as finished
    assert not list((work / "out" / MATTES).rglob("*.png"))  # no training data
    assert [each.revision for each in review.decisions.history("shoe.jpg")] == [4, 3, 2, 1]


def test_again_with_options_of_its_own(work: Path, review: Review) -> None:
    shown = review.find(named(review, "lamp.jpg"))
    shown = review.again(shown, {"background": "rgb(0, 90, 200)", "shadow": ""}, by="Anna")
    assert abs(pixels(work / "out" / "lamp.jpg")[2, 2] - [0, 90, 200]).max() <= 3
    assert shown.in_force is not None
    assert shown.in_force.options == {"background": "rgb(0, 90, 200)"}
    assert review.again(shown, {}, by="Anna").in_force == replace(
        shown.in_force, revision=2, options={}, made=0, at=review.decisions.of("lamp.jpg").at,  # type: ignore[union-attr]
        rows=review.find(shown.id).rows,
    )  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        {"format": "png"},
        {"preset": "amazon"},
        {"background": "transparent"},
        {"rotate": "many"},
        {"fill": "50%", "margin": "5%"},
    ],
)
def test_options_that_a_single_photo_cannot_have_are_refused_and_change_nothing(
    work: Path, review: Review, options: dict[str, str]
) -> None:
    output = work / "out" / "lamp.jpg"
    before, shown = output.read_bytes(), review.find(named(review, "lamp.jpg"))
    with pytest.raises(InvalidOption):
        review.again(shown, options, by="Anna")
    assert (output.read_bytes(), review.find(shown.id).decision) == (before, None)


def test_two_people_at_once(work: Path) -> None:
    """Each in a separate process: one is first; the other gets an error and has changed nothing."""
    people = {name: review_of(work) for name in ("Anna", "Ben")}
    seen = people["Anna"].find(named(people["Anna"], "shoe.jpg"))
    together = threading.Barrier(2)

    def correct(name: str) -> ConflictError | None:
        together.wait()
        box = (0, 0, 30, 72) if name == "Anna" else (66, 0, 96, 72)
        try:
            people[name].correct(seen, painted(KEEP, box), by=name)
        except ConflictError as error:
            return error
        return None

    with ThreadPoolExecutor(2) as pool:
        told = dict(zip(people, pool.map(correct, people), strict=True))
    (first,) = [name for name, error in told.items() if error is None]
    (late,) = [error for error in told.values() if error is not None]
    assert late.fields["by"] == first
    matte = pixels(work / "out" / MATTES / "shoe.png")
    left, right = matte[:, :28].mean(), matte[:, 68:].mean()
    assert (left > right) == (first == "Anna")
    there = (work / "out" / "shoe.jpg").read_bytes()
    review = review_of(work)
    assert review.settle(review.find(seen.id)).revision == 1
    assert (work / "out" / "shoe.jpg").read_bytes() == there


def test_a_photo_that_was_replaced_has_no_decision_and_cannot_be_corrected_before_the_batch_has_seen_it(
    work: Path, review: Review
) -> None:
    shown = review.correct(review.find(named(review, "shoe.jpg")), painted(KEEP), by="Anna")
    (work / "photos" / "shoe.jpg").write_bytes((work / "photos" / "lamp.jpg").read_bytes())
    with pytest.raises(ConflictError, match="replaced"):
        review.correct(shown, painted(KEEP), by="Anna")
    make(work / "photos", work / "out", OPTIONS)
    now = review.find(shown.id)
    assert (now.in_force, now.is_decided, now.revision) == (None, False, 1)
    now = review.correct(now, painted(KEEP), by="Anna")
    assert now.revision == 2
    assert now.is_decided


def test_a_batch_may_run_meanwhile(work: Path, review: Review) -> None:
    running = open_journal(open_storage(str(work / "out")))
    try:
        assert review.correct(review.find(named(review, "shoe.jpg")), painted(KEEP), by="Anna").is_decided
    finally:
        running.close()


def test_what_cannot_be_made_again_says_why(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", ["shoe.jpg"]), tmp_path / "out"
    make(photos, out, Options(background_picture=as_png(np.zeros((40, 40, 3), np.uint8))))
    review = Review(open_storage(str(out)), photos=str(photos), model=embedded_model())
    with pytest.raises(InvalidOption, match="background_picture"):
        review.correct(review.photos()[0], painted(KEEP), by="Anna")
    with pytest.raises(StorageRefused, match="no batch"):
        Review(open_storage(str(photos))).photos()


def test_hostile_paintings_are_refused_by_their_first_bytes(review: Review) -> None:
    shown = review.find(named(review, "shoe.jpg"))
    huge = as_png(np.zeros((1, 1), np.uint8))
    huge = huge[:16] + (60_000).to_bytes(4, "big") * 2 + huge[24:]  # claims to be 60,000 px square
    for touch_up in (huge, b"", b"no picture", bytes(TOUCH_UP.max_bytes or 0) + b"x"):
        with pytest.raises(InvalidOption, match="touch_up"):
            review.correct(shown, touch_up, by="Anna")
    with pytest.raises(InvalidOption, match="name"):
        review.judge(shown, "good", by=" ")
    with pytest.raises(PhotoUnknown):
        review.find("../../etc/passwd")
    assert review.find(shown.id).decision is None


def test_the_table_of_decisions_holds_no_formula(review: Review) -> None:
    review.judge(review.find(named(review, "deep/bag.jpg")), "good", by="=1+1", comment='a, "b"\n@c')
    review.again(review.find(named(review, "shoe.jpg")), {"rotate": "90", "background": "#abc"}, by="Anna")
    rows = list(csv.DictReader(io.StringIO(as_csv(review.photos()))))
    assert [(row["source"], row["verdict"], row["by"]) for row in rows] == [
        ("deep/bag.jpg", "good", "'=1+1"),
        ("shoe.jpg", "again", "Anna"),
    ]
    assert rows[0]["comment"] == 'a, "b"\\n@c'
    assert rows[1]["options"] == "rotate=90; background=#abc"
    assert rows[1]["outputs"] == "shoe.jpg"


levels = st.integers(0, 255)


@settings(max_examples=30)
@given(old=st.lists(levels, min_size=12, max_size=12), new=st.lists(levels, min_size=12, max_size=12))
def test_what_is_painted_later_counts_and_what_it_leaves_stays(old: list[int], new: list[int]) -> None:
    data = laid_over(*(as_png(np.array(each, np.uint8).reshape(3, 4)) for each in (old, new)))
    assert data is not None
    both = np.asarray(Image.open(io.BytesIO(data))).ravel()
    for before, after, found in zip(old, new, both, strict=True):
        assert found == (before if abs(after - AS_FOUND) <= 2 else after)


@pytest.mark.slow
def test_all_pictures_of_several_presets_are_made_again(work: Path) -> None:
    photos, out = work / "photos", work / "several"
    wanted = Options(preset="amazon, square")
    make(photos, out, wanted)
    review = Review(open_storage(str(out)), model=embedded_model())
    shown = review.find(named(review, "shoe.jpg"))
    assert [row["output"] for row in shown.rows] == ["amazon/shoe.jpg", "square/shoe.jpg"]
    before = [(out / row["output"]).read_bytes() for row in shown.rows]
    shown = review.correct(shown, painted(KEEP), by="Anna")
    assert [row["preset"]["name"] for row in shown.rows] == ["amazon", "square"]
    assert all((out / row["output"]).read_bytes() != old for row, old in zip(shown.rows, before, strict=True))
    sizes = [pixels(out / row["output"]).shape[1::-1] for row in shown.rows]
    assert sizes == [(row["width"], row["height"]) for row in shown.rows]
    assert [output["preset"] for output in described(shown)["outputs"]] == ["amazon", "square"]
    corrected = [(out / row["output"]).read_bytes() for row in shown.rows]
    assert make(photos, out, wanted).now == 1  # a rerun tries the failed photo again
    (out / "amazon" / "shoe.jpg").unlink()
    assert make(photos, out, wanted).now == 2
    assert [(out / row["output"]).read_bytes() for row in shown.rows] == corrected


@pytest.mark.slow
@pytest.mark.parametrize("how", [{}, {"force": True}, {"even": True}], ids=["again", "by force", "even"])
def test_a_later_run_of_the_batch_keeps_what_people_have_decided(work: Path, how: dict[str, bool]) -> None:
    photos, out, is_even = work / "photos", work / "even" if "even" in how else work / "out", "even" in how
    if is_even:
        make(photos, out, OPTIONS, even=True)
    review = Review(open_storage(str(out)), model=embedded_model())
    shoe = review.correct(review.find(named(review, "shoe.jpg")), painted(KEEP), by="Anna")
    lamp = review.again(review.find(named(review, "lamp.jpg")), {"rotate": "90"}, by="Ben")
    review.judge(review.find(named(review, "deep/bag.jpg")), "good", by="Ben")
    before = {name: (out / name).read_bytes() for name in NAMES}
    make(photos, out, OPTIONS, **how)
    if not is_even:  # a corrected product may change the look of all
        assert {name: (out / name).read_bytes() for name in NAMES} == before
    settled = {name: (out / name).read_bytes() for name in NAMES}
    made_again = make(photos, out, OPTIONS, even=is_even).made_now
    assert made_again == 0
    assert {name: (out / name).read_bytes() for name in NAMES} == settled
    now = Review(open_storage(str(out)), model=embedded_model())
    assert [now.find(shown.id).in_force for shown in (shoe, lamp)] == [shoe.in_force, lamp.in_force]
    # Other options make all pictures again, with the decisions; an unreviewed batch differs only in these.
    other = replace(OPTIONS, quality=60)
    assert make(photos, out, other, even=is_even).made_now == len(NAMES)
    make(photos, work / "fresh", other, even=is_even)
    differ = {name for name in NAMES if (out / name).read_bytes() != (work / "fresh" / name).read_bytes()}
    assert differ == {"shoe.jpg", "lamp.jpg"}
    assert make(photos, out, other, even=is_even).made_now == 0


@pytest.mark.slow
def test_decisions_of_a_bucket(batch: Path, tmp_path: Path) -> None:
    out: BlockingStorage = open_storage(f"memory://review/{tmp_path.name}")
    make(batch / "photos", out.url, OPTIONS)
    review = Review(out, photos=str(batch / "photos"), model=embedded_model())
    shown = review.correct(review.find(named(review, "shoe.jpg")), painted(KEEP), by="Anna")
    assert shown.is_decided
    assert out.find(f"{MATTES}/shoe.png") is not None
    review.restore(shown, 0, by="Anna")
    assert out.find(f"{MATTES}/shoe.png") is None
    assert [each.verdict for each in Decisions(out).history("shoe.jpg")] == ["open", "corrected"]
