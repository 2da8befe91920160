"""Batches from a data folder: the pool of its sets, augmented, with composites of its objects. All in torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.augment import Augment, affine, camera
from training.composites import Compositor, Recipe, object_pool
from training.data import (
    GROUNDS,
    SCENES,
    WHITE_SET,
    Folders,
    build_cache,
    build_scene_cache,
    build_white_cache,
    load_grounds,
)
from training.pool import Pool, batch_shape, read_excluded


@dataclass(frozen=True)
class Batch:
    """picture (N, 3, H, W) and target (N, 1, H, W), float32 in 0..1; fine (N,) bool: whether the edge is reliable."""

    picture: Tensor
    target: Tensor
    fine: Tensor


class Batches:
    """An endless, seeded stream of augmented batches. Its state is a generator: a resumed run continues it."""

    def __init__(
        self,
        pool: Pool,
        batch: int,
        options: Augment,
        generator: torch.Generator,
        *,
        compositor: Compositor | None = None,
        composite_share: float = 0.0,
    ) -> None:
        self.pool, self.batch, self.options, self.generator = pool, batch, options, generator
        self.compositor = compositor
        self.composites = round(batch * composite_share) if compositor else 0

    def counts(self) -> dict[str, int]:
        """The number of pictures in each source of the stream."""
        if not self.compositor:
            return self.pool.counts
        return self.compositor.pool.counts | self.pool.counts | {"grounds": len(self.compositor.grounds)}

    def next(self, size_px: int) -> Batch:
        """A batch of one shape, with size_px as the longer side; its last pictures are composites."""
        bucket = int(torch.multinomial(self.pool.bucket_shares, 1, generator=self.generator))
        rows = self.pool.draw(self.batch - self.composites, self.generator, bucket)
        shape = batch_shape(size_px, bucket)
        window = self.pool.windows(rows, affine(self.pool.sizes[rows], self.options, self.generator), shape)
        picture, target, fine = window[:, :3], window[:, 3:], self.pool.fine[rows]
        if self.composites and self.compositor:
            made, mattes = self.compositor.make(self.composites, shape)
            picture, target = torch.cat([picture, made]), torch.cat([target, mattes])
            fine = torch.cat([fine, torch.ones(self.composites, dtype=torch.bool)])
        picture = camera(picture, self.options, self.generator)
        return Batch(
            picture.contiguous(memory_format=torch.channels_last), target.contiguous(), fine.to(picture.device)
        )


def batches_of(config: dict[str, Any], folders: Folders, batch: int, device: torch.device) -> Batches:
    """The stream of a configuration: its sets by their shares, and composites of their objects.

    The studio's share applies only if there are scenes.
    """
    excluded = frozenset(read_excluded(Path(config["excluded"])) if "excluded" in config else ())
    data, cache, caches = folders.data, folders.cache, {}
    for name in config["shares"]:
        if name == SCENES:
            if folders.scenes:
                caches[name] = build_scene_cache(folders.scenes, cache, name)
        elif name == WHITE_SET:
            caches[name] = build_white_cache(data / f"{name}.zip", cache, split="train", objects=False)
        else:
            caches[name] = build_cache(data, cache, split="train", name=name)
    generator = torch.Generator().manual_seed(config["seed"])
    compositor = None
    if config["composite_share"]:
        objects = object_pool(folders, "train", config["objects"], device, excluded)
        compositor = Compositor(
            objects, load_grounds(data, config.get("grounds", GROUNDS)), Recipe(**config.get("recipe", {})), generator
        )
    return Batches(
        Pool(caches, config["shares"], device, excluded),
        batch,
        Augment(**config.get("augment", {})),
        generator,
        compositor=compositor,
        composite_share=config["composite_share"],
    )
