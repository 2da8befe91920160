"""A stoneware mug on an oak kitchen table, a window to the left."""

import math

import bpy
from materials import Surface, plain, plaster, wood
from shapes import ball, box, lathe, loft, mm, smooth
from studio import ambient, camera, dice, room, shoot, window

TABLE = 0.74  # height of a table top, m


def stoneware() -> bpy.types.Material:
    """A dipped glaze that breaks to brown where it runs thin, iron specks, and a bare foot below a wavering line."""
    s = Surface("stoneware")
    at = s.place()
    xyz = s.tree.nodes.new("ShaderNodeSeparateXYZ")
    s.tree.links.new(at, xyz.inputs[0])
    height = s.math("ADD", xyz.outputs[2], s.math("MULTIPLY", s.noise(at, 28, detail=2), 0.006))
    bare = s.between(height, 0.0195, 0.0202, (1, 0))
    thin = s.math("MAXIMUM", s.between(height, 0.0935, 0.0985), s.between(height, 0.0235, 0.0205))
    pooled = s.noise(s.place((1, 1, 0.45)), 42, detail=6, roughness=0.6, warp=0.6)
    glaze = s.ramp(pooled, [(0.30, "#173f49"), (0.52, "#2a6a70"), (0.74, "#5b9490")])
    glaze = s.blend(s.math("MULTIPLY", thin, 0.8), glaze, "#7a5a3c")
    speck = s.between(s.noise(at, 720, detail=1), 0.70, 0.74)
    glaze = s.blend(s.math("MULTIPLY", speck, 0.75), glaze, "#15120f")
    clay = s.ramp(s.noise(at, 600, detail=5), [(0.35, "#8d6a4c"), (0.65, "#b8926d")])
    turned = s.noise(s.place((0.4, 0.4, 9)), 42, detail=2)  # rings left by the potter's fingers
    bump = s.bump(turned, 0.0007, over=s.bump(s.noise(at, 70, detail=4), 0.0002))
    bump = s.bump(s.math("MULTIPLY", s.noise(at, 1500, detail=3), bare), 0.00025, over=bump)
    rough = s.math("ADD", s.math("MULTIPLY", bare, 0.6), s.between(s.noise(at, 35, detail=5), 0.3, 0.7, (0.10, 0.24)))
    return s.finish(Base_Color=s.blend(bare, glaze, clay), Roughness=rough, Normal=bump)


def mug() -> list:
    """9.8 cm tall, with walls of 4 mm and a handle for one finger."""
    clay = stoneware()
    outside = mm("0 3, 27 3, 28.5 0.5, 31 0, 33.5 2, 38.5 10, 41.8 24")
    outside += mm("43.2 45, 42.8 68, 41.5 86, 41.3 95.5, 40.4 98, 38.8 97.5")
    inside = mm("37.8 94, 38.5 70, 38.8 45, 37 22, 30 10.5, 0 8")
    body = lathe("mug", smooth([*outside, *inside], 8), clay)
    ridge = mm("40 81, 50 83.8, 62.5 80, 70.5 65.5, 69 47, 58.5 32.5, 40 25.5")
    path = smooth([(x, 0, z) for x, z in ridge], 12)
    widths = smooth(mm("12 6.8, 8.8 4.8, 8.2 4.2, 8 4, 7.8 4, 8.4 4.6, 11.5 6.2"), 12)
    handle = loft("handle", path, widths, clay, across=(0, 1, 0), sides=48)
    for part in (body, handle):
        part.location.z, part.rotation_euler.z = TABLE, math.radians(-24)
    return [body, handle]


def kitchen() -> None:
    """Objects in the background, out of focus: an empty room looks rendered."""
    chance = dice()
    oak = wood("oak", "#6b4526", "#a87a4b", "#c79f6e")
    wall, grey = plaster("wall", "#d9d2c5"), plain("floor", "#6d6256", 0.5)
    room((4.4, 4.6, 2.6), wall, grey)
    for board in range(-5, 6):
        box(
            (1.5, 0.1185, 0.034),
            (0.05 + chance.uniform(-0.02, 0.02), board * 0.12 - 0.06, TABLE - 0.017),
            oak,
            bevel=0.0016,
        )
    sage = plain("cupboard", "#5f6f62", 0.45)
    box((2.8, 0.62, 0.04), (0.5, 1.98, 0.90), wood("counter", "#4a2d18", "#7c5431", "#98704a"), bevel=0.004)
    box((2.8, 0.02, 0.88), (0.5, 1.75, 0.44), sage, bevel=0)
    for door in range(-2, 4):
        x = door * 0.45 - 0.12
        for side in (-0.19, 0.19):
            box((0.06, 0.02, 0.74), (x + side, 1.735, 0.47), sage)
        for rail in (0.13, 0.81):
            box((0.44, 0.02, 0.06), (x, 1.735, rail), sage)
        ball("knob", (0.016, 0.016, 0.016), (x + 0.18, 1.715, 0.70), plain("brass", "#c9a04e", 0.25, metal=1))
    jug = mm("0 0, 40 0, 56 40, 50 100, 36 140, 44 175, 41 175, 33 140, 0 130")
    lathe("jug", smooth(jug, 6), plain("jug", "#e2dccf", 0.25)).location = (0.235, 0.62, TABLE)
    bowl = lathe("bowl", smooth(mm("0 4, 45 4, 90 30, 115 70, 111 71, 85 34, 0 12"), 6), plain("bowl", "#d3cabb", 0.3))
    bowl.location = (-0.21, 0.42, TABLE)
    for x, y, z in mm("-50 -20 55, 45 10 58, -5 50 60, 0 -10 100"):
        lemon = ball("lemon", (0.042, 0.033, 0.033), (-0.21 + x, 0.42 + y, TABLE + z), plain("lemon", "#d9a916", 0.42))
        lemon.rotation_euler = (chance.uniform(0, 3), chance.uniform(0, 3), chance.uniform(0, 3))


def build() -> list:
    kitchen()
    ambient(0.45, (1.0, 0.93, 0.84))
    window((-1.9, 0.35, 1.55), (0.1, 0.0, TABLE), (1.3, 1.4), 110, bars=plain("frame", "#e8e6e0", 0.4))
    window((1.9, -1.2, 1.7), (0.0, 0.3, 0.9), (0.9, 1.2), 14, tint=(1.0, 0.93, 0.84))
    camera(
        (0.062, -0.41, TABLE + 0.142),
        (0.017, 0.0, TABLE + 0.047),
        focal_mm=70,
        f_number=5.6,
        focus_at=(0.0, -0.036, TABLE + 0.06),
    )
    return mug()


shoot("mug", build, (1280, 960), samples=32, exposure=0.55)
