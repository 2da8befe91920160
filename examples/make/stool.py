"""A beech stool in the sun on a parquet floor: thin legs and rungs, with the room visible between them."""

import math
import random

import bpy
from materials import plain, plaster, wood
from mathutils import Euler, Vector
from shapes import box, fillet, lathe, loft, mm
from studio import ambient, camera, dice, shoot, sun, window

SEAT = 0.45


def turned(name: str, start, end, radii, material) -> bpy.types.Object:
    """A turned stick from `start` to `end`, with its grain along its length."""
    start, end = Vector(start), Vector(end)
    length = (end - start).length
    steps = len(radii) - 1
    path = [(length * step / steps, 0, 0) for step in range(steps + 1)]
    stick = loft(name, path, [(r, r) for r in radii], material, sides=32)
    stick.location, stick.rotation_euler = start, (end - start).to_track_quat("X", "Z").to_euler()
    return stick


def stool() -> list:
    """Four splayed legs, tenoned through a dished seat, and four rungs at two heights."""
    beech, paint = (
        wood("beech", "#a8794e", "#cfa374", "#e0bc90", sheen=0.38),
        plain("milk paint", "#b4472e", 0.45, smudge=0.12),
    )
    dish = [
        (0, SEAT - 0.008, 0),
        (0.11, SEAT - 0.006, 0.06),
        (0.155, SEAT + 0.003, 0.02),
        (0.170, SEAT, 0.008),
        (0.171, SEAT - 0.016, 0.006),
        (0.155, SEAT - 0.036, 0.006),
        (0, SEAT - 0.036, 0),
    ]
    parts = [lathe("seat", fillet(dish, 10), beech)]
    feet, heads = [], []
    for quarter in range(4):
        angle = math.radians(64 + 90 * quarter)
        feet.append(Vector((0.195 * math.cos(angle), 0.195 * math.sin(angle), 0.0)))
        heads.append(Vector((0.105 * math.cos(angle), 0.105 * math.sin(angle), SEAT - 0.012)))
        belly = [0.0085, 0.0103, 0.0120, 0.0128, 0.0131, 0.0125, 0.0115, 0.0105]
        parts.append(turned("leg", feet[-1], heads[-1], belly, paint))
    for side in range(4):
        share = 0.32 if side % 2 else 0.43
        a, b = (feet[i].lerp(heads[i], share) for i in (side, (side + 1) % 4))
        parts.append(turned("rung", a, b, [0.005, 0.0066, 0.0076, 0.0078, 0.0076, 0.0066, 0.005], paint))
    return parts


def parquet(chance: random.Random) -> None:
    """Herringbone of 60 x 300 mm oak blocks with slightly different heights."""
    oaks = [
        wood("oak", *tones, sheen=0.36)
        for tones in (("#5a3a20", "#8f6439", "#b08754"), ("#4e321c", "#83592f", "#a37b4b"))
    ]
    wide, ratio = 0.06, 5
    for row in range(-50, 50):
        for period in range(-3, 4):
            along = (
                row + 2 * ratio * period + ratio / 2,
                row + 0.5,
            )  # row y: cells y .. y + 5 of every ten lie along it
            upright = (row + 0.5, row + 2 * ratio * period - 1.5 * ratio + 1)  # and column x fills the other five
            for (x, y), turn in ((along, 45), (upright, 135)):
                lying = Vector((x, y, 0)) * wide
                lying.rotate(Euler((0, 0, math.radians(45))))
                if abs(lying.x) < 1.7 and -1.6 < lying.y < 1.1:
                    block = box(
                        (wide * ratio - 0.0005, wide - 0.0005, 0.02),
                        lying,
                        chance.choice(oaks),
                        bevel=0.0007,
                        turn=turn,
                    )
                    block.location.z = -0.01 - chance.uniform(0, 0.0003)


def hall(chance: random.Random) -> None:
    """A wall with a skirting board and a socket, and a door frame at the edge."""
    box((8, 6, 0.02), (0, 0, -0.04), plain("screed", "#3a2a1c", 0.8), bevel=0)
    back = 0.85
    box((6, 0.1, 2.8), (0, back + 0.05, 1.4), plaster("paint", "#bcc4bd"), bevel=0)
    white = plain("gloss", "#e6e2d8", 0.25)
    box((6, 0.016, 0.11), (0, back - 0.008, 0.055), white, bevel=0.004)
    box((6, 0.022, 0.02), (0, back - 0.011, 0.118), white, bevel=0.008)
    box((0.08, 0.009, 0.08), (0.52, back - 0.0045, 0.30), white, bevel=0.003)
    hole = plain("hole", "#8b8880", 0.4)
    socket = lathe("socket", fillet(mm("0 0 0, 17 0 1, 19.5 11 1, 21 11 0")), hole)
    socket.location, socket.rotation_euler = (0.52, back - 0.010, 0.30), (math.radians(90), 0, 0)


def build() -> list:
    chance = dice()
    parquet(chance)
    hall(chance)
    ambient(0.45, (0.80, 0.88, 1.0))
    pane = plain("pane", "#ddd8cc", 0.6)
    for x, y, wide, tall in [
        (-0.95, 0, 0.9, 3),
        (0.95, 0, 0.9, 3),
        (0, 1.05, 2.6, 0.9),
        (0, -1.05, 2.6, 0.9),
        (0, 0, 0.05, 1.6),
        (0, 0.1, 1.2, 0.05),
    ]:
        shade = box((wide, 0.01, tall), (-1.9, -0.9 + x, 1.75 + y), pane, bevel=0, turn=90)
        shade.visible_camera = False
    sun((0.86, 0.36, -0.62), 5.0)
    window((-1.7, -0.9, 1.6), (0.0, 0.0, 0.3), (1.1, 1.3), 38)
    camera((0.18, -1.72, 0.92), (0.0, 0.03, 0.225), focal_mm=85, f_number=4.0, focus_at=(0.05, -0.12, 0.40))
    return stool()


shoot("stool", build, (1000, 1250), exposure=0.3)
