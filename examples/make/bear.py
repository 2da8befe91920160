"""A plush bear on a linen sofa: an outline of fine hair without a sharp edge."""

import math
import random

import bpy
from materials import Surface, cloth, plain, plaster
from shapes import ball, box, fillet, lathe, loft, mm, smooth
from studio import SEED, ambient, camera, dice, room, shoot, window

SEAT = 0.42


def fur(colour: str, dark: str) -> bpy.types.Material:
    s = Surface("fur")
    tuft = s.noise(s.place(), 45, detail=3)
    tip = s.node("HairInfo", "Intercept")
    tone = s.blend(s.between(tuft, 0.35, 0.65, (0, 0.5)), colour, dark)
    tone = s.blend(s.between(tip, 0, 0.7, (0.75, 0.0)), tone, dark)
    return s.finish(Base_Color=tone, Roughness=0.75, Sheen_Weight=0.3)


def furry(part: bpy.types.Object, length: float, parents: int) -> bpy.types.Object:
    """Grow short clumped pile on `part`."""
    pile = part.modifiers.new("pile", "PARTICLE_SYSTEM").particle_system
    pile.seed = SEED
    hair = pile.settings
    hair.type, hair.count, hair.hair_length, hair.hair_step = "HAIR", parents, length, 4
    hair.child_type, hair.rendered_child_count = "INTERPOLATED", 14
    hair.clump_factor, hair.clump_shape, hair.child_length = 0.55, 0.2, 0.9
    hair.roughness_1, hair.roughness_1_size, hair.roughness_endpoint = 0.0035, 0.01, 0.006
    hair.roughness_2, hair.roughness_2_size = 0.004, 0.02
    hair.brownian_factor, hair.factor_random = 0.004, 0.25 * length
    hair.kink, hair.kink_amplitude, hair.kink_frequency = "CURL", 0.0012, 3.0
    hair.root_radius, hair.tip_radius, hair.radius_scale = 1.0, 0.35, 0.00030
    hair.render_step, hair.display_step = 4, 2
    return part


