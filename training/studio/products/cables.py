"""Cables with plugs, straps and belts with buckles."""

from __future__ import annotations

import math
import random

import numpy as np
from mathutils import Matrix, Vector

from training.studio.products.order import Order
from training.studio.shapes import Thing, box, loft, wire
from training.studio.surfaces import fabric, metal, solid


def cable(order: Order) -> list[Thing]:
    """A coiled cable with plugs, or a strap or belt with its buckle."""
    chance = order.chance
    return _strap(chance, order) if chance.random() < 0.45 else _coil(chance, order)


def _coil(chance: random.Random, order: Order) -> list[Thing]:
    """Wandering loops, with two ends that lead away."""
    turns, thick = chance.uniform(1.5, 5), chance.uniform(0.008, 0.022)
    t = np.linspace(0, 1, 260)
    angle = 2 * math.pi * turns * t
    radius = 0.36 + 0.05 * np.sin(angle * 0.37 + chance.uniform(0, 6)) + 0.02 * np.sin(angle * 1.3)
    stray = 0.5 * np.clip((t - 0.9) / 0.1, 0, 1) ** 1.5 - 0.2 * np.clip((0.06 - t) / 0.06, 0, 1)
    x, y = (radius + stray) * np.cos(angle), (radius + stray) * np.sin(angle) * chance.uniform(0.6, 1)
    z = thick + thick * 1.6 * turns * t * np.clip((1 - t) / 0.1, 0, 1)
    path = np.column_stack([x, y, z])
    rubber = solid(chance, order.tone)
    parts = [wire([path], thick, rubber)]
    for end, before in ((path[-1], path[-4]), (path[0], path[3])):
        plug = box((0.12, 0.055, 0.035), (0.05, 0, 0), rubber, bevel=0.012)
        pin = box((0.06, 0.04, 0.014), (0.13, 0, 0), metal(chance), bevel=0.002)
        turn = Vector(end - before).to_track_quat("X", "Z").to_matrix().to_4x4()
        for piece in (plug, pin):
            piece.matrix_basis = Matrix.Translation(np.add(end, (0, 0, 0.01))) @ turn @ piece.matrix_basis
        parts += [plug, pin]
    return parts


def _strap(chance: random.Random, order: Order) -> list[Thing]:
    """A band on its edge, rolled or winding, with a buckle."""
    wide, thick = chance.uniform(0.03, 0.09), 0.008
    t = np.linspace(0, 1, 160)
    if chance.random() < 0.5:
        angle, radius = 2 * math.pi * chance.uniform(1.5, 3.5) * t, 0.12 + 0.3 * t
        path = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.full_like(t, wide)])
    else:
        path = np.column_stack(
            [1.3 * (t - 0.5), 0.16 * np.sin(2 * math.pi * t * chance.uniform(0.7, 1.8)), np.full_like(t, wide)]
        )
    material = fabric(chance, order.tone) if chance.random() < 0.3 else solid(chance, order.tone)
    strap = loft(path, [(wide, thick)] * len(path), material, across=(0, 0, 1), sides=12)
    frame = [(0, -wide * 1.3, 0), (wide * 1.6, -wide * 1.3, 0), (wide * 1.6, wide * 1.3, 0), (0, wide * 1.3, 0)]
    buckle = wire([frame], 0.011, metal(chance), closed=True)
    turn = Vector(path[-1] - path[-3]).to_track_quat("X", "Z").to_matrix().to_4x4()
    buckle.matrix_basis = Matrix.Translation(path[-1]) @ turn @ Matrix.Rotation(math.pi / 2, 4, "X")
    return [strap, buckle]
