"""Corrections of a review become a set for evaluation and training."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from evaluation.folders import list_pairs
from evaluation.pairs import from_folder
from packshot.batch.decisions import pair_keys
from tests.kit.images import as_jpeg, as_png, photo, product

pytest.importorskip("cv2")

from training.corrections import main, write
from training.data import build_cache

NAMES = ["shoe.jpg", "images/bag-mask.jpg", "gt/_lamp.png", "deep/er/ü ring.JPG", "a.b/c.webp"]


def kept(out: Path, count: int = 0) -> Path:
    """packshot-review/ with corrections of photos, and the usual other files."""
    for seed, source in enumerate([*NAMES, *(f"more/{number}.jpg" for number in range(count))]):
        photo_key, matte_key = pair_keys(source, clashes=seed == 0)
        picture, matte = photo(64, 48, seed), product(64, 48, seed)[1]
        for key, data in ((photo_key, as_jpeg(picture)), (matte_key, as_png(matte))):
            (out / key).parent.mkdir(parents=True, exist_ok=True)
            (out / key).write_bytes(data)
    decision = out / "packshot-review" / "decisions" / "0123456789abcdef"
    decision.mkdir(parents=True)
    (decision / "000001.json").write_text("{}")
    (decision / "000001-01234567.png").write_bytes(as_png(np.zeros((4, 4), np.uint8)))
    return out / "packshot-review"


def test_the_evaluation_pairs_every_correction_whatever_its_name(tmp_path: Path) -> None:
    review = kept(tmp_path)
    found = list_pairs(review)
    assert len(found.pairs) == len(NAMES)
    assert (found.lonely_photos, found.lonely_truths) == ([], [])
    for pair in from_folder(review).pairs:
        example = pair.load()
        assert not example.was_resized
        assert example.truth.max() == 1


def test_they_become_a_set_of_a_data_folder_beside_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    review, data = kept(tmp_path, count=40), tmp_path / "data"
    data.mkdir()
    other = {"shard": "duts", "set": "duts_tr", "stem": "x", "width": "1", "height": "1", "source": "s"}
    with (data / "pairs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*other, "split", "grade"])
        writer.writeheader()
        writer.writerow(other | {"split": "train", "grade": "B"})
    monkeypatch.setattr("sys.argv", ["corrections", str(review), "--out", str(data)])
    main()
    main()  # a second time: the set exists only once
    assert f"{len(NAMES) + 40} corrections" in capsys.readouterr().out
    with (data / "pairs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["source"] == "s"
    mine = [row for row in rows if row["set"] == "corrections"]
    assert len(mine) == len(rows) - 1 == len(NAMES) + 40
    held = [row for row in mine if row["split"] == "val"]
    assert 0 < len(held) < len(mine) / 3
    train = build_cache(data, tmp_path / "cache", split="train", name="corrections")
    assert len(train) == len(mine) - len(held)
    assert train.fine.all()
    assert (train.masks.reshape(len(train), -1).max(1) == 255).all()


def test_what_is_no_review_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no correction"):
        write(tmp_path, tmp_path / "data", "corrections")
    assert not list((tmp_path / "data").iterdir())


def test_a_file_that_is_damaged_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    review = kept(tmp_path)
    (review / "photos" / "a.b" / "c.webp").write_bytes(b"no picture")
    assert len(write(review, tmp_path / "data", "corrections")) == len(NAMES) - 1
    assert "c.webp: skipped" in capsys.readouterr().err
