"""The commands, on small pairs made here, with the embedded network."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation import run, sheet, sides
from evaluation.pairs import Example, from_data, from_folder, photos
from packshot.core.picture import Picture

COUNT = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few squares of differing size on plain backgrounds, with their truth."""
    root = tmp_path_factory.mktemp("shapes")
    for name in ("im", "gt"):
        (root / name).mkdir()
    for index in range(COUNT):
        truth = np.zeros((96, 128), np.uint8)
        truth[20:70, 30 : 60 + 20 * index] = 255
        photo = np.full((96, 128, 3), 210, np.uint8)
        photo[truth > 0] = (150 - 40 * index, 40, 30)
        Image.fromarray(photo).save(root / "im" / f"shape{index}.png")
        Image.fromarray(truth).save(root / "gt" / f"shape{index}.png")
    return root


@pytest.fixture(scope="module")
def data(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pictures as a data folder: an index, and a zip with WebP photos."""
    root = tmp_path_factory.mktemp("data")
    rows = [("shard-0", "shapes", f"shape{index}", "val" if index else "train") for index in range(COUNT)]
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


def test_a_folder_is_scored_reported_and_shown(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, worst = tmp_path / "report.json", tmp_path / "worst.png"
    run.main([str(folder), "--side", "128", "--out", str(report), "--sheet", str(worst)])
    found = json.loads(report.read_text())
    assert [row["name"] for row in found["pictures"]] == [f"shape{index}" for index in range(COUNT)]
    assert found["summary"]["pictures"] == COUNT
    assert found["model"]["side_px"] == 128
    assert len(found["model"]["sha256"]) == 64
    assert f"{found['summary']['mae']:.4f}" in capsys.readouterr().out
    assert size_of(worst)[0] > 8 * 200  # two columns of four panels


def test_the_sheet_shows_the_worst_first() -> None:
    picture = Picture(np.zeros((8, 8, 3), np.uint8))
    matte = np.ones((8, 8), np.float32)
    worst = run.Worst(2)
    for name, iou in (("fair", 0.7), ("good", 0.9), ("poor", 0.2)):
        worst.add(Example(name, "shapes", picture, matte), matte, iou)
    assert [caption for caption, _ in worst.rows()] == ["IoU 0.200  poor", "IoU 0.700  fair"]


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
    found = list(from_data(data, split="val", sets=("shapes",)))
    same = list(from_folder(folder))[1:]
    assert [example.name for example in found] == ["shapes/shape1", "shapes/shape2"]
    for one, other in zip(found, same, strict=True):
        np.testing.assert_array_equal(one.picture.rgb, other.picture.rgb)
        np.testing.assert_array_equal(one.truth, other.truth)


def test_an_unknown_set_ends_with_a_word(data: Path) -> None:
    with pytest.raises(SystemExit, match="no pair"):
        list(from_data(data, split="val", sets=("mugs",)))


def test_pictures_without_truth_are_named(folder: Path, tmp_path: Path) -> None:
    for name in ("im", "gt"):
        (tmp_path / name).mkdir()
    (tmp_path / "im" / "alone.png").write_bytes((folder / "im" / "shape0.png").read_bytes())
    with pytest.raises(SystemExit, match=r"alone\.png"):
        list(from_folder(tmp_path))


def test_a_truth_of_another_size_is_refused(folder: Path, tmp_path: Path) -> None:
    for name in ("im", "gt"):
        (tmp_path / name).mkdir()
    (tmp_path / "im" / "a.png").write_bytes((folder / "im" / "shape0.png").read_bytes())
    Image.new("L", (64, 48), 255).save(tmp_path / "gt" / "a.png")
    with pytest.raises(ValueError, match="64x48"):
        list(from_folder(tmp_path))


def test_the_choice_of_photos_is_seeded_and_reads_zips(data: Path) -> None:
    archive = data / "shard-0.zip"
    once, again = ([name for name, _ in photos(archive, count=2, seed=5)] for _ in range(2))
    assert once == again
    assert len(set(once)) == 2
