"""Material for scenes: photos as textures, and product cutouts with their own alpha."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from training.data import read_index

HELD_OUT_EVERY = 7  # every seventh cutout and every seventh photo is held out
SOLID = 230  # from this alpha on, a cutout's pixel is product, not soft shadow
DUTS_PHOTOS = {"train": 240, "val": 60}


@dataclass(frozen=True)
class Material:
    """photos: uint8 (H, W, 3). cutouts: uint8 (H, W, 4), straight alpha, cropped to the product."""

    photos: list[np.ndarray]
    cutouts: list[np.ndarray]


def load_material(data: Path, split: str) -> Material:
    """The photos and cutouts of a split ("train" or "val") from the data folder's zips."""
    backgrounds = [photo for name, photo in _images(data / "backgrounds-00.zip", split) if photo.shape[2] == 3]
    cutouts = [without_shadow(image) for _, image in _images(data / "cutouts-00.zip", split) if image.shape[2] == 4]
    return Material(backgrounds + _duts(data, split), cutouts)


def without_shadow(cutout: np.ndarray) -> np.ndarray:
    """Remove pixels further than 3 px from the solid product, such as the soft shadow below it; crop to the rest."""
    solid = (cutout[..., 3] >= SOLID).astype(np.uint8)
    count, island, stats, _ = cv2.connectedComponentsWithStats(solid)
    large = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] > 0.01 * solid.sum()]
    near = cv2.dilate(np.isin(island, large).astype(np.uint8), np.ones((7, 7), np.uint8))
    alpha = cutout[..., 3] * near
    left, top, width, height = cv2.boundingRect(alpha)
    return np.dstack([cutout[..., :3], alpha])[top : top + height, left : left + width]


def _images(path: Path, split: str) -> list[tuple[str, np.ndarray]]:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in sorted(archive.namelist()) if name.endswith((".webp", ".png", ".jpg"))]
        chosen = [name for i, name in enumerate(names) if (i % HELD_OUT_EVERY == 0) == (split == "val")]
        return [(name, _decoded(archive.read(name))) for name in chosen]


def _decoded(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data))
    return np.asarray(image if image.mode in {"RGB", "RGBA"} else image.convert("RGB"))


def _duts(data: Path, split: str) -> list[np.ndarray]:
    """Photos of everyday objects, spread evenly over the split; their masks are not used."""
    pairs = read_index(data, split=split, name="duts_tr")
    chosen = pairs[:: max(1, len(pairs) // DUTS_PHOTOS[split])]
    photos = []
    for shard in sorted({pair.shard for pair in chosen}):
        with zipfile.ZipFile(data / f"{shard}.zip") as archive:
            names = [f"im/{pair.set}/{pair.stem}.webp" for pair in chosen if pair.shard == shard]
            photos += [_decoded(archive.read(name))[..., :3] for name in names]
    return photos
