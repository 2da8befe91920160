"""The builder of each class except "set", which combines the others."""

from __future__ import annotations

from collections.abc import Callable

from training.studio.products import cables, chains, cloth, furniture, hair, packs, scans, vessels, wirework
from training.studio.products.order import Order
from training.studio.shapes import Thing

BUILDERS: dict[str, Callable[[Order], list[Thing]]] = {
    "scan": scans.scan,
    "vessel": vessels.vessel,
    "glass": vessels.glassware,
    "metal": vessels.metalware,
    "cup": vessels.cup,
    "wire": wirework.wirework,
    "chain": chains.chain,
    "cable": cables.cable,
    "fur": hair.furry,
    "cloth": cloth.cloth,
    "furniture": furniture.furniture,
    "pack": packs.pack,
}
