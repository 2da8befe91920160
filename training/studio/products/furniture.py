"""Thin-legged furniture: chairs, stools, tables, lamps, shelves; and plants in pots."""

from __future__ import annotations

import math
import random

import numpy as np

from training.studio.plan import paint
from training.studio.products.order import Order
from training.studio.shapes import Material, Thing, ball, box, grid, lathe, loft, mesh, smooth, wire
from training.studio.surfaces import Surface, any_solid, fabric, metal, shade, solid, speckled


def furniture(order: Order) -> list[Thing]:
    """One piece."""
    return order.chance.choice((_chair, _chair, _stool, _table, _lamp, _shelf, _plant))(order)


def _frame(order: Order) -> Material:
    return order.chance.choice((solid, speckled, metal))(order.chance, order.tone)


def _legs(chance: random.Random, corners: list[tuple[float, float]], top: float, material: Material) -> list[Thing]:
    """Legs that splay and taper, sometimes with rails between them."""
    splay, thick = chance.uniform(1.0, 1.35), chance.uniform(0.009, 0.024)
    round_legs = chance.random() < 0.6
    parts = []
    for x, y in corners:
        foot, head = np.array([x * splay, y * splay, 0]), np.array([x, y, top])
        taper = [(thick * 0.6, thick * 0.6), (thick, thick)]
        parts.append(loft([foot, head], taper, material, across=(0.7, 0.7, 0.1), sides=12 if round_legs else 4))
    if chance.random() < 0.6:
        height = chance.uniform(0.2, 0.5)
        ends = [
            np.array([x * (splay + (1 - splay) * height), y * (splay + (1 - splay) * height), top * height])
            for x, y in corners
        ]
        parts.append(wire([[a, b] for a, b in zip(ends, ends[1:] + ends[:1], strict=True)], thick * 0.7, material))
    return parts


def _square(x: float, y: float) -> list[tuple[float, float]]:
    return [(-x, -y), (x, -y), (x, y), (-x, y)]


def _chair(order: Order) -> list[Thing]:
    """A seat, four legs, and a back of slats, spindles, a shell or a hoop."""
    chance, frame = order.chance, _frame(order)
    x, y, seat = chance.uniform(0.19, 0.25), chance.uniform(0.18, 0.24), chance.uniform(0.40, 0.48)
    cushion = fabric(chance, order.tone) if chance.random() < 0.4 else frame
    parts = [box((2.2 * x, 2.2 * y, chance.uniform(0.02, 0.07)), (0, 0, seat), cushion, bevel=0.02)]
    parts += _legs(chance, _square(x, y), seat, frame)
    top, lean, thin = chance.uniform(0.8, 1.05), chance.uniform(0.02, 0.12), chance.uniform(0.009, 0.017)

    def at(t: float, z: float) -> tuple[float, float, float]:
        return (t * x, y + lean * (z - seat) / (top - seat), z)

    how = chance.choice(("slats", "spindles", "hoop", "shell"))
    posts = [[at(s, seat), at(s, top)] for s in (-1, 1)]
    if how == "slats":
        slats = [[at(-1, z), at(1, z)] for z in np.linspace(seat + 0.15, top - 0.02, chance.randint(2, 5))]
        parts += [wire(posts, thin * 1.2, frame)] + [
            loft(slat, [(thin * 0.6, 0.03)] * 2, frame, across=(0, 1, 0), sides=8) for slat in slats
        ]
    elif how == "spindles":
        parts.append(
            wire(
                [
                    *posts,
                    *([at(t, seat), at(t, top)] for t in np.linspace(-0.8, 0.8, chance.randint(4, 9))),
                    [at(-1.05, top), at(1.05, top)],
                ],
                thin * 0.8,
                frame,
            )
        )
    elif how == "hoop":
        bow = smooth(
            [at(-1, seat), at(-1.05, top - 0.15), at(-0.6, top), at(0.6, top), at(1.05, top - 0.15), at(1, seat)], 8
        )
        parts.append(
            wire(
                [bow, *([at(t, seat), at(t, top - 0.01)] for t in np.linspace(-0.6, 0.6, chance.choice((1, 3, 5))))],
                thin,
                frame,
            )
        )
    else:
        parts += [box((2.1 * x, 0.03, 0.25), at(0, top - 0.12), cushion, bevel=0.014), wire(posts, thin, frame)]
    if chance.random() < 0.25:
        arms = [
            [(s * x * 1.1, -y * 0.8, seat), (s * x * 1.12, -y * 0.8, seat + 0.2), (s * x * 1.1, y, seat + 0.22)]
            for s in (-1, 1)
        ]
        parts.append(wire(arms, thin, frame))
    return parts


def _stool(order: Order) -> list[Thing]:
    """A round or square top on three or four legs."""
    chance, frame = order.chance, _frame(order)
    top, radius, count = chance.uniform(0.45, 0.9), chance.uniform(0.15, 0.22), chance.choice((3, 4))
    pad = chance.choice((any_solid, fabric))(chance, order.tone)
    thick = chance.uniform(0.02, 0.08)
    seat = lathe(smooth([(0, 0), (radius, 0), (radius * 1.05, thick / 2), (radius, thick), (0, thick * 1.02)], 5), pad)
    seat.location.z = top
    corners = [(0.8 * radius * math.cos(a), 0.8 * radius * math.sin(a)) for a in np.arange(count) * 2 * math.pi / count]
    return [seat, *_legs(chance, corners, top, frame)]


