"""The commands, on small generated pairs, with the embedded network."""

from __future__ import annotations

import csv
import io
import json
import shutil
import zipfile
from contextlib import ExitStack
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation import run, sheet, sides
from evaluation.pairs import Example, from_data, from_folder, photos, read_picture
from evaluation.worst import Worst
from packshot.core.picture import Picture
from packshot.engine.weights import DEFAULT_MODEL
from tests.evaluation.shapes import draw_pairs

COUNT = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_pairs(tmp_path_factory.mktemp("shapes"), COUNT)


@pytest.fixture(scope="module")
def data(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pictures as a data folder: an index, and a zip with WebP photos."""
    root = tmp_path_factory.mktemp("data")
    rows = [("shard-0", "shapes", f"shape{index:02}", "val" if index else "train") for index in range(COUNT)]
    with (root / "pairs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("shard", "set", "stem", "split"), *rows])
    with zipfile.ZipFile(root / "shard-0.zip", "w") as archive:
        for _, name, stem, _ in rows:
            photo = root / "photo.webp"
            with Image.open(folder / "im" / f"{stem}.png") as image:
                image.save(photo, lossless=True)
            archive.write(photo, f"im/{name}/{stem}.webp")
            archive.write(folder / "gt" / f"{stem}.png", f"gt/{name}/{stem}.png")
    return root


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.mark.slow
def test_a_folder_is_scored_reported_and_shown(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, worst = tmp_path / "report.json", tmp_path / "worst.png"
    run.main([str(folder), "--side", "128", "--out", str(report), "--sheet", str(worst)])
    found = json.loads(report.read_text())
    assert [row["name"] for row in found["pictures"]] == [f"shape{index:02}" for index in range(COUNT)]
    assert found["summary"]["pictures"] == COUNT
    assert found["model"]["side_px"] == 128
    assert len(found["model"]["sha256"]) == 64
    assert f"{found['summary']['mae']:.4f}" in capsys.readouterr().out
    assert size_of(worst)[0] > 8 * 200  # two columns of four panels


@pytest.mark.slow
def test_threads_change_nothing_but_the_time(folder: Path) -> None:
    pairs = from_folder(folder).pairs
    network = run.load(DEFAULT_MODEL, 64)
    alone, together = (run.evaluate(network, pairs, threads=threads).rows for threads in (1, 3))
    assert [one.score.row() for one in alone] == [one.score.row() for one in together]


def test_a_foreign_folder_is_scored_as_far_as_it_goes(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, masks = tmp_path / "their set" / "TE-Image", tmp_path / "their set" / "TE-Mask"
    shutil.copytree(folder / "im", images)
    shutil.copytree(folder / "gt", masks)
    Image.new("L", (64, 48), 255).save(masks / "shape00.png")  # half the size
    Image.new("L", (128, 96), 0).save(masks / "shape01.png")  # no object
    for name in ("broken", "alone"):
        (images / f"{name}.jpg").write_bytes(b"no picture")
    (masks / "broken.png").write_bytes((folder / "gt" / "shape00.png").read_bytes())
    report, page = tmp_path / "report.json", tmp_path / "report.html"
    run.main([str(tmp_path), "--side", "64", "--out", str(report), "--page", str(page)])
    found, said = json.loads(report.read_text()), capsys.readouterr()
    assert found["summary"]["pictures"] == 2
    assert found["strata"]["no foreground"]["pictures"] == 1
    assert found["strata"]["set their set"]["pictures"] == 2
    assert found["resized"] == 1
    assert found["without_partner"] == ["their set/TE-Image/alone.jpg"]
    assert list(found["problems"]) == ["their set/broken"]
    assert found["pictures"][1]["iou"] is None
    assert "broken: the file is not an image" in said.err
    assert "alone.jpg" in said.err
    assert "their set/broken" in page.read_text()


def test_a_folder_of_which_nothing_can_be_read_ends_with_the_reason(tmp_path: Path) -> None:
    for name in ("im", "gt"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(b"no picture")
    with pytest.raises(SystemExit, match=r"no pair could be scored:\s+a: the file is not an image"):
        run.main([str(tmp_path)])


def test_the_page_needs_nothing_from_elsewhere(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    run.main([str(folder), "--side", "64", "--page", str(page)])
    text = page.read_text()
    assert text.count("data:image/jpeg;base64,") == COUNT
    assert "http" not in text
    assert "<script" not in text
    HTMLParser().feed(text)


def test_the_page_shows_names_as_they_are(folder: Path, tmp_path: Path) -> None:
    strange = tmp_path / "<b>&"
    shutil.copytree(folder, strange)
    run.main([str(strange), "--side", "64", "--page", str(tmp_path / "page.html")])
    assert "<b>&<" not in (tmp_path / "page.html").read_text()
    assert "&lt;b&gt;&amp;" in (tmp_path / "page.html").read_text()


def test_the_sheet_shows_the_worst_first() -> None:
    picture = Picture(np.zeros((8, 8, 3), np.uint8))
    matte = np.ones((8, 8), np.float32)
    worst = Worst(2)
    for name, iou in (("fair", 0.7), ("good", 0.9), ("poor", 0.2)):
        worst.add(Example(name, "shapes", picture, matte), matte, iou)
    assert [caption for caption, _ in worst.rows()] == ["IoU 0.200  poor", "IoU 0.700  fair"]


@pytest.mark.slow
def test_another_side_has_no_calibration() -> None:
    side = run.load(DEFAULT_MODEL).card.input.side_px
    assert run.load(DEFAULT_MODEL, side).card == run.load(DEFAULT_MODEL).card
    assert run.load(DEFAULT_MODEL, side + 32).card.confidence is None


def test_sides_are_compared(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sides.main([str(folder), "--sides", "64", "128"])
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["side", "64", "128"]


def test_a_sheet_of_photos_needs_no_truth(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    sheet.main([str(folder / "im"), "--out", str(out), "--count", "2"])
    assert size_of(out)[1] < 400  # one line


def test_a_folder_or_a_data_folder_must_be_named() -> None:
    with pytest.raises(SystemExit):
        run.main([])


def test_a_data_folder_gives_its_split_only(data: Path, folder: Path) -> None:
    with ExitStack() as stack:
        source = from_data(data, split="val", sets=("shapes",), stack=stack)
        found = [pair.load() for pair in source.pairs]
    same = [pair.load() for pair in from_folder(folder).pairs][1:]
    assert [example.name for example in found] == ["shapes/shape01", "shapes/shape02"]
    for one, other in zip(found, same, strict=True):
        np.testing.assert_array_equal(one.picture.rgb, other.picture.rgb)
        np.testing.assert_array_equal(one.truth, other.truth)


def test_an_unknown_set_ends_with_a_word(data: Path) -> None:
    with pytest.raises(SystemExit, match="no pair"), ExitStack() as stack:
        from_data(data, split="val", sets=("mugs",), stack=stack)


def test_pictures_of_other_kinds_are_read_too(folder: Path) -> None:
    with Image.open(folder / "im" / "shape00.png") as image:
        buffer = io.BytesIO()
        image.save(buffer, "TIFF")
        np.testing.assert_array_equal(read_picture(buffer.getvalue()).rgb, np.asarray(image))


def test_the_choice_of_photos_is_seeded_and_reads_zips(data: Path) -> None:
    archive = data / "shard-0.zip"
    once, again = ([name for name, _ in photos(archive, count=2, seed=5)] for _ in range(2))
    assert once == again
    assert len(set(once)) == 2
