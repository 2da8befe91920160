"""An amber pump bottle with a printed label on a tiled bathroom ledge: glass, liquid, thin type and a thin spout."""

import math

import bpy
from materials import Surface, cloth, plain, plaster
from shapes import ball, box, fillet, grid, lathe, lettering, loft, mesh, mm, smooth
from studio import ambient, camera, dice, room, shoot, window

LEDGE = 1.0  # height of the ledge, m
RADIUS = 0.031


def amber() -> bpy.types.Material:
    s = Surface("amber")
    wave = s.bump(s.noise(s.place((1, 1, 0.4)), 60, detail=2), 0.0001)
    fingers = s.between(s.noise(s.place(), 45, detail=5, warp=1), 0.45, 0.7, (0.015, 0.09))
    return s.finish(Base_Color="#b5560f", Roughness=fingers, Transmission_Weight=1.0, IOR=1.5, Normal=wave)


def paper() -> bpy.types.Material:
    s = Surface("paper")
    fibre = s.noise(s.place(), 900, detail=3)
    tone = s.blend(s.between(fibre, 0.3, 0.8, (0, 0.15)), "#ece5d6", "#cbbfa6")
    return s.finish(Base_Color=tone, Roughness=0.75, Normal=s.bump(fibre, 0.00004))


def bottle() -> list:
    """16 cm with its pump."""
    glass, black, ink = amber(), plain("pump", "#161514", 0.38, smudge=0.1), plain("ink", "#2b2723", 0.7)
    wall = [
        (0, 0.003, 0),
        (0.024, 0.0, 0.003),
        (RADIUS, 0.0, 0.006),
        (RADIUS, 0.098, 0.024),
        (0.0125, 0.112, 0.008),
        (0.0120, 0.122, 0),
    ]
    inner = mm("9.8 122 0, 10 111 8, 28.5 96 22, 28.5 4.5 6, 0 5.5 0")
    parts = [lathe("glass", [*fillet(wall, 8), *fillet(inner, 8)], glass)]
    fluid = Surface("fluid").finish(Base_Color="#a8641c", Roughness=0.0, Transmission_Weight=1.0, IOR=1.36)
    parts.append(lathe("fluid", fillet(mm("0 5.6 0, 28.4 4.6 6, 28.4 83 0, 0 82.5 0")), fluid))
    parts.append(
        loft("dip tube", mm("0 0 12, 2 0 60, 0 0 120"), [(0.002, 0.002)] * 3, plain("tube", "#d8d2c4", 0.4), sides=16)
    )
    collar = fillet(mm("0 140 0, 8 140 2, 9 136 3, 15.5 135 2, 15.8 115 1, 12.5 114.6 0"))
    ring = lathe("collar", collar, black, sides=192)
    for vertex in ring.data.vertices:  # ribs for grip with wet fingers
        x, y, z = vertex.co
        if math.hypot(x, y) > 0.0148 and z < 0.134:
            squeeze = 1 - 0.016 * (0.5 + 0.5 * math.cos(48 * math.atan2(y, x)))
            vertex.co = (x * squeeze, y * squeeze, z)
    parts.append(ring)
    parts.append(lathe("stem", mm("0 138, 4.2 138, 4.2 156, 0 156"), black))
    head = fillet(mm("0 151 0, 7.8 151 1, 8.2 163 3, 4 165.5 2, 0 165.5 0"))
    parts.append(lathe("head", head, black))
    spout = smooth(mm("0 0 158.5, 18 0 159.2, 31 0 158, 36.5 0 152"), 10)
    widths = smooth(mm("6.2 5, 5 4.2, 4.2 3.6, 3.6 3.2"), 10)
    parts.append(loft("spout", spout, widths, black))
    parts += label(ink)
    for part in parts:
        part.location.z += LEDGE
        part.rotation_euler.z = math.radians(7)
    return parts


