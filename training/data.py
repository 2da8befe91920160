"""Pairs of pictures and masks: read from the data folder's zips, decoded once into a uint8 memory map.

The data folder holds pairs.csv (shard, set, stem, width, height, split, ..., grade) and SHARD.zip files with
im/SET/STEM.webp and gt/SET/STEM.png. Its split column is the law: `val` pairs are never trained on.
"""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image

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
    """Decoded pairs: pictures (N, 384, 384, 3) and masks (N, 384, 384), uint8, and sizes (N, 2) as height, width."""

    pictures: np.ndarray
    masks: np.ndarray
    sizes: np.ndarray
    stems: list[str]

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


def decode_pair(archive: zipfile.ZipFile, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """The picture (H, W, 3) and its mask (H, W), both uint8."""
    picture = Image.open(io.BytesIO(archive.read(f"im/{pair.set}/{pair.stem}.webp"))).convert("RGB")
    mask = Image.open(io.BytesIO(archive.read(f"gt/{pair.set}/{pair.stem}.png"))).convert("L")
    if mask.size != picture.size:
        mask = mask.resize(picture.size, Image.Resampling.BILINEAR)
    return np.asarray(picture), np.asarray(mask)


def build_cache(data: Path, folder: Path, *, split: str, sets: tuple[str, ...]) -> PairCache:
    """Decode the pairs once under `folder`; later calls map the files. About 0.6 MB a pair."""
    pairs = read_index(data, split=split, sets=sets)
    done = folder / f"{split}.sizes.npy"
    shapes = {
        "pictures": (len(pairs), CANVAS_PX, CANVAS_PX, 3),
        "masks": (len(pairs), CANVAS_PX, CANVAS_PX),
    }
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        maps = {
            name: np.lib.format.open_memmap(folder / f"{split}.{name}.npy", "w+", np.uint8, shape)
            for name, shape in shapes.items()
        }
        sizes = np.zeros((len(pairs), 2), np.int32)
        for shard, group in groupby(enumerate(pairs), key=lambda item: item[1].shard):
            with zipfile.ZipFile(data / f"{shard}.zip") as archive:
                for row, pair in group:
                    picture, mask = decode_pair(archive, pair)
                    height, width = sizes[row] = mask.shape
                    maps["pictures"][row, :height, :width] = picture
                    maps["masks"][row, :height, :width] = mask
        for array in maps.values():
            array.flush()
        np.save(done, sizes)  # written last: its presence says that the cache is whole
    opened = {name: np.load(folder / f"{split}.{name}.npy", mmap_mode="r") for name in shapes}
    sizes = np.load(done)
    if len(sizes) != len(pairs):
        raise SystemExit(f"{folder} was made from another index; delete it and run again")
    return PairCache(opened["pictures"], opened["masks"], sizes, [pair.stem for pair in pairs])
