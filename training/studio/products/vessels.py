"""Turned objects: bottles, jars, vases, pots, glasses and cups with their handles."""

from __future__ import annotations

import math
import random

import numpy as np
from mathutils import Matrix

from training.studio.plan import paint
from training.studio.products.order import Order
from training.studio.products.packs import label
from training.studio.shapes import Material, Thing, ball, lathe, loft, place, smooth
from training.studio.surfaces import any_solid, glass, metal, printed, solid

# Outer outlines as (radius, height) from the foot to the lip, before random bending.
BOTTLE = (
    (0.17, 0.0),
    (0.19, 0.02),
    (0.19, 0.30),
    (0.19, 0.55),
    (0.15, 0.68),
    (0.065, 0.78),
    (0.06, 0.94),
    (0.07, 0.95),
    (0.065, 1.0),
)
FLASK = ((0.20, 0.0), (0.30, 0.03), (0.32, 0.25), (0.22, 0.45), (0.08, 0.60), (0.07, 0.9), (0.10, 1.0))
JAR = ((0.26, 0.0), (0.29, 0.02), (0.30, 0.3), (0.30, 0.65), (0.25, 0.74), (0.24, 0.85))
VASE = ((0.14, 0.0), (0.17, 0.02), (0.28, 0.3), (0.26, 0.55), (0.12, 0.8), (0.11, 0.9), (0.18, 1.0))
POT = ((0.22, 0.0), (0.25, 0.02), (0.32, 0.4), (0.36, 0.6), (0.39, 0.61), (0.39, 0.7))
BOWL = ((0.18, 0.0), (0.2, 0.03), (0.42, 0.16), (0.55, 0.38))
TUMBLER = ((0.22, 0.0), (0.24, 0.01), (0.26, 0.4), (0.28, 0.7))
GOBLET = (
    (0.24, 0.0),
    (0.23, 0.02),
    (0.05, 0.05),
    (0.025, 0.12),
    (0.025, 0.40),
    (0.08, 0.46),
    (0.22, 0.56),
    (0.26, 0.72),
    (0.22, 0.95),
)
CARAFE = ((0.2, 0.0), (0.24, 0.02), (0.25, 0.3), (0.14, 0.65), (0.12, 0.8), (0.17, 0.95))
MUG = ((0.26, 0.0), (0.28, 0.02), (0.30, 0.3), (0.30, 0.62))
TEACUP = ((0.14, 0.0), (0.15, 0.03), (0.28, 0.15), (0.36, 0.36))


def outline(chance: random.Random, form: tuple, *, bend: float = 0.12) -> np.ndarray:
    """A form bent at random and smoothed to a curve: radii by up to `bend`, and the whole wider or slimmer."""
    points = np.asarray(form)
    wide = chance.uniform(0.8, 1.25)
    radii = points[:, 0] * wide * [1 + chance.uniform(-bend, bend) for _ in points]
    return smooth(np.column_stack([radii, points[:, 1]]), 6)


def hollow(outer: np.ndarray, wall: float) -> np.ndarray:
    """Add the inside: from the lip down to a floor one wall above the foot."""
    inner = outer[::-1] - [wall, 0]
    inner = inner[inner[:, 1] > 1.5 * wall]
    inner[:, 0] = np.maximum(inner[:, 0], 0.004)
    lip = (outer[-1] + inner[0]) / 2 + [0, wall / 3]
    return np.concatenate([[[0, outer[0, 1]]], outer, [lip], inner, [[0, 1.5 * wall]]])


def vessel(order: Order) -> list[Thing]:
    """An opaque bottle, jar, vase, pot or bowl; often with a closure and a label."""
    chance = order.chance
    name = chance.choice(("bottle", "bottle", "jar", "vase", "pot", "bowl", "flask"))
    form = {"bottle": BOTTLE, "jar": JAR, "vase": VASE, "pot": POT, "bowl": BOWL, "flask": FLASK}[name]
    return _turned(order, outline(chance, form), any_solid(chance, order.tone), closed=name in {"bottle", "jar"})


def metalware(order: Order) -> list[Thing]:
    """A polished vase, pot, bowl, flask, cup or smooth ball that reflects the room."""
    chance = order.chance
    form = chance.choice((VASE, POT, BOWL, FLASK, BOTTLE, TUMBLER, GOBLET))
    steel = metal(chance, order.tone if chance.random() < 0.5 else None)
    outer = outline(chance, form)
    parts = _turned(order, outer, steel, closed=False)
    if chance.random() < 0.35:
        parts += handle(chance, outer, steel)
    return parts


def glassware(order: Order) -> list[Thing]:
    """A glass, bottle, jar or vase of clear or tinted glass, sometimes filled: all of it is product."""
    chance = order.chance
    name = chance.choice(("bottle", "jar", "vase", "tumbler", "tumbler", "goblet", "goblet", "carafe", "flask"))
    forms = {
        "bottle": BOTTLE,
        "jar": JAR,
        "vase": VASE,
        "tumbler": TUMBLER,
        "goblet": GOBLET,
        "carafe": CARAFE,
        "flask": FLASK,
    }
    tint = (1.0, 1.0, 1.0) if chance.random() < 0.6 else tuple(0.35 + 0.6 * c for c in paint(chance))
    clear = glass(tint, 0.0 if chance.random() < 0.85 else 0.25)
    outer = outline(chance, forms[name], bend=0.08)
    parts = _turned(order, outer, clear, closed=name in {"bottle", "jar"} and chance.random() < 0.7)
    if chance.random() < 0.4:
        parts += _filling(chance, outer, name)
    return parts