def label(ink: bpy.types.Material) -> list:
    """A paper label round two thirds of the bottle; the type is 0.05 mm proud, about like silk-screened ink."""
    outside = RADIUS + 0.0002
    rows, columns = (0.020, 0.082), 96
    angles = [math.radians(-90 + (column / columns - 0.5) * 240) for column in range(columns + 1)]
    ring = [(outside * math.cos(a), outside * math.sin(a), z) for z in rows for a in angles]
    sheet = mesh("label", ring, grid(1, columns), paper())
    lines = [
        ("BERGAMOT", 0.0070, 0.0640, 1.15),
        ("& cedar leaf", 0.0056, 0.0555, 1.1),
        ("HAND WASH", 0.0046, 0.0375, 1.4),
    ]
    lines += [("with oat milk and glycerine", 0.0029, 0.0325, 1.1), ("250 ml  /  8.4 fl oz", 0.0029, 0.0250, 1.15)]
    type_set = []
    for text, size, z, spacing in lines:
        line = lettering(text, size, ink, radius=outside + 0.00005, spacing=spacing)
        line.location.z = z
        type_set.append(line)
    for z in (0.0765, 0.0460, 0.0222):
        edge = [
            ((outside + 5e-5) * math.cos(a), (outside + 5e-5) * math.sin(a), z + dz)
            for dz in (0, 0.00035)
            for a in angles[22:75]
        ]
        type_set.append(mesh("rule", edge, grid(1, len(edge) // 2 - 1), ink))
    return [sheet, *type_set]


def bathroom() -> None:
    """Hand-made tiles, slightly uneven in shape and colour, over a stone ledge."""
    chance = dice()
    room((3.2, 3.0, 2.5), plaster("wall", "#dcd8cf"), plain("floor", "#7d776e", 0.4))
    back, wide, tall = 0.17, 0.148, 0.073
    box((3, 0.02, 1.2), (0, back + 0.018, LEDGE + 0.5), plain("grout", "#b9b2a4", 0.9), bevel=0)
    glazes = [plain("tile", colour, 0.12, smudge=0.07) for colour in ("#c8d0c4", "#bfc9be", "#cdd3c6", "#b7c3b9")]
    for row in range(9):
        for column in range(-5, 6):
            x = (column + 0.5 * (row % 2)) * (wide + 0.003) + 0.03
            tile = box(
                (wide, 0.008, tall),
                (x, back + chance.uniform(0, 0.0006), LEDGE + 0.036 + row * (tall + 0.003)),
                chance.choice(glazes),
                bevel=0.0022,
            )
            tile.rotation_euler = (chance.gauss(0, 0.006), chance.gauss(0, 0.004), chance.gauss(0, 0.004))
    stone = Surface("stone")
    at = stone.place()
    vein = stone.between(stone.noise(at, 7, detail=5, warp=2.5), 0.47, 0.53)
    tone = stone.ramp(stone.noise(at, 160, detail=4), [(0.3, "#8d877d"), (0.7, "#b5afa3")])
    slab = stone.finish(
        Base_Color=stone.blend(vein, "#9c968b", tone),
        Roughness=stone.between(stone.noise(at, 25), 0.3, 0.7, (0.25, 0.45)),
    )
    box((3, 0.42, 0.03), (0, back - 0.19, LEDGE - 0.015), slab, bevel=0.003)
    glass = plain("tumbler", "#7c8f91", 0.2)
    lathe("cup", smooth(mm("0 2, 30 0, 36 50, 37 93, 35 93, 33 50, 0 6"), 6), glass).location = (-0.155, 0.085, LEDGE)
    for lean, turn, colour in ((0.16, 0.5, "#c98b5e"), (0.2, 2.6, "#e5e0d3")):
        brush = loft("brush", mm("0 0 0, 0 0 100, 0 0 180"), mm("5 4, 4 3, 6 4"), plain("brush", colour, 0.4), sides=16)
        brush.location, brush.rotation_euler = (
            (-0.155, 0.085, LEDGE + 0.01),
            (lean * math.cos(turn), lean * math.sin(turn), 0),
        )
    folded = cloth("towel", "#d3b79c", "#a98a6e", threads_per_m=700)
    for layer in range(3):
        box(
            (0.16, 0.13, 0.022),
            (0.165 + chance.uniform(-0.004, 0.004), 0.09, LEDGE + 0.012 + layer * 0.022),
            folded,
            bevel=0.0105,
            turn=chance.uniform(-3, 3),
        )
    ball("soap", (0.034, 0.024, 0.014), (-0.075, -0.09, LEDGE + 0.0135), plain("soap", "#d8cba6", 0.35))


def build() -> list:
    bathroom()
    ambient(0.45, (1.0, 0.93, 0.84))
    window((-1.3, -0.55, 1.75), (0.0, 0.05, LEDGE + 0.05), (0.9, 1.2), 55, bars=plain("frame", "#e8e6e0", 0.4))
    window((0.4, -1.2, 2.4), (0.0, 0.1, LEDGE), (0.5, 0.5), 9, tint=(1.0, 0.88, 0.74))
    camera(
        (0.04, -0.62, LEDGE + 0.150),
        (0.004, 0.0, LEDGE + 0.079),
        focal_mm=80,
        f_number=6.3,
        focus_at=(0, -0.028, LEDGE + 0.07),
    )
    return bottle()


shoot("bottle", build, (960, 1280), exposure=0.6)
