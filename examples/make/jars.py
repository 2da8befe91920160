"""A set of three: a face cream, a serum with a dropper and a hand cream tube, on linen over a dressing table."""

import math

import bpy
from materials import Surface, cloth, plain, plaster, wood
from shapes import box, fillet, grid, lathe, lettering, loft, mesh, mm, smooth
from studio import ambient, camera, dice, room, shoot, window

TOP = 0.75  # height of the cloth, m


def stand(parts: list, at: tuple[float, float], turn: float) -> list:
    """Rotate parts made round the origin by `turn` degrees and stand them on the table."""
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    for part in parts:
        x, y, z = part.location
        part.location = (at[0] + cos * x - sin * y, at[1] + sin * x + cos * y, TOP + z)
        part.rotation_euler.z += math.radians(turn)
    return parts


def brushed(name: str, colour: str) -> bpy.types.Material:
    """Spun metal: its lines run round the part."""
    s = Surface(name)
    lines = s.noise(s.place((2, 2, 1200)), 1.0, detail=2)
    rough = s.between(lines, 0.3, 0.7, (0.20, 0.34))
    return s.finish(Base_Color=colour, Metallic=1.0, Roughness=rough, Normal=s.bump(lines, 0.00002))


def printed(lines: list[tuple[str, float, float]], radius: float, ink) -> list:
    """Lines of (text, size, height) round a cylinder of `radius`."""
    type_set = []
    for text, size, z in lines:
        line = lettering(text, size, ink, radius=radius + 0.00008, spacing=1.15)
        line.location.z = z
        type_set.append(line)
    return type_set


def cream(ink) -> list:
    """A glossy jar of pale pink glass with a spun brass lid, 6 cm across."""
    glass = Surface("opal")
    rough = glass.between(glass.noise(glass.place(), 40, detail=4), 0.3, 0.7, (0.08, 0.2))
    opal = glass.finish(Base_Color="#dfb7a8", Roughness=rough, Subsurface_Weight=0.0, Coat_Weight=0.4)
    body = lathe("cream", fillet(mm("0 1 0, 24 0 4, 30 0 10, 30 31 6, 26 34 2, 0 34 0"), 8), opal)
    lid = fillet(mm("0 34.5 0, 29.7 34.5 0.6, 29.9 51.5 2.2, 26 52.1 1, 0 51.9 0"), 6)
    return [
        body,
        lathe("lid", lid, brushed("brass", "#cfa667")),
        *printed([("rosewood", 0.0060, 0.0172), ("face cream  50 ml", 0.0030, 0.0105)], 0.030, ink),
    ]


def serum(ink) -> list:
    """Cobalt glass, a rubber bulb, 11 cm tall."""
    s = Surface("cobalt")
    rough = s.between(s.noise(s.place(), 50, detail=5, warp=1), 0.45, 0.7, (0.02, 0.10))
    cobalt = s.finish(Base_Color="#16408f", Roughness=rough, Transmission_Weight=1.0, IOR=1.5)
    wall = fillet(mm("0 2 0, 12 0 3, 18.5 0 5, 18.5 60 10, 8.5 66 4, 8.5 70 0"), 8)
    hollow = fillet(mm("6.6 70 0, 6.6 65 4, 16.5 58 9, 16.5 5 4, 0 6 0"), 8)
    fluid = Surface("fluid").finish(Base_Color="#c9d2e0", Roughness=0.0, Transmission_Weight=1.0, IOR=1.36)
    parts = [
        lathe("serum", [*wall, *hollow], cobalt),
        lathe("fluid", fillet(mm("0 6.2 0, 16.4 5.2 4, 16.4 46 0, 0 45.7 0")), fluid),
    ]
    collar = fillet(mm("0 83 0, 10.7 83 1.5, 11 67 0.6, 8.8 66.6 0"))
    parts.append(lathe("collar", collar, brushed("collar brass", "#cfa667")))
    bulb = smooth(mm("7.2 83, 7.4 90, 6.8 93, 7.3 98, 6.8 107.5, 4 112.5, 0 113.5"), 8)
    parts.append(lathe("bulb", bulb, plain("rubber", "#e4ded4", 0.6)))
    paper = plain("label", "#efe9dd", 0.7)
    columns, rows = 64, (0.011, 0.049)
    angles = [math.radians(-90 + (column / columns - 0.5) * 230) for column in range(columns + 1)]
    sheet = [(0.01862 * math.cos(a), 0.01862 * math.sin(a), z) for z in rows for a in angles]
    parts.append(mesh("label", sheet, grid(1, columns), paper))
    return parts + printed(
        [("rosewood", 0.0050, 0.0375), ("night", 0.0034, 0.0285), ("serum", 0.0034, 0.0240), ("30 ml", 0.0026, 0.0150)],
        0.0187,
        ink,
    )


