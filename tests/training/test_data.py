"""The index and the cache of pairs; they need no torch."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from training.data import (
    CANVAS_PX,
    Item,
    build_cache,
    build_cutout_cache,
    build_object_cache,
    build_scene_cache,
    cached,
    clean_colours,
    load_grounds,
    read_index,
)
from training.panoramas import views
from training.refiner.material import load_material

HEADER = ("shard", "set", "stem", "width", "height", "split", "foreground_fraction", "touches_border", "grade")
PAIRS = [
    ("one", "shoes", "a", 40, 30, "train", 0.25, 0, "A"),
    ("one", "shoes", "b", 24, 32, "train", 0.25, 0, "A"),
    ("two", "shoes", "c", 40, 30, "train", 0.25, 0, "B"),
    ("two", "shoes", "d", 40, 30, "val", 0.25, 0, "A"),
    ("two", "mugs", "e", 40, 30, "train", 0.25, 0, "A"),
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder of five pairs; picture k has the shade 10 k, and its left half is foreground."""
    root = tmp_path / "data"
    root.mkdir()
    with (root / "pairs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *PAIRS])
    for number, (shard, name, stem, width, height, *_) in enumerate(PAIRS):
        mask = Image.new("L", (width, height))
        mask.paste(255, (0, 0, width // 2, height))
        mask.save(root / "mask.png")
        Image.new("RGB", (width, height), (10 * number,) * 3).save(root / "photo.webp", lossless=True)
        with zipfile.ZipFile(root / f"{shard}.zip", "a") as archive:
            archive.write(root / "photo.webp", f"im/{name}/{stem}.webp")
            archive.write(root / "mask.png", f"gt/{name}/{stem}.png")
    return root


def test_only_the_split_and_the_set_asked_for_are_read(data: Path) -> None:
    assert [pair.stem for pair in read_index(data, split="train", name="shoes")] == ["a", "b", "c"]
    assert [pair.stem for pair in read_index(data, split="val", name="shoes")] == ["d"]


def test_an_empty_choice_ends_with_a_word(data: Path) -> None:
    with pytest.raises(SystemExit, match="val"):
        read_index(data, split="val", name="mugs")


def test_each_canvas_holds_its_own_pair_and_nothing_else(data: Path, tmp_path: Path) -> None:
    cache = build_cache(data, tmp_path / "cache", split="train", name="shoes")
    assert cache.stems.tolist() == ["a", "b", "c"]
    assert cache.sizes.tolist() == [[30, 40], [32, 24], [30, 40]]
    for row, (height, width) in enumerate(cache.sizes):
        assert (cache.pictures[row, :height, :width] == 10 * row).all()
        assert cache.masks[row, :height, : width // 2].min() == 255
        assert cache.masks[row].sum() == 255 * height * (width // 2)
    assert cache.pictures.shape[1:] == (CANVAS_PX, CANVAS_PX, 3)


def test_a_cache_is_made_once(data: Path, tmp_path: Path) -> None:
    first = build_cache(data, tmp_path / "cache", split="train", name="shoes")
    for archive in data.glob("*.zip"):
        archive.unlink()  # a second decoding would fail
    again = build_cache(data, tmp_path / "cache", split="train", name="shoes")
    np.testing.assert_array_equal(first.masks, again.masks)


def test_a_coarse_label_is_known_as_such_and_boxes_fit(data: Path, tmp_path: Path) -> None:
    cache = build_cache(data, tmp_path / "cache", split="train", name="shoes")
    assert cache.fine.tolist() == [True, True, False]
    assert cache.boxes.tolist() == [[0, 0, 20, 30], [0, 0, 12, 32], [0, 0, 20, 30]]


def test_rendered_scenes_are_read_from_a_folder_and_stay_the_same_for_a_run(tmp_path: Path) -> None:
    for kind in ("im", "gt"):
        (tmp_path / "scenes" / kind).mkdir(parents=True)

    def scene(stem: str) -> None:
        Image.new("RGB", (800, 600), "red").save(tmp_path / "scenes" / "im" / f"{stem}.jpg")
        Image.new("L", (800, 600), 200).save(tmp_path / "scenes" / "gt" / f"{stem}.png")

    scene("one")
    first = build_scene_cache(tmp_path / "scenes", tmp_path / "run", "studio")
    assert first.sizes.tolist() == [[288, 384]]
    assert first.masks[0, :288, :384].min() == 200
    scene("two")  # the renderer continues during a training run: the run's data must stay the same when it resumes
    assert build_scene_cache(tmp_path / "scenes", tmp_path / "run", "studio").stems.tolist() == ["one"]


def test_a_cutout_keeps_its_soft_edge_and_loses_the_shadow_under_it(tmp_path: Path) -> None:
    alpha = np.zeros((300, 300), np.uint8)
    alpha[50:200, 50:250] = 255
    alpha[50:200, 250] = 128
    alpha[230:260, 50:250] = 90  # a shop's soft shadow, apart from the product
    rgba = np.dstack([np.full((300, 300, 3), 40, np.uint8), alpha])
    Image.fromarray(rgba).save(tmp_path / "shoe.png")
    with zipfile.ZipFile(tmp_path / "cutouts.zip", "w") as archive:
        archive.write(tmp_path / "shoe.png", "shoe.png")
    cache = build_cutout_cache(tmp_path / "cutouts.zip", tmp_path / "run", split="train")
    assert cache.masks[0, 100, 250] == 128
    assert cache.masks[0, 220:].max() == 0


@pytest.mark.parametrize("split", ["train", "val"])
def test_cutouts_whose_number_ends_in_nine_are_held_out(tmp_path: Path, split: str) -> None:
    with zipfile.ZipFile(tmp_path / "cutouts.zip", "w") as archive:
        for number in (8, 9, 10, 19):
            Image.new("RGBA", (80, 80), (number, 0, 0, 255)).save(tmp_path / "one.png")
            archive.write(tmp_path / "one.png", f"cutouts/{number:04d}.png")
    cache = build_cutout_cache(tmp_path / "cutouts.zip", tmp_path / "run", split=split)
    assert cache.stems.tolist() == {"train": ["0008", "0010"], "val": ["0009", "0019"]}[split]


def test_no_old_ground_shows_through_a_soft_edge() -> None:
    alpha = np.broadcast_to(np.clip(np.linspace(4, -3, 40), 0, 1)[None, :, None], (40, 40, 1))
    red, green = np.array([255, 0, 0]), np.array([0, 255, 0])
    seen = alpha * red + (1 - alpha) * green
    colours = clean_colours(seen.astype(np.uint8), (255 * alpha[..., 0]).astype(np.uint8)).astype(float)
    edge = (alpha[..., 0] > 0.05) & (alpha[..., 0] < 1)
    assert np.abs(colours - red)[edge].mean() < 5 < np.abs(seen - red)[edge].mean()


def test_objects_are_foregrounds_that_lie_whole_in_their_photo(tmp_path: Path) -> None:
    items = []
    for stem, left in (("whole", 20), ("cut", 0), ("wrong", 20)):
        mask = np.zeros((120, 160), np.uint8)
        mask[20:100, left : left + 90] = 255
        items.append(Item(stem, np.dstack([mask] * 3), mask))
    photos = cached(tmp_path, "photos", lambda: items, lambda item: item)
    assert build_object_cache(photos, tmp_path, "objects", frozenset({"wrong"})).stems.tolist() == ["whole"]


def test_an_exact_matte_of_a_render_is_kept_as_it_is(tmp_path: Path) -> None:
    mask = np.zeros((120, 160), np.uint8)
    mask[20:100, 20:110] = 255
    mask[20:100, 110] = 90
    scene = Item("scene", np.dstack([mask] * 3), mask)
    scenes = cached(tmp_path, "scenes", lambda: [scene], lambda item: item)
    objects = build_object_cache(scenes, tmp_path, "objects", exact=True)
    np.testing.assert_array_equal(objects.masks[0, :120, :160], mask)


def test_a_configuration_can_take_one_folder_of_grounds(tmp_path: Path) -> None:
    probe = np.full((32, 64, 3), 0.25, np.float32)
    with zipfile.ZipFile(tmp_path / "grounds.zip", "w") as archive:
        for folder, shade in (("free", 10), ("unclear", 200)):
            Image.new("RGB", (80, 60), (shade,) * 3).save(tmp_path / "one.webp", lossless=True)
            archive.write(tmp_path / "one.webp", f"{folder}/one.webp")
        archive.writestr("probes/room.hdr", cv2.imencode(".hdr", probe)[1].tobytes())
    (free,) = load_grounds(tmp_path, ["grounds/free"])
    assert free.max() == 10
    assert {view.shape for view in load_grounds(tmp_path, ["grounds/probes"])} == {(512, 512, 3)}
    with pytest.raises(SystemExit, match="nothing"):
        load_grounds(tmp_path, ["grounds/nothing"])


def test_a_view_of_a_probe_shows_what_is_ahead_the_right_way_up() -> None:
    probe = np.zeros((64, 128, 3), np.float32)
    probe[:32] = 1  # a bright sky
    probe[:, 64:70, 2] = 1  # a red post, just right of the middle
    view = views(cv2.imencode(".hdr", probe)[1].tobytes(), 96)[0]
    assert view[5, 10].min() > 200
    assert view[90, 10].max() < 50
    red = view[90, :, 0] > 150
    assert red[48:60].any()
    assert not red[:40].any()


def test_the_edge_refiner_finds_its_material_in_the_same_folder(data: Path) -> None:
    """Photos of the pairs and of the grounds, and cutouts: every seventh, from the first on, is held out."""
    index = data / "pairs.csv"
    index.write_text(index.read_text().replace("shoes", "duts_tr"))
    for shard in ("one", "two"):
        with zipfile.ZipFile(data / f"{shard}.zip", "a") as archive:
            for name in [name for name in archive.namelist() if "shoes" in name]:
                archive.writestr(name.replace("shoes", "duts_tr"), archive.read(name))
    Image.new("RGBA", (40, 40), (9, 9, 9, 255)).save(data / "cutout.png")
    for name in ("backgrounds-00", "cutouts-00"):
        with zipfile.ZipFile(data / f"{name}.zip", "w") as archive:
            for number in range(8):
                archive.write(data / ("cutout.png" if name == "cutouts-00" else "photo.webp"), f"{number}.webp")
    train, val = load_material(data, "train"), load_material(data, "val")
    assert (len(train.photos), len(train.cutouts)) == (6 + 3, 6)
    assert (len(val.photos), len(val.cutouts)) == (2 + 1, 2)