def _table(order: Order) -> list[Thing]:
    """A slab or a disc on legs or on a pedestal."""
    chance, frame = order.chance, _frame(order)
    top, x, y = chance.uniform(0.4, 0.75), chance.uniform(0.4, 0.7), chance.uniform(0.25, 0.5)
    board = any_solid(chance, order.tone)
    if chance.random() < 0.4:
        parts = [
            lathe([(0, top), (x * 0.9, top), (x * 0.92, top + 0.015), (x * 0.9, top + 0.03), (0, top + 0.03)], board)
        ]
    else:
        parts = [box((2 * x, 2 * y, 0.035), (0, 0, top + 0.017), board, bevel=0.008)]
    if chance.random() < 0.3:
        foot = smooth([(x * 0.55, 0.0), (x * 0.5, 0.015), (0.04, 0.03), (0.03, top * 0.5), (0.03, top)], 6)
        return [*parts, lathe([(0, 0), *foot], frame)]
    inset = chance.uniform(0.5, 0.62) if len(parts[0].data.vertices) > 8 else 0.88
    return [*parts, *_legs(chance, _square(x * inset, y * inset), top, frame)]


def _lamp(order: Order) -> list[Thing]:
    """A foot, a thin stem, straight or bent, and a shade."""
    chance, frame = order.chance, _frame(order)
    tall, thin = chance.uniform(0.7, 1.2), chance.uniform(0.007, 0.016)
    reach = chance.choice((0.0, 0.0, chance.uniform(0.15, 0.4)))
    stem = smooth(
        [(0, 0, 0), (0, 0, tall * 0.6), (reach * 0.3, 0, tall * 0.95), (reach, 0, tall * (1 if not reach else 0.98))],
        12,
    )
    foot = lathe([(0, 0), (0.15, 0), (0.15, 0.012), (0.02, 0.03), (0, 0.03)], frame)
    low, high, deep = chance.uniform(0.12, 0.22), chance.uniform(0.04, 0.15), chance.uniform(0.12, 0.24)
    hood = lathe([(low, 0), (high, deep), (high - 0.006, deep), (low - 0.006, 0)], any_solid(chance, order.tone))
    hood.location = (reach, 0, tall - deep * 0.8)
    bulb = ball((0.035,) * 3, (reach, 0, tall - deep * 0.5), solid(random.Random(2), (0.95, 0.93, 0.85)), rings=10)
    return [wire([stem], thin, frame), foot, hood, bulb]


def _shelf(order: Order) -> list[Thing]:
    """Boards in an open frame: the background shows through."""
    chance, frame = order.chance, _frame(order)
    x, y, tall, thin = (
        chance.uniform(0.2, 0.4),
        chance.uniform(0.1, 0.2),
        chance.uniform(0.7, 1.1),
        chance.uniform(0.008, 0.018),
    )
    board = any_solid(chance, order.tone)
    parts = [
        box((2 * x, 2 * y, 0.02), (0, 0, z), board, bevel=0.004)
        for z in np.linspace(0.08, tall - 0.02, chance.randint(2, 5))
    ]
    posts = [[(sx * x, sy * y, 0), (sx * x, sy * y, tall)] for sx in (-1, 1) for sy in (-1, 1)]
    if chance.random() < 0.4:
        posts += [[(-x, y, 0), (x, y, tall)], [(x, y, 0), (-x, y, tall)]]
    return [*parts, wire(posts, thin, frame)]


def _plant(order: Order) -> list[Thing]:
    """Blades or leaves on stems from a pot."""
    chance = order.chance
    pot = lathe([(0, 0), (0.13, 0), (0.17, 0.24), (0.155, 0.24), (0.15, 0.2), (0, 0.2)], any_solid(chance, order.tone))
    hue = (chance.uniform(0.1, 0.35), chance.uniform(0.3, 0.55), chance.uniform(0.08, 0.3))
    s = Surface()
    green = s.finish(s.blend(s.between(s.noise(6), 0.4, 0.6), hue, shade(hue, 0.6)), 0.45)
    width = chance.choice((0.012, 0.03, 0.07))
    leaves = [
        _leaf(chance, width, green) for _ in range(chance.randint(12, 45) if width < 0.05 else chance.randint(6, 16))
    ]
    return [pot, *leaves] if chance.random() < 0.9 else [pot, *leaves, *_blossoms(chance)]


def _leaf(chance: random.Random, width: float, material: Material) -> Thing:
    """A blade that rises, widens and droops."""
    away, length, droop = chance.uniform(0, 2 * math.pi), chance.uniform(0.35, 0.85), chance.uniform(0.1, 1.1)
    t = np.linspace(0, 1, 14)
    out, up = length * (0.15 * t + 0.55 * droop * t**2), 0.2 + length * (t - 0.45 * droop * t**2.5)
    half = width * np.sin(math.pi * np.clip(t * 0.95 + 0.04, 0, 1)) ** 0.8 * np.clip((t - 0.25) * 4, 0.12, 1)
    side = np.array([-math.sin(away), math.cos(away), 0])
    spine = np.column_stack([out * math.cos(away), out * math.sin(away), up])
    fold = np.array([0, 0, 0.35])
    points = np.stack([spine + half[:, None] * (side * s + fold * abs(s)) for s in (-1, 0, 1)], 1)
    return mesh(points.reshape(-1, 3), grid(13, 2), material)


def _blossoms(chance: random.Random) -> list[Thing]:
    petal = solid(chance, paint(chance))
    return [
        ball(
            (0.05, 0.05, 0.04), (chance.gauss(0, 0.12), chance.gauss(0, 0.12), chance.uniform(0.6, 0.9)), petal, rings=8
        )
        for _ in range(6)
    ]