def tube(ink) -> list:
    """A squeezed tube standing on its cap: round below, flat at the crimp."""
    heights = [0.024, 0.027, 0.034, 0.060, 0.095, 0.125, 0.138, 0.1385]
    wide = [0.016, 0.0190, 0.0195, 0.0205, 0.0225, 0.0245, 0.0252, 0.0252]
    deep = [0.016, 0.0188, 0.0190, 0.0170, 0.0110, 0.0042, 0.0012, 0.0010]
    profile = smooth(list(zip(heights, wide, deep, strict=True)), 10)
    skin = plain("tube", "#e9e1d3", 0.35, smudge=0.1)
    body = loft(
        "tube", [(0, 0, z) for z, _, _ in profile], [(w, d) for _, w, d in profile], skin, across=(1, 0, 0), sides=96
    )
    for vertex in body.data.vertices:  # a slight dent from a thumb
        x, y, z = vertex.co
        dent = 0.0022 * math.exp(-(((x - 0.006) / 0.011) ** 2) - ((z - 0.078) / 0.016) ** 2)
        vertex.co.y += dent if y < 0 else 0
    crimp = box((0.0500, 0.0018, 0.010), (0, 0, 0.1405), skin, bevel=0.0007)
    cap = lathe("cap", fillet(mm("0 0 0, 16.5 0 1.2, 17.8 23.8 1.2, 0 24 0")), brushed("cap brass", "#cfa667"))
    type_set = []
    for text, size, z, y in [
        ("rosewood", 0.0068, 0.098, -0.0103),
        ("hand cream", 0.0040, 0.0905, -0.0118),
        ("75 ml", 0.0030, 0.048, -0.0188),
    ]:
        line = lettering(text, size, ink, spacing=1.1)
        line.location = (0, y - 0.0004, z)
        drape = line.modifiers.new("print", "SHRINKWRAP")
        drape.target, drape.wrap_method, drape.use_project_y, drape.offset = body, "PROJECT", True, 0.0001
        drape.use_negative_direction = drape.use_positive_direction = True
        drape.cull_face = "OFF"
        drape.project_limit = 0.006
        type_set.append(line)
    return [body, crimp, cap, *type_set]


def dressing_table() -> None:
    """A walnut top with a rumpled linen runner, a mirror's edge and a vase behind."""
    chance = dice()
    room((3.4, 3.2, 2.5), plaster("wall", "#cdb9a6"), plain("floor", "#6d6256", 0.5))
    walnut = wood("walnut", "#2e1c11", "#5d3d26", "#84603f", sheen=0.32)
    for board in range(-2, 4):
        box((1.6, 0.158, 0.03), (chance.uniform(-0.1, 0.1), board * 0.16, TOP - 0.0185), walnut, bevel=0.0012)
    linen = cloth("linen", "#d8cfbe", "#a3977f", threads_per_m=900)
    columns, rows, width, depth = 260, 150, 0.62, 0.36
    wave = [(chance.uniform(8, 26), chance.uniform(-3.1, 3.1), chance.uniform(0, 6.3)) for _ in range(9)]
    sheet = []
    for row in range(rows + 1):
        for column in range(columns + 1):
            x, y = (column / columns - 0.5) * width, (row / rows - 0.5) * depth
            away = max(0.0, math.hypot(x / 0.16, (y + 0.01) / 0.10) - 1)  # flat under the set, in folds around it
            folds = sum(math.sin(k * (x * math.cos(t) + y * math.sin(t)) + p) for k, t, p in wave) / 9
            sheet.append(
                (x + 0.006 * folds, y + 0.010 * math.sin(5 * x), TOP - 0.0025 + min(away, 1.2) * 0.007 * (folds + 0.35))
            )
    runner = mesh("runner", sheet, grid(rows, columns), linen)
    runner.modifiers.new("thickness", "SOLIDIFY").thickness = 0.0012
    runner.rotation_euler.z = math.radians(6)
    vase = lathe(
        "vase", smooth(mm("0 0, 50 0, 75 70, 50 160, 24 210, 28 235, 24 235, 0 200"), 8), plain("vase", "#6f7d74", 0.5)
    )
    vase.location = (0.24, 0.36, TOP)
    frame = plain("frame", "#b08d57", 0.35, metal=1)
    mirror = plain("mirror", "#dfe3e3", 0.02, metal=1, smudge=0.02)
    disc = lathe("mirror", fillet(mm("0 4 0, 148 4 1, 148 -4 1, 0 -4 0")), mirror)
    hoop = lathe("hoop", fillet(mm("147 -8 3, 158 -8 3, 158 8 3, 147 8 3, 147 -8 3")), frame)
    for part in (disc, hoop):
        part.location, part.rotation_euler = (-0.25, 0.42, TOP + 0.175), (math.radians(82), 0, math.radians(24))


def build() -> list:
    dressing_table()
    ambient(0.5, (1.0, 0.92, 0.84))
    window((-1.4, -0.5, 1.6), (0.0, 0.0, TOP), (1.0, 1.2), 62, bars=plain("frame", "#e8e6e0", 0.4))
    window((1.4, -0.6, 1.5), (0.0, 0.0, TOP), (0.5, 0.9), 7, tint=(1.0, 0.86, 0.7))
    camera(
        (0.05, -0.68, TOP + 0.20), (0.008, 0.0, TOP + 0.062), focal_mm=85, f_number=8.0, focus_at=(0, -0.03, TOP + 0.05)
    )
    ink = plain("ink", "#4a2f25", 0.6)
    return [
        *stand(cream(ink), (-0.055, -0.035), -4),
        *stand(serum(ink), (0.012, -0.008), 6),
        *stand(tube(ink), (0.072, 0.012), 12),
    ]


shoot("jars", build, (1280, 960), exposure=0.5)
