"""Build a plan: the products, the background and the floor, the lights and the camera."""

from __future__ import annotations

import math
import random

import bpy
import numpy as np
from mathutils import Matrix

from training.studio.assets import Assets
from training.studio.backdrop import put_up
from training.studio.camera import point_camera
from training.studio.lights import softboxes, surround
from training.studio.plan import Backdrop, Item, Scene
from training.studio.products.book import BUILDERS
from training.studio.products.order import Order
from training.studio.shapes import Thing, cloud, place


def build(scene: Scene, assets: Assets) -> list[Thing]:
    """Build all parts of a plan in an empty Blender file, and return the parts of the products."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    chance = random.Random(scene.seed + 1)
    product = _arrange(scene, assets, chance)
    points = cloud(product)
    if not np.isfinite(points).all():
        raise ValueError("a product has points at infinity")
    centre = (points.min(0) + points.max(0)) / 2
    radius = float(np.linalg.norm(points - centre, axis=1).max())
    hung = scene.items[0].pose == "hang"
    surround(scene, assets)
    softboxes(scene.light, centre, radius)
    put_up(scene.backdrop, assets, centre, radius, hung=hung)
    _distractors(scene.backdrop, assets, centre, radius, chance)
    point_camera(scene.lens, points, centre, radius, chance)
    return product


def _arrange(scene: Scene, assets: Assets, chance: random.Random) -> list[Thing]:
    """Stand the products on z = 0, rotated at random; those of a set next to each other without overlap."""
    product: list[Thing] = []
    taken: list[tuple[float, float, float]] = []
    for item in scene.items:
        size = 1.0 if len(scene.items) == 1 else chance.uniform(0.5, 1.0)
        parts = _stood(item, assets, size, chance)
        reach = float(np.linalg.norm(cloud(parts)[:, :2], axis=1).max())
        x, y = _free_spot(taken, reach, chance)
        taken.append((x, y, reach))
        _move(parts, Matrix.Translation((x, y, 0)))
        product += parts
    return product


def _stood(item: Item, assets: Assets, size: float, chance: random.Random) -> list[Thing]:
    parts = BUILDERS[item.kind](Order.of(item, assets))
    turn = chance.uniform(-0.5, 0.5) if item.pose == "hang" else chance.uniform(-math.pi, math.pi)
    place(parts, Matrix.Scale(size, 4) @ Matrix.Rotation(turn, 4, "Z"))
    points = cloud(parts)
    middle = (points.min(0) + points.max(0)) / 2
    _move(parts, Matrix.Translation((-middle[0], -middle[1], -points[:, 2].min())))
    return parts


def _move(parts: list[Thing], matrix: Matrix) -> None:
    """Move objects that already have a place."""
    for part in parts:
        part.matrix_world = matrix @ part.matrix_world
    bpy.context.view_layer.update()


def _free_spot(taken: list[tuple[float, float, float]], reach: float, chance: random.Random) -> tuple[float, float]:
    """The first free spot, going outwards in random directions, that touches no other circle."""
    if not taken:
        return (0.0, 0.0)
    for step in range(400):
        angle, far = chance.uniform(0, 2 * math.pi), step * 0.01
        x, y = far * math.cos(angle) * 1.3, far * math.sin(angle) * 0.7
        if all(math.hypot(x - tx, y - ty) > 0.95 * (reach + other) for tx, ty, other in taken):
            return (x, y)
    return (4.0, 0.0)


def _distractors(backdrop: Backdrop, assets: Assets, centre: np.ndarray, radius: float, chance: random.Random) -> None:
    """Objects far behind, out of focus: part of the picture, not of the product."""
    for _ in range(backdrop.distractors):
        item = Item(chance.choice(("vessel", "pack", "scan", "furniture")), chance.getrandbits(32), "stand")
        parts = _stood(item, assets, radius * chance.uniform(0.6, 1.6), chance)
        spot = (
            chance.uniform(-4, 4) * radius,
            radius * (max(backdrop.distance, 5) - 0.7) * chance.uniform(0.85, 0.95),
            0,
        )
        _move(parts, Matrix.Translation(spot))
