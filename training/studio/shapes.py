"""Meshes and curves for the products, which are about one unit tall. They are coarse, since the pictures are small."""

from __future__ import annotations

import math
from collections.abc import Sequence

import bmesh
import bpy
import numpy as np
from mathutils import Matrix, Vector

Material = bpy.types.Material
Thing = bpy.types.Object


def link(name: str, data: bpy.types.ID | None) -> Thing:
    """Make an object from mesh, curve, light or camera data."""
    thing = bpy.data.objects.new(name, data)
    bpy.context.collection.objects.link(thing)
    return thing


def mesh(vertices: Sequence, faces: Sequence, material: Material | None, *, flat: bool = False) -> Thing:
    """Make a mesh object, smooth-shaded unless `flat`."""
    data = bpy.data.meshes.new("mesh")
    data.from_pydata(np.asarray(vertices, np.float32), [], np.asarray(faces))
    data.update()
    if not flat:
        data.shade_smooth()
    if material:
        data.materials.append(material)
    return link("mesh", data)


def grid(rows: int, columns: int, *, closed: bool = False) -> np.ndarray:
    """Faces (rows * columns, 4) of a sheet of vertices row by row; `closed` joins the last column to the first."""
    step = columns if closed else columns + 1
    row, column = np.mgrid[0:rows, 0:columns]
    near, far = row * step + column, row * step + (column + 1) % step
    return np.stack([near, far, far + step, near + step], -1).reshape(-1, 4)


def lathe(outline: Sequence[Sequence[float]], material: Material | None, *, sides: int = 72) -> Thing:
    """Rotate an outline of (radius, height), outside first from the bottom up, about the z axis."""
    outline = np.maximum(np.asarray(outline, float), (1e-4, -1e9))
    angles = np.arange(sides) * 2 * math.pi / sides
    radius, height = outline[:, :1], outline[:, 1:]
    points = np.stack(
        [radius * np.cos(angles), radius * np.sin(angles), np.broadcast_to(height, (len(outline), sides))], -1
    )
    return mesh(points.reshape(-1, 3), grid(len(outline) - 1, sides, closed=True), material)


def loft(
    path: Sequence, radii: Sequence[tuple[float, float]], material: Material | None, *, across=(0, 1, 0), sides=20
) -> Thing:
    """Sweep an ellipse along a path; each of `radii` is (along `across`, at right angles to it)."""
    path, radii = np.asarray(path, float), np.asarray(radii, float)
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    u = np.asarray(across, float) - along * (along @ np.asarray(across, float))[:, None]
    u /= np.linalg.norm(u, axis=1, keepdims=True) + 1e-9
    v = np.cross(along, u)
    angles = np.arange(sides) * 2 * math.pi / sides
    points = (
        path[:, None]
        + (radii[:, :1] * np.cos(angles))[..., None] * u[:, None]
        + (radii[:, 1:] * np.sin(angles))[..., None] * v[:, None]
    )
    last = (len(path) - 1) * sides
    thing = mesh(points.reshape(-1, 3), grid(len(path) - 1, sides, closed=True), material)
    _cap(thing, (range(sides), range(last, last + sides)))
    return thing


def _cap(thing: Thing, rings: tuple[range, range]) -> None:
    work = bmesh.new()
    work.from_mesh(thing.data)
    work.verts.ensure_lookup_table()
    for ring in rings:
        work.faces.new([work.verts[i] for i in ring])
    bmesh.ops.recalc_face_normals(work, faces=work.faces)
    work.to_mesh(thing.data)
    work.free()


def wire(
    paths: Sequence[Sequence], radius: float, material: Material | None, *, closed: bool = False, sides: int = 2
) -> Thing:
    """Round wire along each of the paths, as one object; 4 + 2 * `sides` corners."""
    curve = bpy.data.curves.new("wire", "CURVE")
    curve.dimensions, curve.bevel_depth, curve.bevel_resolution, curve.use_fill_caps = "3D", radius, sides, True
    for path in paths:
        spline = curve.splines.new("POLY")
        spline.points.add(len(path) - 1)
        spline.points.foreach_set("co", np.column_stack([np.asarray(path, float), np.ones(len(path))]).ravel())
        spline.use_cyclic_u = closed
        spline.use_smooth = True
    if material:
        curve.materials.append(material)
    return link("wire", curve)


