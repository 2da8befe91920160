"""The output folder of a run: pairs of files, written atomically, and a line about each scene."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from training.studio.plan import VAL_SEEDS, Scene, plan

COVER = (0.01, 0.85)  # scenes outside this range of the product's share of the frame are not kept


@dataclass(frozen=True)
class Roll:
    """FOLDER/im/STEM.jpg, FOLDER/gt/STEM.png and FOLDER/scenes.jsonl."""

    folder: Path

    def done(self) -> set[str]:
        """Stems that are finished: kept, or found unusable. Failures are tried again."""
        log = self.folder / "scenes.jsonl"
        if not log.exists():
            return set()
        lines = log.read_text().splitlines()
        rows = (json.loads(line) for line in lines if line.endswith("}"))  # a killed run may leave half a line
        return {row["stem"] for row in rows if "error" not in row}

    def keep(self, scene: Scene, photo: np.ndarray, matte: np.ndarray) -> None:
        """Write a pair: photo (H, W, 3) uint8 as JPEG, then matte (H, W) in [0, 1] as 8-bit gray PNG."""
        levels = (matte * 255).round().astype(np.uint8)
        _write(Image.fromarray(photo), self.folder / "im" / f"{scene.stem}.jpg", quality=scene.film.quality)
        _write(Image.fromarray(levels), self.folder / "gt" / f"{scene.stem}.png", optimize=True)

    def note(self, scene: Scene, **facts: object) -> None:
        """Append a line to scenes.jsonl."""
        row = {"stem": scene.stem, "seed": scene.seed, "class": scene.name, "backdrop": scene.backdrop.kind}
        row |= {"same": scene.same, "items": [f"{item.kind}:{item.pose}" for item in scene.items], **facts}
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "scenes.jsonl"
        cut = path.exists() and not path.read_bytes().endswith(b"\n")
        with path.open("a") as log:
            log.write("\n" * cut + json.dumps(row) + "\n")


def _write(image: Image.Image, path: Path, **options: object) -> None:
    """Write to a temporary file, then rename: a file with its final name is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}")
    image.save(beside, path.suffix[1:].replace("jpg", "jpeg"), **options)
    beside.rename(path)


def usable(matte: np.ndarray) -> bool:
    """Whether the product covers a sensible share of the frame."""
    return COVER[0] <= float(matte.mean()) <= COVER[1]


def wanted(seeds: Iterable[int], classes: frozenset[str], *, val: bool, done: set[str]) -> Iterator[Scene]:
    """The scenes still to render. `val` moves the seeds to the held-out range; without it that range is rejected."""
    for seed in seeds:
        scene = plan(seed + VAL_SEEDS if val else seed)
        if not val and seed >= VAL_SEEDS:
            raise ValueError(f"seed {seed} is held out: use val")
        if (not classes or scene.name in classes) and scene.stem not in done:
            yield scene