def bear() -> list:
    """Sitting, 26 cm tall, head a little to one side."""
    coat, muzzle, pad = (
        fur("#b58553", "#7a5230"),
        fur("#dcc29a", "#a98758"),
        cloth("pad", "#cdb089", "#a08159", threads_per_m=1600),
    )
    bead, thread = plain("bead", "#0d0a08", 0.06, smudge=0.03), plain("thread", "#1d1411", 0.7)
    lumps = [
        ("belly", (0.066, 0.056, 0.074), (0, 0, 0.075), (0, 0, 0), coat, 5200),
        ("head", (0.060, 0.054, 0.054), (0.003, -0.004, 0.186), (4, 5, 0), coat, 4200),
        ("ear l", (0.021, 0.011, 0.021), (-0.044, 0.000, 0.232), (0, -24, 10), coat, 900),
        ("ear r", (0.021, 0.011, 0.021), (0.053, 0.000, 0.226), (0, 30, -10), coat, 900),
        ("muzzle", (0.028, 0.026, 0.022), (0.003, -0.050, 0.173), (0, 0, 0), muzzle, 1300),
        ("arm l", (0.022, 0.023, 0.052), (-0.073, -0.026, 0.098), (-38, 30, 0), coat, 1900),
        ("arm r", (0.022, 0.023, 0.052), (0.073, -0.030, 0.094), (-44, -26, 0), coat, 1900),
        ("leg l", (0.030, 0.058, 0.029), (-0.056, -0.070, 0.030), (0, 0, -24), coat, 2200),
        ("leg r", (0.030, 0.058, 0.029), (0.057, -0.070, 0.030), (0, 0, 22), coat, 2200),
    ]
    parts = []
    for name, radius, at, turn, material, parents in lumps:
        part = ball(name, radius, at, material)
        part.rotation_euler = [math.radians(angle) for angle in turn]
        parts.append(furry(part, 0.0075 if material is coat else 0.005, parents // 2))
    for x, turn in ((-0.0785, -24), (0.0780, 22)):
        sole = ball("sole", (0.024, 0.004, 0.024), (x, -0.1265, 0.031), pad, level=5)
        sole.rotation_euler.z = math.radians(turn)
        parts.append(sole)
    parts += [ball("eye", (0.0068, 0.0058, 0.0070), (x, -0.0630, 0.2010), bead) for x in (-0.0195, 0.0255)]
    parts.append(ball("nose", (0.0100, 0.0065, 0.0070), (0.003, -0.0800, 0.180), thread))
    stitch = smooth(mm("3 -83.5 174, 3 -83.5 166, -2 -81.5 161, -10 -77.5 160"), 8)
    parts.append(loft("stitch", stitch, [(0.0011, 0.0011)] * len(stitch), thread, across=(1, 0, 0), sides=12))
    stitch = smooth(mm("3 -83.5 166, 8 -81.5 161, 16 -77.5 160"), 8)
    parts.append(loft("stitch", stitch, [(0.0011, 0.0011)] * len(stitch), thread, across=(1, 0, 0), sides=12))
    parts += ribbon()
    for part in parts:
        x, y, z = part.location
        part.location = (x, y, z + SEAT - 0.009)
    return parts


def ribbon() -> list:
    """A bow round the neck."""
    satin = cloth("satin", "#7f2330", "#5a1520", threads_per_m=2600)
    band = lathe("band", fillet(mm("50 128 0, 54 131 3, 54 143 3, 50 146 0")), satin)
    band.scale = (1.0, 0.95, 1.0)
    parts = [band, ball("knot", (0.010, 0.008, 0.009), (0.003, -0.0590, 0.136), satin)]
    for side in (-1, 1):
        loop = smooth(
            [
                (0.003, -0.060, 0.136),
                (0.003 + side * 0.018, -0.069, 0.145),
                (0.003 + side * 0.036, -0.066, 0.143),
                (0.003 + side * 0.037, -0.061, 0.131),
                (0.003 + side * 0.018, -0.060, 0.132),
                (0.003, -0.060, 0.136),
            ],
            10,
        )
        parts.append(loft("loop", loop, [(0.0090, 0.0009)] * len(loop), satin, across=(0, -0.45, 1), sides=24))
        tail = smooth(
            [(0.003, -0.062, 0.134), (0.003 + side * 0.012, -0.071, 0.118), (0.003 + side * 0.020, -0.075, 0.097)], 10
        )
        parts.append(loft("tail", tail, [(0.0075, 0.0008)] * len(tail), satin, across=(1, 0, 0), sides=24))
    return parts


def cushion(
    size: tuple[float, float, float], at: tuple[float, float, float], lean: float, fabric, chance: random.Random
) -> None:
    """An upholstered block: rounded, overstuffed, with a few soft dents."""
    block = box(size, at, fabric, bevel=0)
    block.data.shade_smooth()
    block.rotation_euler.x = math.radians(lean)
    block.modifiers.new("round", "BEVEL").width = min(size) * 0.42
    soft = block.modifiers.new("soft", "SUBSURF")
    soft.levels = soft.render_levels = 5
    dents = bpy.data.textures.new("dents", "CLOUDS")
    dents.noise_scale = 0.14 + chance.uniform(0, 0.05)
    push = block.modifiers.new("dents", "DISPLACE")
    push.texture, push.strength, push.mid_level = dents, 0.02, 0.5


def sofa() -> None:
    chance = dice()
    room((4.0, 4.0, 2.5), plaster("wall", "#c9c4ba"), plain("floor", "#6a5a48", 0.5))
    fabric = cloth("linen", "#a9a595", "#6f6c60", threads_per_m=620)
    cushion((0.95, 0.62, 0.16), (-0.30, -0.02, SEAT - 0.08), 0, fabric, chance)
    cushion((0.95, 0.62, 0.16), (0.66, -0.02, SEAT - 0.08), 0, fabric, chance)
    cushion((0.95, 0.17, 0.46), (-0.30, 0.26, SEAT + 0.20), -10, fabric, chance)
    cushion((0.95, 0.17, 0.46), (0.66, 0.26, SEAT + 0.20), -10, fabric, chance)
    cushion(
        (0.40, 0.13, 0.36),
        (-0.34, 0.10, SEAT + 0.17),
        -18,
        cloth("ochre", "#b88a4a", "#7d5926", threads_per_m=480),
        chance,
    )
    box((2.4, 0.1, 0.7), (0, 0.42, 0.35), fabric, bevel=0.04)


def build() -> list:
    sofa()
    ambient(0.35, (1.0, 0.94, 0.86))
    window((-1.6, -0.7, 1.55), (0.0, 0.0, SEAT + 0.1), (1.1, 1.3), 70, bars=plain("frame", "#e8e6e0", 0.4))
    window((1.5, -0.9, 1.3), (0.0, 0.0, SEAT), (0.5, 0.9), 7, tint=(1.0, 0.84, 0.66))
    camera(
        (0.10, -0.98, SEAT + 0.26),
        (0.004, 0.0, SEAT + 0.128),
        focal_mm=85,
        f_number=4.5,
        focus_at=(0, -0.07, SEAT + 0.16),
    )
    return bear()


shoot("bear", build, (960, 1200), exposure=1.15)