def cup(order: Order) -> list[Thing]:
    """A mug, teacup or jug: the hole in the handle is background."""
    chance = order.chance
    form = chance.choice((MUG, MUG, TEACUP, CARAFE, JAR))
    outer = outline(chance, form, bend=0.06)
    material = _print_or_solid(chance, order)
    parts = [lathe(hollow(outer, chance.uniform(0.015, 0.03)), material)]
    parts += handle(chance, outer, solid(chance, order.tone) if chance.random() < 0.15 else material)
    if form is TEACUP and chance.random() < 0.6:
        saucer = lathe(hollow(outline(chance, ((0.2, 0), (0.22, 0.02), (0.40, 0.05), (0.5, 0.09))), 0.02), material)
        for part in parts:
            part.location.z += 0.03
        parts.append(saucer)
    return parts


def handle(chance: random.Random, outer: np.ndarray, material: Material) -> list[Thing]:
    """A loop on the side, round or angular."""
    height = outer[-1, 1]
    top, bottom = height * chance.uniform(0.75, 0.92), height * chance.uniform(0.15, 0.35)
    reach = chance.uniform(0.14, 0.26)

    def wall(z: float) -> float:
        return float(np.interp(z, outer[:, 1], outer[:, 0])) - 0.012

    high, low = wall(top), wall(bottom)
    out = max(high, low) + reach
    path = smooth(
        [
            (high, 0, top),
            (out * 0.93, 0, top + 0.01),
            (out, 0, (top + bottom) / 2),
            (out * 0.9, 0, bottom + 0.02),
            (low, 0, bottom),
        ],
        8,
    )
    width, thick = chance.uniform(0.02, 0.06), chance.uniform(0.014, 0.028)
    turn = chance.choice((0, 0, 0.4, -0.4, math.pi, 2.6))
    loop = loft(path, [(width, thick)] * len(path), material)
    loop.rotation_euler.z = turn
    return [loop]


def _print_or_solid(chance: random.Random, order: Order) -> Material:
    return any_solid(chance, order.tone) if order.tone or chance.random() < 0.8 else solid(chance, paint(chance))


def _turned(order: Order, outer: np.ndarray, material: Material, *, closed: bool) -> list[Thing]:
    chance = order.chance
    parts = [lathe(hollow(outer, chance.uniform(0.010, 0.022)), material)]
    if closed:
        parts += _closure(chance, outer, order)
        if chance.random() < 0.7:
            parts += _sleeve(chance, outer)
    if order.pose == "lay":
        place(parts, Matrix.Rotation(math.pi / 2, 4, "Y"))
    return parts


def _closure(chance: random.Random, outer: np.ndarray, order: Order) -> list[Thing]:
    """A screw cap, a cork or a knob on the lip."""
    radius, top = outer[-1]
    radius += 0.012
    cap = solid(chance, order.tone) if chance.random() < 0.75 else metal(chance)
    height = chance.uniform(0.05, 0.13)
    shape = [
        (0, top - 0.6 * height),
        (radius, top - 0.6 * height),
        (radius, top + 0.35 * height),
        (radius * 0.93, top + 0.4 * height),
        (0, top + 0.4 * height),
    ]
    parts = [lathe(shape, cap)]
    if chance.random() < 0.2 and order.pose == "stand":
        parts.append(ball((radius * 0.6,) * 3, (0, 0, top + 0.4 * height + radius * 0.5), cap))
    return parts


def _sleeve(chance: random.Random, outer: np.ndarray) -> list[Thing]:
    """A paper label round the widest part, with a print."""
    low, high = chance.uniform(0.12, 0.2), chance.uniform(0.4, 0.55)
    heights = np.linspace(low, high, 5)
    radii = np.interp(heights, outer[:, 1], outer[:, 0]) + 0.003
    if np.ptp(radii) > 0.05:
        return []
    sleeve = lathe(np.column_stack([radii, heights]), printed(label(chance, 2.2), rough=0.5))
    sides = len(sleeve.data.vertices) // 5
    layer = sleeve.data.uv_layers.new()
    corner = np.array([loop.vertex_index for loop in sleeve.data.loops])
    turn = corner % sides / sides
    face = np.repeat(np.arange(len(corner) // 4), 4)
    turn = np.where((face % sides == sides - 1) & (turn == 0), 1.0, turn)
    layer.data.foreach_set("uv", np.column_stack([turn * 2 % 1.0001, corner // sides / 4]).ravel().astype(np.float32))
    sleeve.rotation_euler.z = chance.uniform(-0.6, 0.6)
    return [sleeve]


def _filling(chance: random.Random, outer: np.ndarray, name: str) -> list[Thing]:
    """A drink or a powder, up to somewhere below the lip."""
    low, high = (0.52, 0.9) if name == "goblet" else (0.05, outer[-1, 1])
    level = low + (high - low) * chance.uniform(0.3, 0.85)
    heights = np.linspace(low, level, 12)
    radii = np.maximum(np.interp(heights, outer[:, 1], outer[:, 0]) - 0.024, 0.003)
    shape = np.concatenate([[[0, low]], np.column_stack([radii, heights]), [[0, level]]])
    colour = paint(chance)
    return [lathe(shape, glass(colour) if chance.random() < 0.5 else solid(chance, colour))]
