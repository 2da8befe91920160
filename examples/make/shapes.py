"""Solid shapes without sharp edges, because real objects have none."""

import math
from collections.abc import Sequence

import bmesh
import bpy
from mathutils import Vector

Point2 = tuple[float, float]
Point3 = tuple[float, float, float]


def mm(numbers: str) -> list[tuple[float, ...]]:
    """Read points in millimetres, "x y, x y, ...", as tuples in metres."""
    return [tuple(float(number) / 1000 for number in point.split()) for point in numbers.split(",")]


def mesh(name: str, vertices: Sequence[Point3], faces: Sequence[Sequence[int]], material: bpy.types.Material | None):
    """Make a smooth-shaded object of `vertices` (metres) and `faces`."""
    data = bpy.data.meshes.new(name)
    data.from_pydata(vertices, [], faces)
    data.validate()
    data.shade_smooth()
    if material:
        data.materials.append(material)
    thing = bpy.data.objects.new(name, data)
    bpy.context.collection.objects.link(thing)
    return thing


def box(
    size: Point3,
    at: Point3,
    material: bpy.types.Material,
    *,
    bevel: float = 0.002,
    turn: float = 0.0,
) -> bpy.types.Object:
    """Make a box of `size` centred `at`, its edges rounded by `bevel` metres, turned about z by `turn` degrees."""
    x, y, z = (side / 2 for side in size)
    corners = [(sx * x, sy * y, sz * z) for sx in (-1, 1) for sy in (-1, 1) for sz in (-1, 1)]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    thing = mesh("box", corners, faces, material)
    if bevel:
        rounding = thing.modifiers.new("bevel", "BEVEL")
        rounding.width, rounding.segments, rounding.harden_normals = bevel, 4, True
    else:
        thing.data.shade_flat()
    thing.location, thing.rotation_euler.z = at, math.radians(turn)
    return thing


def fillet(points: Sequence[tuple[float, float, float]], steps: int = 6) -> list[Point2]:
    """Round the corners of an open outline; each point is (x, y, radius), with radii limited to half a side."""
    outline = [points[0][:2]]
    for before, (x, y, radius), after in zip(points, points[1:], points[2:], strict=False):
        corner = Vector((x, y))
        to_before, to_after = Vector(before[:2]) - corner, Vector(after[:2]) - corner
        reach = min(radius, to_before.length / 2, to_after.length / 2)
        start, end = corner + to_before.normalized() * reach, corner + to_after.normalized() * reach
        for step in range(steps + 1):
            t = step / steps
            outline.append(tuple((1 - t) ** 2 * start + 2 * t * (1 - t) * corner + t * t * end))
    return [*outline, points[-1][:2]]


def smooth(points: Sequence[Sequence[float]], steps: int = 12) -> list[tuple[float, ...]]:
    """A Catmull-Rom curve through `points` of any dimension."""
    ends = [points[0], *points, points[-1]]
    curve = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        for step in range(steps):
            t = step / steps
            weights = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
            axes = zip(a, b, c, d, strict=True)
            curve.append(tuple(sum(w * x for w, x in zip(weights, axis, strict=True)) / 2 for axis in axes))
    return [*curve, tuple(points[-1])]


def lathe(name: str, outline: Sequence[Point2], material: bpy.types.Material, *, sides: int = 160) -> bpy.types.Object:
    """Rotate an outline of (radius, height) about the z axis."""
    angles = [2 * math.pi * side / sides for side in range(sides)]
    vertices = [(r * math.cos(a), r * math.sin(a), z) for r, z in outline for a in angles]
    thing = mesh(name, vertices, _rings(len(outline), sides), material)
    _tidy(thing)
    return thing


