"""Pairs of pictures and masks: read from the data folder's zips, decoded once into uint8 memory maps.

The data folder holds pairs.csv (shard, set, stem, width, height, split, ..., grade) and SHARD.zip files with
im/SET/STEM.webp and gt/SET/STEM.png. The split column is binding: `val` pairs are never trained on.
"""

from __future__ import annotations

import csv
import io
import multiprocessing
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from PIL import Image, ImageChops, ImageFilter

from training.panoramas import views
from training.white import unmixed, white_matte

Decoded = tuple[np.ndarray, np.ndarray]
Source = TypeVar("Source")

CANVAS_PX = 384  # the longest side of the stored pictures; each is in the top left corner of its canvas
GROUND_PX = 512  # the shorter side of a ground for composites

LEAST_OBJECT_PX = 64  # the least longer side of a foreground for composites

WHITE_SET = "white-00"
SCENES = "studio"  # the set of a configuration that stands for the rendered scenes
GROUNDS = ("backgrounds-00", "rooms-00")  # unless a configuration names others

VALIDATION = "validation-00"

MANY_CORES = 4  # from this number on, one process per core decodes pictures


@dataclass(frozen=True)
class Folders:
    """data: pairs.csv and the zips. cache: decoded data. scenes: rendered scenes, im/ and gt/, if any."""

    data: Path
    cache: Path
    scenes: Path | None = None


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


class Item(NamedTuple):
    """A stored pair: picture uint8 (H, W, 3), mask uint8 (H, W), both at most CANVAS_PX.

    fine: whether the mask is good enough for the edge losses.
    """

    stem: str
    picture: np.ndarray
    mask: np.ndarray
    fine: bool = True


@dataclass(frozen=True)
class PairCache:
    """Decoded pairs: pictures (N, 384, 384, 3) and masks (N, 384, 384), uint8, and sizes (N, 2) as height, width.

    stems: (N,) str. fine: (N,) bool. boxes: (N, 4), left, top, right and bottom of the foreground, px.
    """

    pictures: np.ndarray
    masks: np.ndarray
    sizes: np.ndarray
    stems: np.ndarray
    fine: np.ndarray
    boxes: np.ndarray

    def __len__(self) -> int:
        return len(self.sizes)


def set_names(data: Path) -> set[str]:
    """The labelled sets: those of pairs.csv."""
    with (data / "pairs.csv").open(newline="") as file:
        return {row["set"] for row in csv.DictReader(file)}


def read_index(data: Path, *, split: str, name: str) -> list[Pair]:
    """The pairs of a split ("train" or "val") and a set, in the order of pairs.csv."""
    with (data / "pairs.csv").open(newline="") as file:
        rows = [
            Pair(
                row["shard"], row["set"], row["stem"], int(row["width"]), int(row["height"]), row["split"], row["grade"]
            )
            for row in csv.DictReader(file)
        ]
    chosen = [pair for pair in rows if pair.split == split and pair.set == name]
    if not chosen:
        raise SystemExit(f"no pair of split {split!r} and set {name!r} in {data / 'pairs.csv'}")
    return chosen


def read_pairs(data: Path, pairs: list[Pair]) -> Iterator[tuple[str, bytes, bytes, bool]]:
    """Stem, picture file, mask file and grade of index rows, in their order: the input of `pair_item`."""
    for shard, group in groupby(pairs, key=lambda pair: pair.shard):
        with zipfile.ZipFile(data / f"{shard}.zip") as archive:
            for pair in group:
                yield pair.stem, *files_of(archive, pair.set, pair.stem), pair.grade.startswith("A")


def files_of(archive: zipfile.ZipFile, name: str, stem: str) -> tuple[bytes, bytes]:
    return archive.read(f"im/{name}/{stem}.webp"), archive.read(f"gt/{name}/{stem}.png")


def pair_item(source: tuple[str, bytes, bytes, bool]) -> Item:
    stem, picture, mask, fine = source
    return Item(stem, *decoded(opened(picture), opened(mask)), fine)


def opened(file: bytes) -> Image.Image:
    return Image.open(io.BytesIO(file))


def decoded(picture: Image.Image, mask: Image.Image) -> Decoded:
    """A pair as arrays that fit the canvas."""
    picture, mask = picture.convert("RGB"), mask.convert("L")
    picture.thumbnail((CANVAS_PX, CANVAS_PX), Image.Resampling.BOX)
    if mask.size != picture.size:
        mask = mask.resize(picture.size, Image.Resampling.BOX)
    return np.asarray(picture), np.asarray(mask)


