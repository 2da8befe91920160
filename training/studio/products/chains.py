"""Chains and jewellery: links, beads, pendants and rings, lying or hanging."""

from __future__ import annotations

import math
import random

import numpy as np
from mathutils import Matrix, Vector

from training.studio.products.order import Order
from training.studio.shapes import Material, Thing, ball, link, ring, wire
from training.studio.surfaces import glass, metal, solid


def chain(order: Order) -> list[Thing]:
    """A necklace, a bracelet, a heap of chain, a string of beads, or rings."""
    chance = order.chance
    material = metal(chance, order.tone if chance.random() < 0.5 else None)
    if order.pose == "lay" and chance.random() < 0.25:
        return _rings(chance, material)
    path = _hanging(chance) if order.pose == "hang" else _lying(chance)
    size = chance.uniform(0.012, 0.035)
    parts = _beads(chance, path, size) if chance.random() < 0.3 else _links(path, size, material)
    if chance.random() < 0.6:
        parts += _pendant(chance, path, material, flat=order.pose == "lay")
    return parts


def _hanging(chance: random.Random) -> np.ndarray:
    """A catenary between two points, open at the back, as on a neck."""
    x = np.linspace(-1, 1, 120)
    drop, wide = chance.uniform(0.5, 1.0), chance.uniform(0.2, 0.4)
    return np.column_stack(
        [wide * x, -0.02 * (1 - x**2), drop * (np.cosh(1.5 * x) - math.cosh(1.5)) / (math.cosh(1.5) - 1)]
    )


def _lying(chance: random.Random) -> np.ndarray:
    """A closed loop or an open, wandering line on the ground."""
    turn = np.linspace(0, 2 * math.pi, 200)
    radius = 0.42 + sum(chance.uniform(-0.09, 0.09) / k * np.cos(k * turn + chance.uniform(0, 6)) for k in (2, 3, 4, 5))
    reach = chance.choice((1.0, 1.0, chance.uniform(1.2, 1.7)))
    return np.column_stack(
        [
            radius * np.cos(turn * reach),
            chance.uniform(0.5, 1) * radius * np.sin(turn * reach),
            0.012 * turn * (reach > 1),
        ]
    )


def _along(path: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Points at every `step` of length, and directions."""
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    at = np.arange(0, length[-1], step)[:400]
    points = np.column_stack([np.interp(at, length, axis) for axis in path.T])
    ways = np.gradient(points, axis=0)
    return points, ways / np.linalg.norm(ways, axis=1, keepdims=True)


def _links(path: np.ndarray, size: float, material: Material) -> list[Thing]:
    """Links that share one mesh, every second one rotated by a right angle."""
    oval = ring(size, squash=0.62, count=20)
    first = wire([oval], size * 0.2, material, closed=True, sides=1)
    parts = []
    for number, (point, way) in enumerate(zip(*_along(path, size * 1.45), strict=True)):
        part = first if not number else link("link", first.data)
        along = Vector(way).to_track_quat("X", "Z").to_matrix().to_4x4()
        tilt = 0.5 if number % 2 else -0.9
        part.matrix_basis = Matrix.Translation(point) @ along @ Matrix.Rotation(tilt, 4, "X")
        parts.append(part)
    return parts


def _beads(chance: random.Random, path: np.ndarray, size: float) -> list[Thing]:
    """Pearls or stones on a thread."""
    looks = [
        solid(chance) if chance.random() < 0.7 else glass((0.6, 0.75, 0.9)) for _ in range(chance.choice((1, 1, 3)))
    ]
    pearls = [ball((1, 1, 1), (0, 0, 0), look, rings=10) for look in looks]
    parts = [wire([path], size * 0.12, looks[0], sides=1)]
    for number, (point, _) in enumerate(zip(*_along(path, size * 2), strict=True)):
        part = pearls[number] if number < len(pearls) else link("bead", pearls[number % len(pearls)].data)
        part.matrix_basis = Matrix.Translation(point) @ Matrix.Scale(size, 4)
        parts.append(part)
    return parts


def _pendant(chance: random.Random, path: np.ndarray, material: Material, *, flat: bool) -> list[Thing]:
    lowest = path[np.argmin(path[:, 1])] if flat else path[np.argmin(path[:, 2])]
    size = chance.uniform(0.04, 0.1)
    away = np.array([0, -size, 0]) if flat else np.array([0, 0, -size])
    shape = chance.choice(("drop", "ring", "disc"))
    if shape == "ring":
        part = wire([ring(size, count=32)], size * 0.15, material, closed=True)
    else:
        part = ball(
            (size * 0.8, size, size * (0.15 if shape == "disc" else 0.5)),
            (0, 0, 0),
            material if chance.random() < 0.5 else glass((0.5, 0.1, 0.2)),
        )
    part.matrix_basis = (
        Matrix.Translation(lowest + away)
        @ (Matrix() if flat else Matrix.Rotation(math.pi / 2, 4, "X"))
        @ part.matrix_basis
    )
    return [part]


def _rings(chance: random.Random, material: Material) -> list[Thing]:
    """One to three finger rings or earrings, standing or lying, some with a stone."""
    parts: list[Thing] = []
    for number in range(chance.randint(1, 3)):
        thin = chance.uniform(0.02, 0.05)
        band = wire([ring(0.28, count=64)], thin, material, closed=True, sides=3)
        pieces = [band]
        if chance.random() < 0.6:
            stone = ball(
                (0.09, 0.09, 0.07),
                (0, 0.34, 0),
                glass((0.9, 0.95, 1.0)) if chance.random() < 0.6 else solid(chance),
                rings=6,
            )
            stone.data.shade_flat()
            pieces.append(stone)
        up = Matrix.Rotation(math.pi / 2, 4, "X") if chance.random() < 0.6 else Matrix.Translation((0, 0, thin))
        lift = (
            Matrix.Translation((0.75 * number, chance.uniform(-0.2, 0.2), 0.28 + thin))
            if up.translation.z == 0
            else Matrix.Translation((0.75 * number, 0, 0))
        )
        for piece in pieces:
            piece.matrix_basis = lift @ up @ piece.matrix_basis
        parts += pieces
    return parts
