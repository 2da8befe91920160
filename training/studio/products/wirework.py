"""Wirework: baskets, bins, racks, whisks, cages, spectacles and wheels. The gaps between the wires are background."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
from mathutils import Matrix

from training.studio.products.order import Order
from training.studio.shapes import Material, Thing, ball, lathe, ring, smooth, wire
from training.studio.surfaces import glass, metal, solid


def wirework(order: Order) -> list[Thing]:
    """A basket, a mesh bin, a rack, a whisk, a cage, spectacles or a wheel."""
    chance = order.chance
    material = metal(chance, order.tone) if chance.random() < 0.6 else solid(chance, order.tone)
    makers: tuple[Callable[[random.Random, Material], list[Thing]], ...] = (
        _basket,
        _basket,
        _mesh_bin,
        _rack,
        _whisk,
        _cage,
        _spectacles,
        _wheel,
    )
    return chance.choice(makers)(chance, material)


def _basket(chance: random.Random, material: Material) -> list[Thing]:
    """Rings and ribs, round, oval or nearly square, with or without a handle."""
    low, high, tall = chance.uniform(0.25, 0.45), chance.uniform(0.4, 0.6), chance.uniform(0.3, 0.8)
    squash, thin = chance.uniform(0.6, 1.0), chance.uniform(0.006, 0.013)
    belly = chance.uniform(-0.05, 0.12)

    def girth(v: float) -> float:
        return low + (high - low) * v + belly * math.sin(math.pi * v)

    rings = [ring(girth(v), tall * v, squash=squash) for v in np.linspace(0, 1, chance.randint(3, 8))]
    count = chance.choice((10, 14, 20, 28))
    ribs = [
        [(girth(v) * math.cos(a), squash * girth(v) * math.sin(a), tall * v) for v in np.linspace(0, 1, 9)]
        for a in np.arange(count) * 2 * math.pi / count
    ]
    floor = [
        [(low * math.cos(a), s * squash * low * math.sin(a), 0) for s in (-1, 1)]
        for a in np.linspace(0.2, math.pi - 0.2, 9)
    ]
    parts = [wire(rings, thin * 1.4, material, closed=True), wire([*ribs, *floor], thin, material)]
    if chance.random() < 0.5:
        arch = [(high * math.cos(a), 0, tall + 0.8 * high * math.sin(a)) for a in np.linspace(0, math.pi, 24)]
        parts.append(wire([arch], thin * 1.8, material))
    return parts


def _mesh_bin(chance: random.Random, material: Material) -> list[Thing]:
    """A cylinder of crossed diagonal wires."""
    low, high, count, thin = (
        chance.uniform(0.28, 0.36),
        chance.uniform(0.34, 0.42),
        chance.randint(18, 34),
        chance.uniform(0.003, 0.006),
    )
    paths = []
    for start in range(count):
        for twist in (-1, 1):
            v = np.linspace(0, 1, 16)
            angle, radius = 2 * math.pi * start / count + twist * v * 1.6, low + (high - low) * v
            paths.append(np.column_stack([radius * np.cos(angle), radius * np.sin(angle), v * 0.95]))
    rims = wire([ring(low, 0.0), ring(high, 0.95)], 0.014, material, closed=True)
    return [wire(paths, thin, material, sides=1), rims]


def _rack(chance: random.Random, material: Material) -> list[Thing]:
    """A dish rack or a grid shelf: frames and many parallel bars."""
    wide, deep, tall, thin = (
        chance.uniform(0.7, 1.1),
        chance.uniform(0.4, 0.7),
        chance.uniform(0.2, 0.7),
        chance.uniform(0.006, 0.011),
    )
    x, y = wide / 2, deep / 2
    frames = [[(-x, -y, z), (x, -y, z), (x, y, z), (-x, y, z)] for z in (0.08, tall)]
    posts = [[(sx * x, sy * y, 0), (sx * x, sy * y, tall)] for sx in (-1, 1) for sy in (-1, 1)]
    bars = [[(t, -y, 0.08), (t, y, 0.08)] for t in np.linspace(-x, x, chance.randint(8, 22))]
    hoops = [
        [(t, -y, tall), (t, -y, 0.08), (t, y, 0.08), (t, y, tall)] for t in np.linspace(-x, x, chance.randint(3, 9))
    ]
    return [wire(frames, thin * 1.5, material, closed=True), wire([*posts, *bars, *hoops], thin, material)]


def _whisk(chance: random.Random, material: Material) -> list[Thing]:
    """Loops of wire in a handle, lying or upright."""
    loops, wide = chance.randint(4, 7), chance.uniform(0.10, 0.16)
    t = np.linspace(0, 1, 32)
    paths = []
    for number in range(loops):
        turn = math.pi * number / loops
        r, z = wide * np.sin(2 * math.pi * t) * np.sin(math.pi * t) ** 0.3, 0.45 + 0.55 * np.sin(math.pi * t) ** 0.8
        paths.append(np.column_stack([r * math.cos(turn), r * math.sin(turn), z]))
    grip = lathe(smooth([(0, 0), (0.03, 0.01), (0.035, 0.2), (0.025, 0.38), (0.02, 0.47), (0, 0.48)], 4), material)
    parts = [wire(paths, chance.uniform(0.005, 0.009), material), grip]
    if chance.random() < 0.7:
        for part in parts:
            part.rotation_euler = (0, math.pi / 2, 0)
    return parts


def _cage(chance: random.Random, material: Material) -> list[Thing]:
    """A lantern or bird cage, sometimes with a ball inside."""
    radius, count, thin = chance.uniform(0.28, 0.42), chance.choice((8, 12, 18, 26)), chance.uniform(0.005, 0.010)
    arch = smooth([(radius, 0), (radius, 0.55), (radius * 0.75, 0.8), (0.03, 0.95)], 8)
    ribs = [[(r * math.cos(a), r * math.sin(a), z) for r, z in arch] for a in np.arange(count) * 2 * math.pi / count]
    hoops = [ring(radius, z) for z in (0.0, 0.3, 0.55)]
    top = [(0.05 * math.cos(a), 0, 1.0 + 0.05 * math.sin(a)) for a in np.linspace(0, 2 * math.pi, 20)]
    parts = [
        wire(ribs, thin, material),
        wire(hoops, thin * 1.3, material, closed=True),
        wire([top], thin, material, closed=True),
    ]
    base = lathe([(0, -0.03), (radius * 1.03, -0.03), (radius * 1.03, 0), (0, 0)], material)
    if chance.random() < 0.5:
        parts.append(ball((0.12, 0.12, 0.14), (0, 0, 0.16), solid(chance)))
    return [*parts, base]


def _spectacles(chance: random.Random, material: Material) -> list[Thing]:
    """Two rims, a bridge, temples, and lenses that are product."""
    radius, squash, thin = chance.uniform(0.2, 0.26), chance.uniform(0.7, 1.0), chance.uniform(0.008, 0.02)
    gap = radius + 0.05
    rims = [
        [
            (side * gap + radius * math.cos(a), 0, radius * (1 + squash * math.sin(a)))
            for a in np.linspace(0, 2 * math.pi, 40, endpoint=False)
        ]
        for side in (-1, 1)
    ]
    bridge = smooth([(-0.06, 0, 1.25 * radius), (0, -0.01, 1.4 * radius), (0.06, 0, 1.25 * radius)])
    reach = gap + radius
    temples = [
        smooth(
            [
                (s * reach, 0, 1.2 * radius),
                (s * (reach + 0.02), 0.6, 1.2 * radius),
                (s * reach, 0.85, 1.15 * radius),
                (s * (reach - 0.03), 1.0, 0.8 * radius),
            ]
        )
        for s in (-1, 1)
    ]
    lens = glass((1, 1, 1) if chance.random() < 0.5 else (0.25, 0.2, 0.18))
    parts = [wire(rims, thin, material, closed=True), wire([bridge, *temples], thin, material)]
    for side in (-1, 1):
        disc = ball((radius, radius * squash, 0.008), (side * gap, 0, radius), lens)
        disc.rotation_euler.x = math.pi / 2
        parts.append(disc)
    return parts


def _wheel(chance: random.Random, material: Material) -> list[Thing]:
    """A spoked wheel with its tyre, or a fan guard."""
    count, thin = chance.choice((12, 20, 32)), chance.uniform(0.003, 0.006)

    def upright(circle: np.ndarray, depth: float = 0.0) -> np.ndarray:
        return np.column_stack([circle[:, 0], np.full(len(circle), depth), circle[:, 1] + 0.5])

    spokes = []
    for number in range(count):
        a, start = 2 * math.pi * number / count, 0.05 * (-1) ** number
        spokes.append(
            [
                (0.04 * math.cos(a + 1.2), start, 0.5 + 0.04 * math.sin(a + 1.2)),
                (0.44 * math.cos(a), 0, 0.5 + 0.44 * math.sin(a)),
            ]
        )
    parts = [wire(spokes, thin, material, sides=1), wire([upright(ring(0.44))], 0.012, material, closed=True)]
    if chance.random() < 0.6:
        parts.append(wire([upright(ring(0.475))], 0.025, solid(chance), closed=True))
    else:
        parts.append(wire([upright(ring(r)) for r in (0.15, 0.25, 0.35)], thin, material, closed=True))
    hub = lathe([(0, -0.06), (0.05, -0.06), (0.05, 0.06), (0, 0.06)], material)
    hub.matrix_basis = Matrix.Translation((0, 0, 0.5)) @ Matrix.Rotation(math.pi / 2, 4, "X")
    return [*parts, hub]
