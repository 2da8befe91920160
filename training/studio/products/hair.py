"""Objects with pile: plush toys, pompoms, brushes, brooms, fur rugs and tassels."""

from __future__ import annotations

import math
import random

import bmesh
import numpy as np

from training.studio.plan import Colour, paint
from training.studio.products.order import Order
from training.studio.shapes import Material, Thing, ball, box, lathe, smooth, wire
from training.studio.surfaces import Surface, metal, shade, solid, speckled


def furry(order: Order) -> list[Thing]:
    """One object with hair."""
    return order.chance.choice((_plush, _plush, _pompom, _brush, _brush, _tassel, _rug))(order)


def _coat(colour: Colour) -> Material:
    """Hair, darker at its roots."""
    s = Surface()
    tip = s.node("HairInfo", "Intercept")
    return s.finish(s.blend(s.between(tip, 0, 0.7), shade(colour, 0.55), colour), 0.8)


def _pile(thing: Thing, order: Order, length: float, count: int, *, straight: bool = False) -> Thing:
    """Grow hair: `count` parents with ten children each, clumped and curled unless `straight`."""
    chance = order.chance
    system = thing.modifiers.new("pile", "PARTICLE_SYSTEM").particle_system
    system.seed = chance.randrange(1000)
    hair = system.settings
    hair.type, hair.count, hair.hair_length, hair.hair_step = "HAIR", count, length, 3
    hair.child_type, hair.rendered_child_count, hair.child_percent = "INTERPOLATED", 10, 1
    hair.root_radius, hair.tip_radius, hair.radius_scale = 1.0, 0.3, chance.uniform(0.0018, 0.0034)
    hair.render_step = hair.display_step = 3
    hair.child_length, hair.factor_random = 0.9, (0.03 if straight else 0.25) * length
    if not straight:
        hair.clump_factor, hair.clump_shape = chance.uniform(-0.2, 0.8), 0.2
        hair.roughness_1, hair.roughness_1_size = chance.uniform(0.005, 0.03), 0.08
        hair.roughness_endpoint = chance.uniform(0.0, 0.03)
        hair.brownian_factor = 0.02
        if chance.random() < 0.4:
            hair.kink, hair.kink_amplitude, hair.kink_frequency = "CURL", 0.008, 3.0
    return thing


def _plush(order: Order) -> list[Thing]:
    """A sitting bear or rabbit, made of ellipsoids."""
    chance = order.chance
    colour = order.tone or paint(chance)
    coat, patch = _coat(colour), _coat(shade(colour, 1.25))
    length, ear = chance.uniform(0.02, 0.07), chance.uniform(0.07, 0.22)
    lumps = [
        ((0.24, 0.21, 0.27), (0, 0, 0.27), 0, 900),
        ((0.20, 0.18, 0.18), (0, -0.02, 0.66), 0, 800),
        ((0.07, 0.035, ear), (-0.15, 0, 0.82 + ear * 0.6), -0.3, 200),
        ((0.07, 0.035, ear), (0.15, 0, 0.82 + ear * 0.6), 0.3, 200),
        ((0.08, 0.09, 0.19), (-0.26, -0.08, 0.34), 0.5, 300),
        ((0.08, 0.09, 0.19), (0.26, -0.08, 0.34), -0.5, 300),
        ((0.10, 0.21, 0.10), (-0.18, -0.24, 0.10), 0.0, 350),
        ((0.10, 0.21, 0.10), (0.18, -0.24, 0.10), 0.0, 350),
    ]
    parts = []
    for radius, at, lean, count in lumps:
        part = ball(radius, at, coat, rings=14)
        part.rotation_euler.y = lean
        parts.append(_pile(part, order, length, count))
    muzzle = _pile(ball((0.09, 0.08, 0.07), (0, -0.18, 0.62), patch, rings=12), order, length * 0.6, 200)
    bead = solid(random.Random(1), (0.03, 0.02, 0.02))
    eyes = [ball((0.025,) * 3, (x, -0.185 - length, 0.71), bead, rings=8) for x in (-0.075, 0.075)]
    return [*parts, muzzle, *eyes, ball((0.035, 0.025, 0.025), (0, -0.26 - length * 0.5, 0.65), bead, rings=8)]


