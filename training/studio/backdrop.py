"""The background and the floor: paper, floors, table tops, walls and scenery."""

from __future__ import annotations

import math
import random

import bpy
import numpy as np
from PIL import Image, ImageFilter

from training.studio.assets import Assets, choose
from training.studio.plan import Backdrop
from training.studio.shapes import Material, grid, lathe, mesh
from training.studio.surfaces import Surface, any_solid, image


def put_up(backdrop: Backdrop, assets: Assets, centre: np.ndarray, radius: float, *, hung: bool) -> None:
    if backdrop.kind == "flat":
        return
    far = radius * backdrop.distance
    if backdrop.kind == "sweep":
        _sweep(backdrop, radius, far * (0.75 if hung else 1.0), hung=hung)
        return
    if backdrop.kind == "table":
        _wall(backdrop, assets, centre, radius, far)
    if backdrop.kind == "room" and backdrop.photo:
        _scenery(backdrop, assets, centre, radius)
    if not hung:
        _floor(backdrop, assets, radius, slab=backdrop.kind == "room" or backdrop.photo)


def _paper(backdrop: Backdrop, radius: float) -> Material:
    """One colour, or a gradient from bottom to top; optionally glossy."""
    s = Surface()
    height = s.node("SeparateXYZ", 2, Vector=s.node("TexCoord", "Object"))
    share = s.between(height, 0.0, 5 * radius)
    tint = s.blend(share, backdrop.colour, backdrop.second)
    return s.finish(tint, 0.9 - 0.85 * backdrop.gloss)


def _sweep(backdrop: Backdrop, radius: float, far: float, *, hung: bool) -> None:
    """Paper that runs along the floor and curves up; for a hanging product only the wall part."""
    bend = radius * 1.5
    floor = -4 * radius if hung else 0.0
    turn = np.linspace(0, math.pi / 2, 16)
    curve = np.column_stack([far + bend * np.sin(turn) * (not hung), floor + bend * (1 - np.cos(turn))])
    profile = np.concatenate([[[-40 * radius, floor]], curve, [[curve[-1, 0] + 0.01, 60 * radius]]])
    points = [(x, y, z) for y, z in profile for x in (-60 * radius, 60 * radius)]
    mesh(points, grid(len(profile) - 1, 1), _paper(backdrop, radius))


def _ground(backdrop: Backdrop, assets: Assets, radius: float, pick: float) -> Material:
    """A photographed floor, or a synthetic surface."""
    chance = random.Random(int(pick * 1e9))
    if chance.random() < 0.3:
        return any_solid(chance)
    s = Surface()
    picture = bpy.data.images.load(str(choose(assets.floors, pick)))
    tint = s.picture(picture, scale=chance.uniform(0.15, 0.6) / radius)
    tint = s.blend(chance.uniform(0, 0.7), tint, backdrop.colour, "MULTIPLY")
    return s.finish(tint, 0.8 - 0.7 * backdrop.gloss)


def _floor(backdrop: Backdrop, assets: Assets, radius: float, *, slab: bool) -> None:
    """An endless floor, or a table top: round or straight-edged."""
    material = _ground(backdrop, assets, radius, backdrop.floor_pick)
    chance = random.Random(int(backdrop.wall_pick * 1e9))
    if not slab:
        half = 60 * radius
        mesh([(-half, -half, 0), (half, -half, 0), (half, half, 0), (-half, half, 0)], [(0, 1, 2, 3)], material)
        return
    wide, thick = radius * chance.uniform(1.4, 4), 0.1 * radius
    if chance.random() < 0.4:
        lathe([(0, -thick), (wide, -thick), (wide, -0.02 * radius), (wide * 0.99, 0), (0, 0)], material, sides=128)
    else:
        corners = [(-20 * radius, -20 * radius), (20 * radius, -20 * radius), (20 * radius, wide), (-20 * radius, wide)]
        vertices = [(x, y, z) for z in (0, -thick) for x, y in corners]
        mesh(
            vertices,
            [(0, 1, 2, 3), (7, 6, 5, 4), (0, 4, 5, 1), (1, 5, 6, 2), (2, 6, 7, 3), (3, 7, 4, 0)],
            material,
            flat=True,
        )


def _wall(backdrop: Backdrop, assets: Assets, centre: np.ndarray, radius: float, far: float) -> None:
    if backdrop.photo:
        _scenery(backdrop, assets, centre, radius)
        return
    half = 60 * radius
    material = _ground(backdrop, assets, radius, backdrop.wall_pick)
    wall = mesh([(-half, -half, 0), (half, -half, 0), (half, half, 0), (-half, half, 0)], [(0, 1, 2, 3)], material)
    wall.rotation_euler.x, wall.location.y = math.pi / 2, far


def _scenery(backdrop: Backdrop, assets: Assets, centre: np.ndarray, radius: float) -> None:
    """A photo far behind, blurred as by a lens, and emissive, so that no shadow falls on it."""
    chance = random.Random(int(backdrop.wall_pick * 1e9))
    with Image.open(choose(assets.scenery, backdrop.wall_pick)) as photo:
        small = photo.convert("RGB").resize((768, 512)).filter(ImageFilter.GaussianBlur(chance.choice((0, 2, 6, 14))))
    s = Surface()
    glow = s.node("Emission", Color=s.picture(image(np.asarray(small))), Strength=chance.uniform(0.6, 1.2))
    s.close(glow)
    s.material.cycles.emission_sampling = "NONE"
    half, away = 14 * radius, 14 * radius
    corners = [
        (-half * 1.5, away, -half),
        (half * 1.5, away, -half),
        (half * 1.5, away, half),
        (-half * 1.5, away, half),
    ]
    plane = mesh(np.add(corners, (0, 0, centre[2])), [(0, 1, 2, 3)], s.material)
    plane.data.uv_layers.new().data.foreach_set("uv", np.array([0, 0, 1, 0, 1, 1, 0, 1], np.float32))
    plane.visible_diffuse = plane.visible_shadow = False
