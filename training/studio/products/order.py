"""The input of a builder."""

from __future__ import annotations

import random
from dataclasses import dataclass

from training.studio.assets import Assets
from training.studio.plan import Colour, Item


@dataclass(frozen=True)
class Order:
    """An item with the random generator of its seed: a builder may depend on nothing else."""

    chance: random.Random
    pose: str
    tone: Colour | None
    assets: Assets

    @classmethod
    def of(cls, item: Item, assets: Assets) -> Order:
        """The order for an item of a plan."""
        return cls(random.Random(item.seed), item.pose, item.tone, assets)