def _pompom(order: Order) -> list[Thing]:
    """A furry ball, with a hanging loop."""
    chance = order.chance
    body = ball((0.3, 0.3, chance.uniform(0.2, 0.32)), (0, 0, 0.35), _coat(order.tone or paint(chance)), rings=16)
    _pile(body, order, chance.uniform(0.06, 0.22), 2200)
    loop = [(0.06 * math.sin(a), 0, 0.72 + 0.12 * math.cos(a)) for a in np.linspace(0, 2 * math.pi, 24)]
    return [body, wire([loop], 0.008, metal(chance), closed=True)] if chance.random() < 0.5 else [body]


def _brush(order: Order) -> list[Thing]:
    """A paint, make-up or scrubbing brush: straight bristles from a ferrule."""
    chance = order.chance
    wide, deep = chance.uniform(0.05, 0.18), chance.uniform(0.03, 0.06)
    length = chance.uniform(0.2, 0.4)
    bristle = _coat(order.tone or paint(chance))
    root = box((wide * 2, deep * 2, 0.01), (0, 0, 0.6), bristle, bevel=0)
    _cut(root, 14)
    _pile(root, order, length, 900, straight=chance.random() < 0.7)
    ferrule = box((wide * 2.1, deep * 2.2, 0.16), (0, 0, 0.52), metal(chance), bevel=0.012)
    grip = smooth([(0, 0), (0.03, 0.01), (0.045, 0.12), (0.028, 0.3), (deep, 0.44), (0, 0.45)], 6)
    handle = lathe(grip, chance.choice((solid, speckled))(chance, order.tone))
    parts = [root, ferrule, handle]
    if chance.random() < 0.5:
        for part in parts:
            part.location = (0, part.location.z, deep)
            part.rotation_euler.x = -math.pi / 2
    return parts


def _cut(thing: Thing, cuts: int) -> None:
    """Subdivide a box so that hair spreads over it, and keep only its top."""
    work = bmesh.new()
    work.from_mesh(thing.data)
    work.faces.ensure_lookup_table()
    bmesh.ops.delete(work, geom=[face for face in work.faces if face.normal.z < 0.5], context="FACES")
    bmesh.ops.subdivide_edges(work, edges=work.edges, cuts=cuts, use_grid_fill=True)
    work.to_mesh(thing.data)
    work.free()


def _tassel(order: Order) -> list[Thing]:
    """A tassel, wig or mop: sparse strands that hang from a knob."""
    chance = order.chance
    strand = _coat(order.tone or paint(chance))
    wide, length = chance.uniform(0.05, 0.16), chance.uniform(0.5, 0.85)
    flare, unrest = chance.uniform(0.0, 0.5), chance.uniform(0.01, 0.05)
    t = np.linspace(0, 1, 9)[:, None]
    paths = []
    for _ in range(chance.choice((200, 400, 700))):
        away, reach = chance.uniform(0, 2 * math.pi), wide * math.sqrt(chance.random())
        out = reach * (1 + flare * 3 * t + 0.6 * np.sin(math.pi * t * 0.8))
        sway = unrest * (chance.gauss(0, 1) * t**2 + chance.gauss(0, 0.5) * np.sin(9 * t))
        drop = length * chance.uniform(0.85, 1.0) * t
        paths.append(np.hstack([out * math.cos(away) + sway, out * math.sin(away) + sway, 0.9 - drop]))
    knob = ball(
        (wide * 1.1, wide * 1.1, 0.07), (0, 0, 0.9), metal(chance) if chance.random() < 0.4 else solid(chance), rings=12
    )
    return [wire(paths, chance.uniform(0.0012, 0.003), strand, sides=0), knob]


def _rug(order: Order) -> list[Thing]:
    """A cushion or slipper of fleece."""
    chance = order.chance
    body = ball((0.5, chance.uniform(0.3, 0.5), 0.16), (0, 0, 0.16), _coat(order.tone or paint(chance)), rings=18)
    return [_pile(body, order, chance.uniform(0.05, 0.14), 2600)]
