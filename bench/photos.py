"""The photos that the benchmarks work on: one of examples/, at the sizes of the tables."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from packshot.core import codecs
from packshot.core.picture import UInt8

EXAMPLE = Path(__file__).parent.parent / "examples" / "mug.jpg"


def photo(longest_px: int, *, square: bool = True) -> bytes:
    """A JPEG of the example at a longest side, square as product photos are, with the grain that resizing took away."""
    rgb: UInt8 = codecs.decode(EXAMPLE.read_bytes()).rgb
    side = min(rgb.shape[:2])
    if square:
        top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
        rgb = rgb[top : top + side, left : left + side]
    scale = longest_px / max(rgb.shape[:2])
    width, height = round(rgb.shape[1] * scale), round(rgb.shape[0] * scale)
    enlarged = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    grain = np.random.default_rng(1).normal(0, 1.5, enlarged.shape)
    return codecs.encode_jpeg(np.clip(np.rint(enlarged + grain), 0, 255).astype(np.uint8), quality=90)