def ring(radius: float, height: float = 0.0, *, count: int = 48, squash: float = 1.0) -> np.ndarray:
    """Points (count, 3) of a level circle; the caller closes it."""
    angles = np.arange(count) * 2 * math.pi / count
    return np.stack([radius * np.cos(angles), squash * radius * np.sin(angles), np.full(count, height)], -1)


def box(
    size: Sequence[float], at: Sequence[float], material: Material | None, *, bevel: float = 0.01, segments: int = 3
) -> Thing:
    """A box centred `at`, with UVs that show a whole print on each side."""
    half = np.asarray(size, float) / 2
    corners = [(sx, sy, sz) for sx in (-1, 1) for sy in (-1, 1) for sz in (-1, 1)]
    faces = [(0, 4, 5, 1), (4, 6, 7, 5), (6, 2, 3, 7), (2, 0, 1, 3), (1, 5, 7, 3), (2, 6, 4, 0)]
    thing = mesh(np.asarray(corners) * half, faces, material, flat=True)
    layer = thing.data.uv_layers.new()
    layer.data.foreach_set("uv", np.tile([0, 0, 1, 0, 1, 1, 0, 1], 6).astype(np.float32))
    if bevel:
        thing.data.shade_smooth()
        rounding = thing.modifiers.new("bevel", "BEVEL")
        rounding.width, rounding.segments, rounding.harden_normals = min(bevel, 0.49 * min(size)), segments, True
    thing.location = at
    return thing


def ball(radius: Sequence[float], at: Sequence[float], material: Material | None, *, rings: int = 24) -> Thing:
    """An ellipsoid of three half axes."""
    turn = np.linspace(0, math.pi, rings + 1)
    thing = lathe(np.column_stack([np.sin(turn), -np.cos(turn)]), material, sides=2 * rings)
    thing.scale, thing.location = radius, at
    return thing


def smooth(points: Sequence[Sequence[float]], steps: int = 8) -> np.ndarray:
    """A Catmull-Rom curve through points of any dimension."""
    points = np.asarray(points, float)
    ends = np.concatenate([points[:1], points, points[-1:]])
    t = (np.arange(steps) / steps)[:, None]
    weights = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
    spans = [
        sum(w * corner for w, corner in zip(weights, ends[i : i + 4], strict=True)) / 2 for i in range(len(points) - 1)
    ]
    return np.concatenate([*spans, points[-1:]])


def place(things: Sequence[Thing], matrix: Matrix) -> None:
    """Move objects together, in world space."""
    for thing in things:
        thing.matrix_world = matrix @ thing.matrix_basis


def cloud(things: Sequence[Thing]) -> np.ndarray:
    """Points (N, 3) on the objects, in world space, with modifiers and bevels applied."""
    bpy.context.view_layer.update()
    graph = bpy.context.evaluated_depsgraph_get()
    parts = []
    for thing in things:
        evaluated = thing.evaluated_get(graph)
        data = evaluated.to_mesh()
        points = np.empty(3 * len(data.vertices), np.float32)
        data.vertices.foreach_get("co", points)
        world = np.asarray(thing.matrix_world, np.float32)
        points = points.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]
        parts.append(points)
        if thing.particle_systems:
            parts.append(points + _outwards(data, world) * thing.particle_systems[0].settings.hair_length)
        evaluated.to_mesh_clear()
    return np.concatenate(parts)


def _outwards(data: bpy.types.Mesh, world: np.ndarray) -> np.ndarray:
    """Unit normals (N, 3) in world space: hair lengths are world lengths, independent of the object's scale."""
    normals = np.empty(3 * len(data.vertices), np.float32)
    data.vertex_normals.foreach_get("vector", normals)
    turned = normals.reshape(-1, 3) @ np.linalg.inv(world[:3, :3])
    return turned / np.linalg.norm(turned, axis=1, keepdims=True).clip(1e-9)


def aim(thing: Thing, point: Sequence[float]) -> None:
    """Rotate a camera or a lamp, which look along -z, towards a point."""
    thing.rotation_euler = (Vector(point) - thing.location).to_track_quat("-Z", "Y").to_euler()
