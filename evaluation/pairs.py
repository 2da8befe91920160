"""Where test pictures come from: a folder with im/ and gt/, a data folder of zips, or photos without any truth."""

from __future__ import annotations

import csv
import io
import random
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from packshot.core.codecs import decode
from packshot.core.picture import Float32, Picture, to_unit

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


@dataclass(frozen=True, eq=False)
class Example:
    """A picture with its true matte, float32 (H, W) in 0..1 of the picture's size; `group` is the set it belongs to."""

    name: str
    group: str
    picture: Picture
    truth: Float32


def from_folder(folder: Path) -> Iterator[Example]:
    """Pairs of a folder: im/STEM.(jpg|png|bmp|webp) with gt/STEM.png, in the order of their names."""
    truths = {path.stem: path for path in (folder / "gt").iterdir()}
    photos = sorted(path for path in (folder / "im").iterdir() if path.suffix.lower() in SUFFIXES)
    if lonely := [path.name for path in photos if path.stem not in truths]:
        raise SystemExit(f"{len(lonely)} pictures in {folder / 'im'} have no truth in gt/: {', '.join(lonely[:3])} ...")
    for path in photos:
        yield example(path.stem, folder.name, path.read_bytes(), truths[path.stem].read_bytes())


def from_data(data: Path, *, split: str, sets: tuple[str, ...]) -> Iterator[Example]:
    """Pairs of a data folder: pairs.csv names them, SHARD.zip holds im/SET/STEM.webp and gt/SET/STEM.png."""
    with (data / "pairs.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split and row["set"] in sets]
    if not rows:
        raise SystemExit(f"no pair of split {split!r} and sets {', '.join(sets)} in {data / 'pairs.csv'}")
    with ExitStack() as stack:
        shards = {row["shard"] for row in rows}
        zips = {shard: stack.enter_context(zipfile.ZipFile(data / f"{shard}.zip")) for shard in shards}
        for row in rows:
            stem, archive = f"{row['set']}/{row['stem']}", zips[row["shard"]]
            yield example(stem, row["set"], archive.read(f"im/{stem}.webp"), archive.read(f"gt/{stem}.png"))


def example(name: str, group: str, photo: bytes, mask: bytes) -> Example:
    """Decode one pair. Raises ValueError when the truth has another size, or nothing in it is foreground."""
    picture = decode(photo)
    truth = to_unit(np.asarray(Image.open(io.BytesIO(mask)).convert("L")))
    if truth.shape != picture.rgb.shape[:2]:
        raise ValueError(f"{name}: the picture is {picture.size}, its truth {truth.shape[1]}x{truth.shape[0]}")
    if truth.max() < 0.5:
        raise ValueError(f"{name}: the truth has no foreground, so no figure about its shape has a meaning")
    return Example(name, group, picture, truth)


def photos(source: Path, *, count: int, seed: int) -> Iterator[tuple[str, Picture]]:
    """A seeded choice of the photos in a folder or a zip, subfolders included, in the order of their names."""
    with nullcontext() if source.is_dir() else zipfile.ZipFile(source) as archive:
        names = archive.namelist() if archive else [str(path.relative_to(source)) for path in source.rglob("*")]
        names = sorted(name for name in names if Path(name).suffix.lower() in SUFFIXES)
        chosen = random.Random(seed).sample(names, min(count, len(names)))  # noqa: S311 - a choice, not a secret
        for name in sorted(chosen):
            yield name, decode(archive.read(name) if archive else (source / name).read_bytes())
