"""The camera: the framing sets its distance, lens shift moves it off centre, and the blur sets its aperture."""

from __future__ import annotations

import math
import random

import bpy
import numpy as np
from mathutils import Vector

from training.studio.plan import Lens
from training.studio.shapes import Thing, aim, link

SENSOR_MM = 36.0


def point_camera(lens: Lens, points: np.ndarray, centre: np.ndarray, radius: float, chance: random.Random) -> None:
    """Look at the products from the front, at the framing's distance; the lens shift moves them off centre."""
    data = bpy.data.cameras.new("camera")
    data.lens, data.sensor_width, data.clip_start, data.clip_end = lens.focal_mm, SENSOR_MM, 0.01, 1000
    body = link("camera", data)
    bpy.context.scene.camera = body
    e, a = math.radians(lens.elevation_degrees), chance.gauss(0, 0.12)
    way = Vector((math.sin(a) * math.cos(e), -math.cos(a) * math.cos(e), math.sin(e)))
    frame = np.array([min(1, lens.aspect), min(1, 1 / lens.aspect)])  # of the long side, equal to the sensor's width
    distance = max(1.6 * radius, 2 * radius * lens.focal_mm / SENSOR_MM)
    for _ in range(5):
        low, high = _extent(body, Vector(centre) + way * distance, centre, points)
        distance = max(1.35 * radius, distance * float(((high - low) / frame).max()) / lens.fill)
    low, high = _extent(body, Vector(centre) + way * distance, centre, points)
    room = np.abs(frame - (high - low)) / 2 + (0.12 if lens.fill > 1 else 0)
    shift = (low + high) / 2 - np.clip(lens.offset, -1, 1) * room
    data.shift_x, data.shift_y = (float(c) for c in shift)
    if lens.blur:
        _open_up(data.dof, lens, distance, radius)


def _extent(body: Thing, place: Vector, centre: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points' extent, (low, high) of (x, y) in frame widths, seen from a place towards the centre."""
    body.location = place
    aim(body, centre)
    bpy.context.view_layer.update()
    view = np.asarray(body.matrix_world.inverted())
    seen = points @ view[:3, :3].T + view[:3, 3]
    flat = seen[:, :2] / np.maximum(-seen[:, 2:], 0.02) * body.data.lens / SENSOR_MM
    return flat.min(0), flat.max(0)


def _open_up(dof: bpy.types.CameraDOFSettings, lens: Lens, distance: float, radius: float) -> None:
    """Choose the aperture for the requested blur, one radius behind the focus (thin lens, one unit as one metre)."""
    focus = max(distance - 0.4 * radius, 0.5 * distance)
    focal = lens.focal_mm / 1000
    circle = lens.blur * SENSOR_MM / 1000
    dof.use_dof, dof.focus_distance = True, focus
    dof.aperture_fstop = max(0.001, focal**2 * radius / (circle * (focus + radius) * max(focus - focal, 1e-3)))
