"""A generated folder of pairs: squares of differing size and colour on plain backgrounds, with their truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def draw_pairs(root: Path, count: int, *, fade: float = 0) -> Path:
    """root/im/shape00.png ... and root/gt/shape00.png ..., 128x96.

    fade: blends the last shapes into their background's colour; 1 is complete.
    """
    for name in ("im", "gt"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for index in range(count):
        truth = np.zeros((96, 128), np.uint8)
        truth[20:70, 30 : 60 + 20 * (index % 4)] = 255
        photo = np.full((96, 128, 3), 210 - index, np.uint8)
        left = 1 - fade * index / count
        colour = np.array([150 - 40 * (index % 3), 40, 30 + index])
        photo[truth > 0] = np.rint(left * colour + (1 - left) * (210 - index))
        Image.fromarray(photo).save(root / "im" / f"shape{index:02}.png")
        Image.fromarray(truth).save(root / "gt" / f"shape{index:02}.png")
    return root