def cached(
    folder: Path, name: str, sources: Callable[[], Iterable[Source]], make: Callable[[Source], Item | None]
) -> PairCache:
    """Items that all cores compute once into folder/NAME.*, then memory-mapped: 0.6 MB each.

    Sources for which `make` returns None are skipped. Delete the files to compute them again.
    """
    index = folder / f"{name}.npz"
    if not index.exists():
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        with (folder / f"{name}.pictures").open("wb") as pictures, (folder / f"{name}.masks").open("wb") as masks:
            for item in _made(sources(), make):
                height, width = item.mask.shape
                for file, plane in ((pictures, item.picture), (masks, item.mask)):
                    canvas = np.zeros((CANVAS_PX, CANVAS_PX, *plane.shape[2:]), np.uint8)
                    canvas[:height, :width] = plane
                    file.write(canvas.tobytes())
                rows.append((item.stem, item.fine, (height, width), bounding_box(item.mask)))
        stems, fine, sizes, boxes = zip(*rows, strict=True) if rows else ((), (), (), ())
        beside = index.with_suffix(".part.npz")
        np.savez(
            beside,
            stems=np.array(stems, str),
            fine=np.array(fine, bool),
            sizes=np.array(sizes, np.int32).reshape(-1, 2),
            boxes=np.array(boxes, np.int32).reshape(-1, 4),
        )
        beside.replace(index)  # written last: the cache is complete if this file exists
    with np.load(index) as facts:
        found = {key: facts[key] for key in ("stems", "fine", "sizes", "boxes")}
    shape = (len(found["sizes"]), CANVAS_PX, CANVAS_PX)
    if not shape[0]:
        return PairCache(np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.uint8), **found)
    pictures_map = np.memmap(folder / f"{name}.pictures", np.uint8, "r", shape=(*shape, 3))
    return PairCache(pictures_map, np.memmap(folder / f"{name}.masks", np.uint8, "r", shape=shape), **found)


def _made(sources: Iterable[Source], make: Callable[[Source], Item | None]) -> Iterator[Item]:
    cores = len(os.sched_getaffinity(0))
    if cores < MANY_CORES:
        yield from filter(None, map(make, sources))
        return
    # Forked before anything runs on a GPU. Each process uses one thread, since each core has a process.
    with multiprocessing.get_context("fork").Pool(cores, cv2.setNumThreads, (1,)) as pool:
        yield from filter(None, pool.imap(make, sources, chunksize=16))


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the values over 1/2; zeros if there are none."""
    columns, rows = np.flatnonzero((mask > 127).any(0)), np.flatnonzero((mask > 127).any(1))
    return (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if len(columns) else (0, 0, 0, 0)


def build_cache(data: Path, folder: Path, *, split: str, name: str) -> PairCache:
    """The pairs of a split and a set, decoded under `folder`."""
    pairs = read_index(data, split=split, name=name)
    return cached(folder, f"{name}.{split}", lambda: read_pairs(data, pairs), pair_item)


def build_scene_cache(source: Path, folder: Path, name: str) -> PairCache:
    """Rendered scenes: source/im/STEM.* with source/gt/STEM.png. Later scenes are not added to an existing cache."""

    def scenes() -> Iterator[tuple[str, bytes, bytes, bool]]:
        for picture in sorted((source / "im").iterdir()):
            mask = source / "gt" / f"{picture.stem}.png"
            if mask.exists():
                yield picture.stem, picture.read_bytes(), mask.read_bytes(), True

    return cached(folder, name, scenes, pair_item)


def build_validation_cache(data: Path, folder: Path, name: str) -> PairCache:
    """A set of the validation archive."""

    def pairs() -> Iterator[tuple[str, bytes, bytes, bool]]:
        with zipfile.ZipFile(data / f"{VALIDATION}.zip") as archive:
            prefix = f"gt/{name}/"
            for stem in sorted(Path(each).stem for each in archive.namelist() if each.startswith(prefix)):
                yield stem, *files_of(archive, name, stem), True

    return cached(folder, f"{name}.validation", pairs, pair_item)


def build_cutout_cache(archive: Path, folder: Path, *, split: str) -> PairCache:
    """Cutouts with true alpha from a zip of RGBA pictures: objects for composites, never used on their own ground."""
    return cached(folder, f"{archive.stem}.{split}", lambda: pictures_of(archive, split), cutout_item)


def build_white_cache(archive: Path, folder: Path, *, split: str, objects: bool) -> PairCache:
    """Photos on pure white with a certain matte (white.py): unchanged, or as objects for composites."""
    name = f"{archive.stem}.{'objects.' * objects}{split}"
    return cached(folder, name, lambda: pictures_of(archive, split), white_object if objects else white_photo)


def build_object_cache(
    cache: PairCache, folder: Path, name: str, excluded: frozenset[str] = frozenset(), *, exact: bool = False
) -> PairCache:
    """The foregrounds that lie fully inside a set's photos, as objects for composites.

    exact: the masks are true alpha, as those of renders are.
    """

    def photos() -> Iterator[Item]:
        for row in np.flatnonzero(whole_objects(cache)):
            if cache.stems[row] not in excluded:
                height, width = cache.sizes[row]
                yield Item(cache.stems[row], cache.pictures[row, :height, :width], cache.masks[row, :height, :width])

    return cached(folder, name, photos, exact_object if exact else object_item)


def pictures_of(archive: Path, split: str) -> Iterator[tuple[str, bytes]]:
    """Stem and file of a zip's pictures; numbers that end in 9 form the `val` split."""
    with zipfile.ZipFile(archive) as file:
        for name in sorted(name for name in file.namelist() if name.endswith((".webp", ".png"))):
            if Path(name).stem.endswith("9") == (split == "val"):
                yield Path(name).stem, file.read(name)


