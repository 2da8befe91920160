"""The benchmarks' photos: from examples/, at the sizes of the tables."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from packshot.core import codecs
from packshot.core.picture import UInt8

FOLDER = Path(__file__).parent.parent / "examples"
ON_WHITE = " on white"
EXAMPLES = ("bottle", "mug", "stool" + ON_WHITE)  # a narrow transition region, a wide one, and a plain ground


def photo(name: str, side_px: int) -> bytes:
    """A square JPEG from the middle of an example, enlarged, with the lost grain added again."""
    rgb: UInt8 = codecs.decode((FOLDER / f"{name.removesuffix(ON_WHITE)}.jpg").read_bytes()).rgb
    if name.endswith(ON_WHITE):
        truth = codecs.decode((FOLDER / "truth" / f"{name.removesuffix(ON_WHITE)}.png").read_bytes()).rgb
        rgb = 255 - np.rint((255 - rgb) * (truth / np.float32(255))).astype(np.uint8)
    side = min(rgb.shape[:2])
    top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
    square = rgb[top : top + side, left : left + side]
    enlarged = cv2.resize(square, (side_px, side_px), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    grain = np.random.default_rng(1).normal(0, 1.5, enlarged.shape)
    return codecs.encode(np.clip(np.rint(enlarged + grain), 0, 255).astype(np.uint8), format="jpeg", quality=90)
