"""Scenes from a folder of rendered pictures and their exact mattes: im/NAME.* and gt/NAME.png."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from training.refiner.scenes import Scene, camera
from training.refiner.shapes import Rng


@cache
def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    truths = {path.stem: path for path in (folder / "gt").iterdir()}
    pictures = sorted((folder / "im").iterdir())
    return [(path, truths[path.stem]) for path in pictures if path.stem in truths]


def studio_scenes(rng: Rng, folders: list[Path]) -> Scene:
    """One rendering from any of the folders, through the same camera as the composites."""
    pairs = [pair for folder in folders for pair in _pairs(folder)]
    picture, truth = pairs[rng.integers(len(pairs))]
    rgb = cv2.imread(str(picture), cv2.IMREAD_COLOR)[..., ::-1].astype(np.float32)
    matte = cv2.imread(str(truth), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
    return camera(rng, rgb, matte, "studio")
