"""Scanned household goods."""

from __future__ import annotations

import math

import bpy
from mathutils import Matrix

from training.studio.assets import choose
from training.studio.products.order import Order
from training.studio.shapes import Thing, cloud, place
from training.studio.surfaces import Surface


def scan(order: Order) -> list[Thing]:
    """One scan, with the gloss of plastic or of card, scaled to one unit."""
    path = choose(order.assets.scans, order.chance.random())
    bpy.ops.wm.obj_import(filepath=str(path), forward_axis="Y", up_axis="Z")
    (thing,) = bpy.context.selected_objects
    thing.data.shade_smooth()
    s = Surface()
    skin = s.picture(bpy.data.images.load(str(path.with_name("texture_map.jpg"))))
    thing.data.materials[0] = s.finish(skin, order.chance.uniform(0.25, 0.9))
    if order.pose == "lay":
        thing.rotation_euler = (math.pi / 2 * order.chance.choice((-1, 1)), 0, 0)
    points = cloud([thing])
    low, high = points.min(0), points.max(0)
    middle = (low + high) / 2
    place([thing], Matrix.Scale(1 / (high - low).max(), 4) @ Matrix.Translation([-c for c in middle]))
    return [thing]
