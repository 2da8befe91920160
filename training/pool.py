"""Combines several caches of pairs in one pool: each set has its share of the samples; bad labels are excluded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.data import CANVAS_PX, PairCache
from training.sampling import px_matrices, sample_array, sample_canvas

# width / height of the three batch shapes: real photos are mostly 4:3, and none of the shapes needs padding.
ASPECTS = (4 / 3, 1.0, 3 / 4)


def batch_shape(size_px: int, bucket: int) -> tuple[int, int]:
    """Height and width, multiples of 32, with size_px as the longer side."""
    aspect = ASPECTS[bucket]
    width, height = (size_px, size_px / aspect) if aspect >= 1 else (size_px * aspect, size_px)
    return 32 * round(height / 32), 32 * round(width / 32)


def nearest_aspect(sizes: np.ndarray) -> np.ndarray:
    """The index of the nearest of ASPECTS, for sizes (N, 2) as height and width."""
    return np.abs(np.log(sizes[:, 1] / sizes[:, 0])[:, None] - np.log(ASPECTS)[None]).argmin(1)


def read_excluded(path: Path) -> set[str]:
    """Stems of pairs with a wrong label, one per line; the reason follows a #."""
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return {line for line in lines if line}


class Pool:
    """Rows of all sets under one numbering. `shares` maps a set to its share of the draws; the total is arbitrary.

    counts: pairs by set. sizes: (R, 2), height and width, px. fine: (R,) bool. boxes: (R, 4), left, top, right and
    bottom of the mask, px.
    """

    def __init__(
        self,
        caches: Mapping[str, PairCache],
        shares: Mapping[str, float],
        device: torch.device,
        excluded: frozenset[str] = frozenset(),
    ) -> None:
        caches = {name: cache for name, cache in caches.items() if len(cache)}
        self.device = device
        self.counts = {name: len(cache) for name, cache in caches.items()}
        self._caches = list(caches.values())
        # A GPU holds all data: copies would take longer than the steps. On a CPU the data stays memory-mapped.
        self._resident = _resident(self._caches, device) if device.type == "cuda" else None
        self._set = np.concatenate([np.full(len(c), i) for i, c in enumerate(self._caches)])
        self._row = np.concatenate([np.arange(len(c)) for c in self._caches])
        sizes = np.concatenate([c.sizes for c in self._caches])
        self.sizes = torch.from_numpy(sizes)
        self.fine = torch.from_numpy(np.concatenate([c.fine for c in self._caches]))
        self.boxes = torch.from_numpy(np.concatenate([c.boxes for c in self._caches]))
        kept = ~np.isin(np.concatenate([c.stems for c in self._caches]), list(excluded))
        weights = [np.full(len(cache), shares.get(name, 0) / len(cache)) for name, cache in caches.items()]
        self._draws = torch.from_numpy(np.concatenate(weights) * kept)
        self._bucket = torch.from_numpy(nearest_aspect(sizes))
        self.bucket_shares = torch.stack([self._draws[self._bucket == b].sum() for b in range(len(ASPECTS))])

    def draw(self, count: int, generator: torch.Generator, bucket: int | None = None) -> Tensor:
        """Row numbers (count,), with each set by its share; with a bucket, only pictures of a suitable shape."""
        draws = self._draws if bucket is None else self._draws * (self._bucket == bucket)
        return torch.multinomial(draws, count, replacement=True, generator=generator)

    def windows(self, rows: Tensor, maps: Tensor, shape: tuple[int, int], *, zeros: bool = False) -> Tensor:
        """RGB and mask, float32 (N, 4, *shape) in 0..1 on the device, of rows through maps (sampling.py).

        Outside its picture a window repeats the border; with `zeros` the mask is 0 there.
        """
        if self._resident is not None:
            canvas = self._resident[rows.to(self.device)].permute(0, 3, 1, 2).float()
            sizes = self.sizes[rows].to(self.device)
            return sample_canvas(canvas, sizes, maps.to(self.device), shape, zeros=zeros) / 255
        found = np.empty((len(rows), *shape, 4), np.uint8)
        for place, (row, matrix) in enumerate(zip(rows.tolist(), px_matrices(maps, shape), strict=True)):
            cache, own = self._caches[self._set[row]], self._row[row]
            height, width = cache.sizes[own]
            found[place, ..., :3] = sample_array(cache.pictures[own, :height, :width], matrix, shape, zeros=False)
            found[place, ..., 3] = sample_array(cache.masks[own, :height, :width], matrix, shape, zeros=zeros)
        return torch.from_numpy(found).permute(0, 3, 1, 2).float() / 255


def _resident(caches: Sequence[PairCache], device: torch.device) -> Tensor:
    """uint8 (R, 384, 384, 4) on the device: RGB and mask of all rows."""
    both = torch.empty(sum(map(len, caches)), CANVAS_PX, CANVAS_PX, 4, dtype=torch.uint8, device=device)
    row = 0
    for cache in caches:
        for picture, mask in zip(cache.pictures, cache.masks, strict=True):
            both[row] = torch.from_numpy(np.dstack([picture, mask])).to(device)
            row += 1
    return both