def cutout_item(source: tuple[str, bytes]) -> Item:
    return Item(source[0], *cutout(opened(source[1])))


def white_photo(source: tuple[str, bytes]) -> Item | None:
    rgb = np.asarray(opened(source[1]).convert("RGB"))
    matte = white_matte(rgb)
    return None if matte is None else Item(source[0], *decoded(Image.fromarray(rgb), Image.fromarray(matte)))


def white_object(source: tuple[str, bytes]) -> Item | None:
    rgb = np.asarray(opened(source[1]).convert("RGB"))
    matte = white_matte(rgb)
    if matte is None:
        return None
    rgb, matte = decoded(Image.fromarray(unmixed(rgb, matte)), Image.fromarray(matte))
    return Item(source[0], clean_colours(rgb, matte, inner=1), matte)


def object_item(photo: Item) -> Item:
    # Masks of photos are a pixel too wide in places: erosion removes the strip of old ground.
    alpha = cv2.GaussianBlur(cv2.erode(photo.mask, np.ones((3, 3), np.uint8)), (0, 0), 0.7)
    return Item(photo.stem, clean_colours(photo.picture, alpha), alpha)


def exact_object(photo: Item) -> Item:
    return Item(photo.stem, clean_colours(photo.picture, photo.mask, inner=1), photo.mask)


def cutout(rgba: Image.Image, *, reach_px: int = 5) -> Decoded:
    """Colours and alpha without a shop's soft shadow under the product: only alpha near solid parts counts."""
    rgba = rgba.convert("RGBA")
    rgba.thumbnail((CANVAS_PX, CANVAS_PX), Image.Resampling.BOX)
    alpha = rgba.getchannel("A")
    solid = alpha.point(lambda value: 255 * (value > 230)).filter(ImageFilter.MaxFilter(reach_px))
    matte = np.asarray(ImageChops.darker(alpha, solid))
    return clean_colours(np.asarray(rgba.convert("RGB")), matte), matte


def clean_colours(rgb: np.ndarray, alpha: np.ndarray, *, inner: int = 3) -> np.ndarray:
    """Colours of the solid inside, extended outward over the soft edge, so that no old ground shows.

    rgb, uint8 (H, W, 3); alpha, uint8 (H, W); inner: side of the square that must be solid, px.
    """
    solid = cv2.erode((alpha > 242).astype(np.float32), np.ones((inner, inner), np.uint8))[..., None]
    filled = np.concatenate([rgb * solid, solid], 2)  # colours and a mask of known colours
    for side in (3, 5, 9, 17):  # the nearest colours first
        near = cv2.blur(filled, (side, side))
        reached = (filled[..., 3] == 0) & (near[..., 3] > 1e-3)
        filled[reached] = near[reached] / near[reached, 3:]
    return np.where(filled[..., 3:] > 0, filled[..., :3], rgb).astype(np.uint8)


def whole_objects(cache: PairCache, margin_px: int = 3) -> np.ndarray:
    """(N,) bool: the mask's box touches no border and is not tiny."""
    left, top, right, bottom = cache.boxes.T
    inside = (left >= margin_px) & (top >= margin_px)
    inside &= (right <= cache.sizes[:, 1] - margin_px) & (bottom <= cache.sizes[:, 0] - margin_px)
    return inside & (np.maximum(right - left, bottom - top) >= LEAST_OBJECT_PX)


def load_grounds(data: Path, sources: Sequence[str] = GROUNDS) -> list[np.ndarray]:
    """Rooms, photos and textures without a subject, uint8 (H, W, 3), with the shorter side GROUND_PX.

    sources: names of zips without suffix, for their pictures, or ZIP/FOLDER for a folder. A folder's light probes give
    views.
    """
    found = []
    for source in sources:
        archive, _, folder = source.partition("/")
        before = len(found)
        with zipfile.ZipFile(data / f"{archive}.zip") as file:
            for name in sorted(name for name in file.namelist() if name.startswith(folder)):
                if name.endswith(".webp"):
                    found.append(_ground(opened(file.read(name))))
                elif folder and name.endswith(".hdr"):
                    found += views(file.read(name), GROUND_PX)
        if len(found) == before:
            raise SystemExit(f"no ground in {source!r} of {data}")
    return found


def _ground(picture: Image.Image) -> np.ndarray:
    picture = picture.convert("RGB")
    scale = GROUND_PX / min(picture.size)
    size = (round(picture.width * scale), round(picture.height * scale))
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2))
