"""Sources of test pictures: a folder of pairs, a data folder of zips, or photos without truth."""

from __future__ import annotations

import csv
import random
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.folders import PHOTO_SUFFIXES, list_pairs
from evaluation.truth import fit_truth, open_image, read_truth
from packshot.core.codecs import decode
from packshot.core.picture import Float32, Picture
from packshot.errors import UnsupportedFormat


@dataclass(frozen=True, eq=False)
class Example:
    """A picture with its true matte, float32 (H, W) in 0..1 at the picture's size; `group` is its test set."""

    name: str
    group: str
    picture: Picture
    truth: Float32
    was_resized: bool = False


@dataclass(frozen=True)
class Pair:
    """An example that is not loaded yet: thousands are listed at once, and each is read when it is scored."""

    name: str
    group: str
    read: Callable[[], tuple[bytes, bytes]]

    def load(self) -> Example:
        """Raises: InputError, OSError or ValueError if a file cannot be read, or if the two files do not match."""
        photo, mask = self.read()
        picture, truth = read_picture(photo), read_truth(mask)
        fitted = fit_truth(truth, picture.size)
        return Example(self.name, self.group, picture, fitted, was_resized=fitted is not truth)


@dataclass(frozen=True)
class Source:
    """Pairs sorted by name, and the names of files without a partner."""

    pairs: list[Pair]
    lonely: list[str]


def from_folder(folder: Path) -> Source:
    """The pairs anywhere below a folder, as folders.py finds them. Raises: SystemExit if there is none."""
    found = list_pairs(folder)
    pairs = [Pair(files.name, files.group, files.read) for files in found.pairs]
    return Source(pairs, [str(path.relative_to(folder)) for path in [*found.lonely_photos, *found.lonely_truths]])


def from_data(data: Path, *, split: str, sets: tuple[str, ...], stack: ExitStack) -> Source:
    """Pairs of a data folder: pairs.csv names them, SHARD.zip holds im/SET/STEM.webp and gt/SET/STEM.png.

    stack: closes the zips, which must stay open while pairs are read.
    """
    with (data / "pairs.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split and row["set"] in sets]
    if not rows:
        raise SystemExit(f"no pair of split {split!r} and sets {', '.join(sets)} in {data / 'pairs.csv'}")
    shards = {row["shard"] for row in rows}
    zips = {shard: stack.enter_context(zipfile.ZipFile(data / f"{shard}.zip")) for shard in shards}

    def pair(stem: str, group: str, archive: zipfile.ZipFile) -> Pair:
        return Pair(stem, group, lambda: (archive.read(f"im/{stem}.webp"), archive.read(f"gt/{stem}.png")))

    return Source([pair(f"{row['set']}/{row['stem']}", row["set"], zips[row["shard"]]) for row in rows], [])


def read_picture(photo: bytes) -> Picture:
    """Decode with the pipeline's decoder; formats that it rejects, such as TIFF variants, with Pillow, since test sets
    hold all kinds."""
    try:
        return decode(photo)
    except UnsupportedFormat:
        return Picture(np.asarray(open_image(photo).convert("RGB")))


def photos(source: Path, *, count: int, seed: int) -> Iterator[tuple[str, Picture]]:
    """A seeded choice of the photos in a folder or a zip, including subfolders, sorted by name."""
    with nullcontext() if source.is_dir() else zipfile.ZipFile(source) as archive:
        names = archive.namelist() if archive else [str(path.relative_to(source)) for path in source.rglob("*")]
        names = sorted(name for name in names if Path(name).suffix.lower() in PHOTO_SUFFIXES)
        chosen = random.Random(seed).sample(names, min(count, len(names)))  # noqa: S311 - a choice, not a secret
        for name in sorted(chosen):
            yield name, read_picture(archive.read(name) if archive else (source / name).read_bytes())
