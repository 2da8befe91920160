"""Textiles: towels on pegs, shirts, scarves and throws over a stool, folded stacks, bags."""

from __future__ import annotations

import math
import random

import bmesh
import numpy as np

from training.studio.drape import Support, settle
from training.studio.products.order import Order
from training.studio.shapes import Material, Thing, box, grid, loft, mesh, smooth, wire
from training.studio.surfaces import fabric, solid

ROWS, COLUMNS = 64, 52


def cloth(order: Order) -> list[Thing]:
    """A textile, presented as ordered."""
    makers = {
        "hang": (_hung, _hung, _shirt, _shirt, _bag),
        "lay": (_spread, _spread, _shirt, _shirt, _crumpled),
        "stand": (_draped, _folded, _bag),
    }[order.pose]
    return order.chance.choice(makers)(order)


def _sheet(points: np.ndarray, material: Material, *, keep: np.ndarray | None = None, thick: float = 0.008) -> Thing:
    """A cloth of points (R, C, 3) with UVs and thickness; `keep` (R-1, C-1) bool cuts a shape out of it."""
    rows, columns = points.shape[0] - 1, points.shape[1] - 1
    faces = grid(rows, columns)
    if keep is not None:
        faces = faces[keep.ravel()]
    thing = mesh(points.reshape(-1, 3), faces, material)
    corner = np.array([loop.vertex_index for loop in thing.data.loops])
    uv = np.column_stack([corner % (columns + 1) / columns, corner // (columns + 1) / rows])
    thing.data.uv_layers.new().data.foreach_set("uv", uv.ravel().astype(np.float32))
    if keep is not None:
        _trim(thing)
    solidify = thing.modifiers.new("thick", "SOLIDIFY")
    solidify.thickness, solidify.offset = thick, 0.0
    soft = thing.modifiers.new("soft", "SUBSURF")
    soft.levels = soft.render_levels = 1
    return thing


def _trim(thing: Thing) -> None:
    """Remove the points left over by the cut, and smooth the steps in its edge."""
    work = bmesh.new()
    work.from_mesh(thing.data)
    bmesh.ops.delete(work, geom=[v for v in work.verts if not v.link_faces], context="VERTS")
    edge = [v for v in work.verts if v.is_boundary]
    for _ in range(6):
        bmesh.ops.smooth_vert(work, verts=edge, factor=0.5, use_axis_x=True, use_axis_y=True, use_axis_z=True)
    work.to_mesh(thing.data)
    work.free()


def _noise(chance: random.Random, shape: tuple[int, int], waves: int, high: float = 12.0) -> np.ndarray:
    """Smooth random relief (R, C) of about unit size: crossing waves, sharpened to creases."""
    v, u = np.meshgrid(np.linspace(0, 1, shape[0]), np.linspace(0, 1, shape[1]), indexing="ij")
    total = np.zeros(shape)
    for _ in range(waves):
        pace, way, start = chance.uniform(1, high), chance.uniform(0, math.pi), chance.uniform(0, 6)
        warp = 0.15 * np.sin(5 * u + start) + 0.15 * np.sin(4 * v - start)
        total += (1 - 2 * np.abs(np.sin(pace * (u * math.cos(way) + v * math.sin(way) + warp) + start))) / pace**0.7
    return total / np.abs(total).max()


def _hung(order: Order) -> list[Thing]:
    """A towel or scarf from two to four pegs with slack between them."""
    chance = order.chance
    wide, tall, pegs = chance.uniform(0.35, 0.9), chance.uniform(0.7, 1.1), chance.randint(2, 4)
    v, u = np.meshgrid(np.linspace(0, 1, ROWS), np.linspace(-0.5, 0.5, COLUMNS), indexing="ij")
    flat = np.stack([wide * u, 0.02 * _noise(chance, u.shape, 6), -tall * v], -1)
    pinned = np.zeros(u.shape, bool)
    at = [round(t * (COLUMNS - 1)) for t in np.linspace(0, 1, pegs)]
    pinned[0, at] = True
    start = flat.copy()
    start[..., 0] *= chance.uniform(0.7, 0.95)  # the pegs are closer than the cloth is wide: the slack makes the folds
    start[..., 1] += 0.03 * np.sin(u * chance.uniform(20, 50))
    return [_sheet(_relax(flat, start, pinned, Support(), 90), fabric(chance, order.tone))]


def _relax(flat: np.ndarray, start: np.ndarray, pinned: np.ndarray, support: Support, steps: int) -> np.ndarray:
    """Settle from a start with too large lengths: those of a pinched grid, scaled back."""
    stretch = np.abs(flat[0, -1, 0] - flat[0, 0, 0]) / np.abs(start[0, -1, 0] - start[0, 0, 0])
    wavy = start.copy()
    wavy[..., 1] *= stretch
    return settle(wavy, pinned, support, steps=steps)


def _shirt(order: Order) -> list[Thing]:
    """A T-shirt or pullover, front and back, hung or laid out, with creases."""
    chance = order.chance
    sleeve, body = chance.uniform(0.16, 0.42), chance.uniform(0.24, 0.32)
    rows, columns = 72, 96
    v, u = np.meshgrid(np.linspace(0, 1, rows), np.linspace(-0.75, 0.75, columns), indexing="ij")
    mid_v, mid_u = (v[1:, 1:] + v[:-1, :-1]) / 2, np.abs(u[1:, 1:] + u[:-1, :-1]) / 2
    shoulder = 0.02 + 0.22 * np.clip(mid_u - 0.09, 0, 1)
    trunk = (mid_u < body + 0.02 * np.sin(6 * mid_v)) & (mid_v > shoulder)
    arm_drop = 0.9 * (mid_u - body) + 0.05
    arms = (
        (mid_u >= body)
        & (mid_u < body + sleeve)
        & (mid_v > arm_drop)
        & (mid_v < arm_drop + 0.24 - 0.12 * (mid_u - body))
    )
    neck = (mid_u / 0.10) ** 2 + ((mid_v - 0.02) / chance.uniform(0.07, 0.13)) ** 2 < 1
    relief = _noise(chance, u.shape, 10, 16)
    hollow = np.clip((body + 0.1 - np.abs(u)) * 6, 0, 1)
    material = fabric(chance, order.tone)
    parts = []
    for side in (-1, 1):
        deep = side * (0.006 + 0.045 * hollow * np.clip(v * 3, 0, 1)) + chance.uniform(0.012, 0.03) * relief
        points = np.stack([u + 0.012 * np.roll(relief, 9, 1), deep, -v + 0.012 * np.roll(relief, 5, 0)], -1)
        keep = (trunk | arms) & ~(neck if side < 0 else (mid_u / 0.10) ** 2 + (mid_v / 0.035) ** 2 < 1)
        parts.append(_sheet(points, material, keep=keep, thick=0.006))
    return _flat(parts, order, chance)


def _flat(parts: list[Thing], order: Order, chance: random.Random) -> list[Thing]:
    """Lay upright parts on their backs."""
    if order.pose == "lay":
        for part in parts:
            part.rotation_euler = (-math.pi / 2, 0, 0)
            part.scale.y = chance.uniform(0.5, 1.0)
    return parts


def _spread(order: Order) -> list[Thing]:
    """A towel or mat laid out, slightly uneven, with slightly curved edges, perhaps with fringes."""
    chance = order.chance
    wide, tall = chance.uniform(0.4, 1.0), chance.uniform(0.6, 1.1)
    v, u = np.meshgrid(np.linspace(-0.5, 0.5, ROWS), np.linspace(-0.5, 0.5, COLUMNS), indexing="ij")
    relief = _noise(chance, u.shape, 8)
    warp = 0.03 * np.sin(4 * v + chance.uniform(0, 6))
    points = np.stack([wide * u + warp + 0.01 * relief, tall * v + 0.02 * np.sin(5 * u), 0.03 + 0.025 * relief], -1)
    parts = [_sheet(points, fabric(chance, order.tone))]
    if chance.random() < 0.4:
        strands = []
        for row, way in ((0, -1), (-1, 1)):
            for x, y, z in points[row]:
                for _ in range(2):
                    bend = chance.gauss(0, 0.015)
                    strands.append(
                        [(x, y, z), (x + bend, y + way * 0.03, z * 0.6), (x + 2 * bend, y + way * 0.06, 0.004)]
                    )
        parts.append(wire(strands, 0.003, solid(chance, order.tone), sides=0))
    return parts


def _crumpled(order: Order) -> list[Thing]:
    """A cloth dropped on a low drum, from which it slid off."""
    chance = order.chance
    return [_fallen(chance, 0.9, (0.16, 0.10), fabric(chance, order.tone), hang=0.6)]


def _draped(order: Order) -> list[Thing]:
    """A throw over a round stool."""
    chance = order.chance
    radius, top = chance.uniform(0.22, 0.34), chance.uniform(0.4, 0.8)
    return [_fallen(chance, chance.uniform(1.0, 1.4), (radius, top), fabric(chance, order.tone), hang=1.0)]


def _fallen(chance: random.Random, wide: float, drum: tuple[float, float], material: Material, *, hang: float) -> Thing:
    v, u = np.meshgrid(np.linspace(-0.5, 0.5, 56), np.linspace(-0.5, 0.5, 56), indexing="ij")
    turn = chance.uniform(0, math.pi / 2)
    x, y = u * math.cos(turn) - v * math.sin(turn), u * math.sin(turn) + v * math.cos(turn)
    lift = drum[1] + 0.02 + 0.004 * _noise(chance, u.shape, 5)
    start = np.stack([wide * x + chance.gauss(0, 0.05), wide * y + chance.gauss(0, 0.05), lift], -1)
    settled = settle(start, np.zeros(u.shape, bool), Support(floor=0.006, drum=drum), steps=round(110 * hang))
    return _sheet(settled, material, thick=0.01)


def _folded(order: Order) -> list[Thing]:
    """A stack of folded towels: rounded slabs with a fold at the front."""
    chance = order.chance
    material, parts, height = fabric(chance, order.tone), [], 0.0
    for _ in range(chance.randint(1, 5)):
        if chance.random() < 0.5:
            material = fabric(chance, order.tone)
        thick = chance.uniform(0.05, 0.09)
        for layer in range(2):
            z = height + thick * (layer + 0.5)
            slab = box(
                (0.8, 0.55, thick),
                (chance.gauss(0, 0.01), chance.gauss(0, 0.01), z),
                material,
                bevel=thick * 0.48,
                segments=4,
            )
            slab.rotation_euler.z = chance.gauss(0, 0.02)
            parts.append(slab)
        height += 2 * thick * 0.97
    return parts


def _bag(order: Order) -> list[Thing]:
    """A tote bag with two handles; the loops are open."""
    chance = order.chance
    wide, tall = chance.uniform(0.5, 0.8), chance.uniform(0.5, 0.75)
    material = fabric(chance, order.tone) if chance.random() < 0.6 else solid(chance, order.tone)
    v, u = np.meshgrid(np.linspace(0, 1, 36), np.linspace(-1, 1, 36), indexing="ij")
    relief = _noise(chance, u.shape, 7)
    parts = []
    for side in (-1, 1):
        deep = side * (0.01 + chance.uniform(0.06, 0.14) * (1 - u**4) * (1 - 0.6 * v)) + 0.015 * relief * (1 - u**6)
        points = np.stack([wide / 2 * u * (1 + 0.05 * v), deep, tall * v + 0.01 * relief * v], -1)
        parts.append(_sheet(points, material))
        grip, rise = wide * chance.uniform(0.18, 0.3), chance.uniform(0.2, 0.4)
        arch = smooth(
            [
                (-grip, side * 0.05, tall * 0.9),
                (-grip * 0.9, side * 0.06, tall + rise * 0.7),
                (0, side * 0.07, tall + rise),
                (grip * 0.9, side * 0.06, tall + rise * 0.7),
                (grip, side * 0.05, tall * 0.9),
            ],
            10,
        )
        parts.append(loft(arch, [(0.006, 0.025)] * len(arch), material, across=(0, 1, 0), sides=10))
    return _flat(parts, order, chance)