def loft(
    name: str,
    path: Sequence[Point3],
    radii: Sequence[tuple[float, float]],
    material: bpy.types.Material,
    *,
    across: Point3 = (0, 1, 0),
    sides: int = 40,
) -> bpy.types.Object:
    """Sweep an ellipse along `path`; each of `radii` is (along `across`, at right angles to it)."""
    points, side_axis = [Vector(point) for point in path], Vector(across)
    vertices: list[Point3] = []
    for index, (centre, (wide, high)) in enumerate(zip(points, radii, strict=True)):
        along = (points[min(index + 1, len(points) - 1)] - points[max(index - 1, 0)]).normalized()
        u = (side_axis - along * side_axis.dot(along)).normalized()
        v = along.cross(u)
        for side in range(sides):
            angle = 2 * math.pi * side / sides
            vertices.append(tuple(centre + u * wide * math.cos(angle) + v * high * math.sin(angle)))
    last = (len(points) - 1) * sides
    ends = (tuple(range(sides))[::-1], tuple(range(last, last + sides)))
    thing = mesh(name, vertices, [*_rings(len(points), sides), *ends], material)
    _tidy(thing)
    return thing


def ball(name: str, radius: Point3, at: Point3, material: bpy.types.Material, *, level: int = 5) -> bpy.types.Object:
    """Make an ellipsoid with the half axes `radius`."""
    outline = [(math.sin(math.pi * i / 2**level), -math.cos(math.pi * i / 2**level)) for i in range(2**level + 1)]
    thing = lathe(name, outline, material, sides=2 ** (level + 1))
    for vertex in thing.data.vertices:
        vertex.co = [c * r for c, r in zip(vertex.co, radius, strict=True)]
    thing.location = at
    return thing


def lettering(text: str, height: float, material: bpy.types.Material, *, radius: float = 0.0, spacing: float = 1.0):
    """Set a centred line of type in the xz plane facing -y, round a cylinder if `radius` is given."""
    curve = bpy.data.curves.new("text", "FONT")
    curve.body, curve.size, curve.align_x, curve.space_character = text, height, "CENTER", spacing
    curve.resolution_u = 6
    flat = bpy.data.objects.new("text", curve)
    bpy.context.collection.objects.link(flat)
    bpy.context.view_layer.update()
    data = bpy.data.meshes.new_from_object(flat)
    bpy.data.objects.remove(flat)
    _slice(data, 0.0005)
    for vertex in data.vertices:
        x, y, _ = vertex.co
        angle = x / radius if radius else 0
        vertex.co = (radius * math.sin(angle), -radius * math.cos(angle), y) if radius else (x, 0, y)
    data.materials.clear()
    data.materials.append(material)
    thing = bpy.data.objects.new("lettering", data)
    bpy.context.collection.objects.link(thing)
    return thing


def grid(rows: int, columns: int) -> list[tuple[int, int, int, int]]:
    """List the faces of a sheet of `rows` x `columns` quadrilaterals whose vertices run row by row."""
    step = columns + 1
    corners = (row * step + column for row in range(rows) for column in range(columns))
    return [(i, i + 1, i + step + 1, i + step) for i in corners]


def _slice(data: bpy.types.Mesh, step: float) -> None:
    """Cut faces at every `step` metres of x: bent round a bottle, a long face would otherwise dip below the paper."""
    work = bmesh.new()
    work.from_mesh(data)
    reach = max(abs(vertex.co.x) for vertex in work.verts)
    for cut in range(int(-reach / step), int(reach / step) + 1):
        everything = [*work.verts, *work.edges, *work.faces]
        bmesh.ops.bisect_plane(work, geom=everything, plane_co=(cut * step, 0, 0), plane_no=(1, 0, 0))
    work.to_mesh(data)
    work.free()


def _rings(count: int, sides: int) -> list[tuple[int, int, int, int]]:
    faces = []
    for start in range(0, (count - 1) * sides, sides):
        for side in range(sides):
            after = (side + 1) % sides
            faces.append((start + side, start + after, start + sides + after, start + sides + side))
    return faces


def _tidy(thing: bpy.types.Object) -> None:
    """Weld the poles of a lathe and orient every face outwards."""
    work = bmesh.new()
    work.from_mesh(thing.data)
    bmesh.ops.remove_doubles(work, verts=work.verts, dist=1e-7)
    bmesh.ops.recalc_face_normals(work, faces=work.faces)
    work.to_mesh(thing.data)
    work.free()
