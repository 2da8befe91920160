"""A white porcelain teapot on white seamless paper: the hard case, white on white with a hole in the handle."""

import math

import bpy
from materials import Surface, plain, plaster
from shapes import fillet, grid, lathe, loft, mesh, mm, smooth
from studio import ambient, camera, room, shoot, window

TABLE = 0.7  # height of the paper, m


def porcelain() -> bpy.types.Material:
    s = Surface("porcelain")
    at = s.place()
    wave = s.bump(s.noise(at, 26, detail=2), 0.0009)
    wiped = s.between(s.noise(at, 40, detail=5, warp=1.4), 0.35, 0.7, (0.05, 0.14))
    tone = s.blend(s.between(s.noise(at, 12, detail=3), 0.3, 0.7, (0, 0.3)), "#eeece6", "#e4e1da")
    return s.finish(Base_Color=tone, Roughness=wiped, Normal=wave, Coat_Weight=0.3)


def teapot() -> list:
    """One litre: belly, spout, looped handle, lid with a knob and a gold line."""
    clay, gold = porcelain(), plain("gold", "#c99a45", 0.22, metal=1)
    belly = mm("0 4, 40 4, 43 0, 47 1, 48 6, 62 20, 77 46, 77.5 74, 64 102, 46 115.5, 41.5 118")
    lip = mm("40.5 122.5, 38.5 123.5, 37 121.5, 37 114, 0 112")
    body = lathe("body", smooth([*belly, *lip], 10), clay)
    cover = mm(
        "36.2 120, 36.6 124, 34.5 126.2, 26 133, 12 137.5, 6.2 140.5, 5.6 145, 9.8 151, 11.2 157, 8 162, 0 163.5"
    )
    lid = lathe("lid", smooth(cover, 10), clay)
    line = lathe(
        "line",
        [(0.0375 + 0.0018 * math.cos(a), 0.12345 + 0.0006 * math.sin(a)) for a in (x * math.pi / 8 for x in range(17))],
        gold,
    )
    spine = smooth(mm("-58 0 40, -82 0 50, -97.5 0 72, -105.5 0 98, -120.5 0 117, -126 0 121.5, -127.5 0 122.6"), 12)
    girth = smooth(mm("26 30, 18.5 20, 12.5 13.5, 9 9.8, 7.8 8.6, 7.6 8.4, 6 6.6"), 12)
    spout = loft("spout", spine, girth, clay, sides=64)
    ear = smooth(mm("60 0 100, 82 0 109.5, 108 0 104, 119.5 0 82, 112 0 56, 92 0 37, 68 0 33"), 12)
    grip = smooth(mm("12.5 8.5, 8 6.2, 7 5.5, 6.8 5.2, 6.8 5.2, 7.4 5.6, 11.5 8"), 12)
    handle = loft("handle", ear, grip, clay, sides=48)
    parts = [body, lid, line, spout, handle]
    for part in parts:
        part.rotation_euler.z = math.radians(-22)
    return parts


def sweep() -> bpy.types.Object:
    """Paper from a roll: flat, curving up behind, with faint waves of use."""
    outline = mm("-900 0 0, 420 0 300, 750 1600 0")
    track = [(-0.9 + 0.01 * step, 0.0) for step in range(90)] + fillet(outline, 24)[1:]
    columns = 60
    vertices = [
        (
            (c / columns - 0.5) * 2.6,
            y,
            z + 0.0012 * math.sin(9 * c / columns + 3 * y) * min(1, 4 * abs(c / columns - 0.5)),
        )
        for y, z in track
        for c in range(columns + 1)
    ]
    s = Surface("paper")
    tooth = s.noise(s.place(), 700, detail=3)
    soft = s.between(s.noise(s.place(), 4, detail=4), 0.3, 0.7, (0, 0.08))
    return mesh(
        "sweep",
        vertices,
        grid(len(track) - 1, columns),
        s.finish(Base_Color=s.blend(soft, "#e9e8e4", "#bdb9b0"), Roughness=0.8, Normal=s.bump(tooth, 0.00008)),
    )


def build() -> list:
    room((4.0, 4.0, 2.6), plaster("wall", "#8f8b85"), plain("floor", "#55504a", 0.6))
    product = teapot()
    for thing in (sweep(), *product):
        thing.location.z = TABLE
    ambient(0.30, (0.95, 0.97, 1.0))
    window((-1.1, -0.15, 1.75), (0.0, 0.05, 0.76), (0.8, 1.0), 26)
    window((1.5, -0.5, 1.2), (0.0, 0.0, 0.75), (0.5, 0.9), 3.5, tint=(1.0, 0.93, 0.86))
    camera(
        (0.05, -0.80, TABLE + 0.225), (-0.003, 0.0, TABLE + 0.074), focal_mm=85, f_number=8.0, focus_at=(0, -0.07, 0.77)
    )
    return product


shoot("teapot", build, (1250, 1000), exposure=0.95)
