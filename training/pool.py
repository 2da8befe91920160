"""Several caches of pairs as one pool to draw from: each set has its share of the samples, bad labels are left out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.data import CANVAS_PX, PairCache

# width / height of the three shapes a batch can have: real photos are mostly 4:3, and no shape needs padding.
ASPECTS = (4 / 3, 1.0, 3 / 4)


def batch_shape(size_px: int, bucket: int) -> tuple[int, int]:
    """Height and width, multiples of 32, the longer one size_px."""
    aspect = ASPECTS[bucket]
    width, height = (size_px, size_px / aspect) if aspect >= 1 else (size_px * aspect, size_px)
    return 32 * round(height / 32), 32 * round(width / 32)


def nearest_aspect(sizes: np.ndarray) -> np.ndarray:
    """For sizes (N, 2), height and width, the index of the nearest of ASPECTS."""
    return np.abs(np.log(sizes[:, 1] / sizes[:, 0])[:, None] - np.log(ASPECTS)[None]).argmin(1)


def read_excluded(path: Path) -> set[str]:
    """Stems of pairs whose label is wrong, one a line; what follows # says why."""
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return {line for line in lines if line}


class Pool:
    """Rows of all sets under one numbering. `shares` maps a set to its share of the samples, of any total.

    counts: pairs by set. sizes: (R, 2), height and width, px. fine: (R,) bool. boxes: (R, 4), left, top, right and
    bottom of the mask, px. objects: (R,) bool, whose foreground can be cut out and laid elsewhere.
    """

    def __init__(
        self,
        caches: Mapping[str, PairCache],
        shares: Mapping[str, float],
        device: torch.device,
        excluded: frozenset[str] = frozenset(),
    ) -> None:
        self.device = device
        self.counts = {name: len(cache) for name, cache in caches.items()}
        self._pictures, self._masks = [], []
        for cache in caches.values():
            # On a GPU all of it lies there: copies would take longer than the steps. On a CPU it stays mapped.
            self._pictures.append(tensor(cache.pictures, device))
            self._masks.append(tensor(cache.masks, device))
        self._set = np.concatenate([np.full(len(c), i) for i, c in enumerate(caches.values())])
        self._row = np.concatenate([np.arange(len(c)) for c in caches.values()])
        sizes = np.concatenate([c.sizes for c in caches.values()])
        self.sizes = torch.from_numpy(sizes)
        self.fine = torch.from_numpy(np.concatenate([c.fine for c in caches.values()]))
        self.boxes = torch.from_numpy(np.concatenate([c.boxes for c in caches.values()]))
        kept = np.concatenate([[stem not in excluded for stem in c.stems] for c in caches.values()])
        self._draws = torch.from_numpy(np.concatenate([weights(c, shares.get(n, 0)) for n, c in caches.items()]) * kept)
        self._bucket = torch.from_numpy(nearest_aspect(sizes))
        self.bucket_shares = torch.stack([self._draws[self._bucket == b].sum() for b in range(len(ASPECTS))])
        self.objects = torch.from_numpy(kept) & whole_objects(self.sizes, self.boxes)

    def draw(self, bucket: int, count: int, generator: torch.Generator) -> Tensor:
        """Row numbers (count,) of pictures whose shape suits the bucket, each set by its share."""
        rows = torch.nonzero(self._bucket == bucket).flatten()
        return rows[torch.multinomial(self._draws[rows], count, replacement=True, generator=generator)]

    def draw_objects(self, count: int, generator: torch.Generator) -> Tensor:
        """Row numbers (count,) of pairs whose foreground lies whole inside the picture, all equally likely."""
        rows = torch.nonzero(self.objects).flatten()
        return rows[torch.randint(len(rows), (count,), generator=generator)]

    def canvas(self, rows: Tensor) -> Tensor:
        """(N, 4, 384, 384) float32 in 0..255 on the device: RGB and mask."""
        canvas = torch.empty(len(rows), CANVAS_PX, CANVAS_PX, 4, dtype=torch.uint8, device=self.device)
        for place, row in enumerate(rows.tolist()):
            canvas[place, ..., :3] = self._pictures[self._set[row]][self._row[row]]
            canvas[place, ..., 3] = self._masks[self._set[row]][self._row[row]]
        return canvas.permute(0, 3, 1, 2).float()


def tensor(array: np.ndarray, device: torch.device) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch has no read-only tensors; nothing writes to this one
        return torch.from_numpy(array).to(device)


def weights(cache: PairCache, share: float) -> np.ndarray:
    """The same for each pair of a set, `share` in all."""
    return np.full(len(cache), share / max(len(cache), 1))


def whole_objects(sizes: Tensor, boxes: Tensor, margin_px: int = 3) -> Tensor:
    """(R,) bool: the mask's box touches no border, and is neither tiny nor nearly all of the picture."""
    left, top, right, bottom = boxes.unbind(1)
    inside = (left >= margin_px) & (top >= margin_px)
    inside &= (right <= sizes[:, 1] - margin_px) & (bottom <= sizes[:, 0] - margin_px)
    return inside & (torch.maximum(right - left, bottom - top) >= 64)
