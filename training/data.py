"""Pairs of pictures and masks: read from the data folder's zips, decoded once into uint8 memory maps.

The data folder holds pairs.csv (shard, set, stem, width, height, split, ..., grade) and SHARD.zip files with
im/SET/STEM.webp and gt/SET/STEM.png. Its split column is the law: `val` pairs are never trained on.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageFilter

Decoded = tuple[np.ndarray, np.ndarray]

CANVAS_PX = 384  # the longest side of the stored pictures; each lies in the top left corner of its canvas


@dataclass(frozen=True)
class Pair:
    """One row of pairs.csv. Sizes in px; grade "A*" is a fine label, "B*" a coarse one."""

    shard: str
    set: str
    stem: str
    width: int
    height: int
    split: str
    grade: str


@dataclass(frozen=True)
class PairCache:
    """Decoded pairs: pictures (N, 384, 384, 3) and masks (N, 384, 384), uint8, and sizes (N, 2) as height, width.

    fine: (N,) bool, whether a pair's mask is good enough for losses at its edge. boxes: (N, 4), left, top, right and
    bottom of what is foreground, px.
    """

    pictures: np.ndarray
    masks: np.ndarray
    sizes: np.ndarray
    stems: list[str]
    fine: np.ndarray
    boxes: np.ndarray

    def __len__(self) -> int:
        return len(self.sizes)


def read_index(data: Path, *, split: str, sets: tuple[str, ...]) -> list[Pair]:
    """The pairs of a split ("train" or "val") that belong to one of the sets, in the order of pairs.csv."""
    with (data / "pairs.csv").open(newline="") as file:
        rows = [
            Pair(
                row["shard"], row["set"], row["stem"], int(row["width"]), int(row["height"]), row["split"], row["grade"]
            )
            for row in csv.DictReader(file)
        ]
    chosen = [pair for pair in rows if pair.split == split and pair.set in sets]
    if not chosen:
        raise SystemExit(f"no pair of split {split!r} and sets {sets} in {data / 'pairs.csv'}")
    return chosen


def read_pairs(data: Path, pairs: list[Pair]) -> Iterator[Decoded]:
    """The pictures (H, W, 3) and masks (H, W), uint8, of index rows, in their order."""
    for shard, group in groupby(pairs, key=lambda pair: pair.shard):
        with zipfile.ZipFile(data / f"{shard}.zip") as archive:
            for pair in group:
                name = f"{pair.set}/{pair.stem}"
                picture = Image.open(io.BytesIO(archive.read(f"im/{name}.webp")))
                mask = Image.open(io.BytesIO(archive.read(f"gt/{name}.png")))
                yield decoded(picture, mask)


def decoded(picture: Image.Image, mask: Image.Image) -> Decoded:
    """A pair as arrays that fit the canvas."""
    picture, mask = picture.convert("RGB"), mask.convert("L")
    picture.thumbnail((CANVAS_PX, CANVAS_PX), Image.Resampling.BOX)
    if mask.size != picture.size:
        mask = mask.resize(picture.size, Image.Resampling.BOX)
    return np.asarray(picture), np.asarray(mask)


def cache_pairs(folder: Path, name: str, stems: list[str], fine: list[bool], pairs: Iterable[Decoded]) -> PairCache:
    """Decode pairs once into memory maps folder/NAME.*; later calls map them. About 0.6 MB a pair."""
    done = folder / f"{name}.sizes.npy"
    shapes = {"pictures": (len(stems), CANVAS_PX, CANVAS_PX, 3), "masks": (len(stems), CANVAS_PX, CANVAS_PX)}
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        maps = {
            kind: np.lib.format.open_memmap(folder / f"{name}.{kind}.npy", "w+", np.uint8, shape)
            for kind, shape in shapes.items()
        }
        sizes, boxes = np.zeros((len(stems), 2), np.int32), np.zeros((len(stems), 4), np.int32)
        for row, (picture, mask) in enumerate(pairs):
            height, width = sizes[row] = mask.shape
            maps["pictures"][row, :height, :width] = picture
            maps["masks"][row, :height, :width] = mask
            boxes[row] = bounding_box(mask)
        for array in maps.values():
            array.flush()
        np.save(folder / f"{name}.boxes.npy", boxes)
        np.save(done, sizes)  # written last: its presence says that the cache is whole
    opened = {kind: np.load(folder / f"{name}.{kind}.npy", mmap_mode="r") for kind in shapes}
    sizes = np.load(done)
    if len(sizes) != len(stems):
        raise SystemExit(f"{folder}/{name}.* was made from another index; delete it and run again")
    boxes = np.load(folder / f"{name}.boxes.npy")
    return PairCache(opened["pictures"], opened["masks"], sizes, stems, np.array(fine, bool), boxes)


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the values over 1/2; zeros where there are none."""
    columns, rows = np.flatnonzero((mask > 127).any(0)), np.flatnonzero((mask > 127).any(1))
    return (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if len(columns) else (0, 0, 0, 0)


def build_cache(data: Path, folder: Path, *, split: str, sets: tuple[str, ...]) -> PairCache:
    """The pairs of a split that belong to one of the sets, decoded under `folder`."""
    pairs = read_index(data, split=split, sets=sets)
    stems, fine = [pair.stem for pair in pairs], [pair.grade.startswith("A") for pair in pairs]
    return cache_pairs(folder, f"{'+'.join(sets)}.{split}", stems, fine, read_pairs(data, pairs))


def build_folder_cache(source: Path, folder: Path, name: str) -> PairCache:
    """Rendered scenes: source/im/STEM.* with source/gt/STEM.png. As many as there were when it was first called."""
    masks = sorted((source / "gt").glob("*.png"))
    listed = folder / f"{name}.stems.txt"
    if listed.exists():
        stems = listed.read_text().split()
    else:
        stems = [path.stem for path in masks]
        folder.mkdir(parents=True, exist_ok=True)
        listed.write_text("\n".join(stems))
    pictures = {path.stem: path for path in (source / "im").iterdir()}
    pairs = (decoded(Image.open(pictures[stem]), Image.open(source / "gt" / f"{stem}.png")) for stem in stems)
    return cache_pairs(folder, name, stems, [True] * len(stems), pairs)


def build_cutout_cache(archive: Path, folder: Path) -> PairCache:
    """Cutouts with true alpha from a zip of RGBA pictures: objects for composites; never shown on their own ground."""
    with zipfile.ZipFile(archive) as file:
        names = sorted(name for name in file.namelist() if name.endswith((".webp", ".png")))
        pairs = (cutout(Image.open(io.BytesIO(file.read(name)))) for name in names)
        return cache_pairs(folder, archive.stem, [Path(name).stem for name in names], [True] * len(names), pairs)


def cutout(rgba: Image.Image, *, reach_px: int = 5) -> Decoded:
    """Colours and alpha without the soft shadow that shops put under a product: alpha counts near solid parts only."""
    rgba = rgba.convert("RGBA")
    rgba.thumbnail((CANVAS_PX, CANVAS_PX), Image.Resampling.BOX)
    alpha = rgba.getchannel("A")
    solid = alpha.point(lambda value: 255 * (value > 230)).filter(ImageFilter.MaxFilter(reach_px))
    return np.asarray(rgba.convert("RGB")), np.asarray(ImageChops.darker(alpha, solid))


def load_backgrounds(archive: Path) -> list[np.ndarray]:
    """Photos and textures without a subject, uint8 (H, W, 3), the shorter side 512 px."""
    found = []
    with zipfile.ZipFile(archive) as file:
        for name in sorted(name for name in file.namelist() if name.endswith(".webp")):
            picture = Image.open(io.BytesIO(file.read(name))).convert("RGB")
            scale = 2 * 256 / min(picture.size)
            size = (round(picture.width * scale), round(picture.height * scale))
            found.append(np.asarray(picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2)))
    return found
