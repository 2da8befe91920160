"""Packaging with prints: boxes, pouches, tubes, books and cards."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.studio.plan import Colour, paint
from training.studio.products.order import Order
from training.studio.shapes import Thing, box, grid, lathe, mesh
from training.studio.surfaces import printed, shade, solid

SYLLABLES = ("la", "mo", "ver", "ti", "no", "ra", "sel", "ka", "bio", "pur", "en", "do", "lux", "mi", "ter", "on")


def pack(order: Order) -> list[Thing]:
    """One of the packages."""
    return order.chance.choices((_carton, _pouch, _tube, _stack), (0.45, 0.2, 0.2, 0.15))[0](order)


def label(chance: random.Random, aspect: float, base: Colour | None = None) -> np.ndarray:
    """A print, uint8 RGB (H, W, 3): a ground, shapes, a name in large type and lines of small type."""
    width = 320
    height = max(64, round(width / aspect))
    ground = base or paint(chance)
    inks = [shade(ground, 0.8) if base else paint(chance) for _ in range(3)]
    sheet = Image.new("RGB", (width, height), _bytes(ground))
    draw = ImageDraw.Draw(sheet)
    _shapes(chance, draw, (width, height), inks)
    dark = _bytes((0.05, 0.05, 0.06) if sum(ground) > 1.4 else (0.95, 0.95, 0.93))
    size = chance.randint(26, 54)
    x, y = chance.uniform(0.06, 0.2) * width, chance.uniform(0.08, 0.5) * height
    draw.text((x, y), _word(chance), dark, font=ImageFont.load_default(size))
    small = ImageFont.load_default(11)
    for line in range(chance.randint(2, 7)):
        text = " ".join(_word(chance) for _ in range(4))
        draw.text((x, y + size * 1.25 + 14 * line), text.lower(), dark, font=small)
    return np.asarray(sheet)


def _bytes(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 * c) for c in colour)
    return (red, green, blue)


def _word(chance: random.Random) -> str:
    return "".join(chance.choices(SYLLABLES, k=chance.randint(2, 3))).title()


def _shapes(chance: random.Random, draw: ImageDraw.ImageDraw, size: tuple[int, int], inks: list[Colour]) -> None:
    """Bars, discs, stripes: typical decoration of a panel."""
    width, height = size
    how = chance.choice(("bars", "discs", "stripes", "none", "band"))
    for number in range({"bars": 3, "discs": 8, "stripes": 12, "none": 0, "band": 1}[how]):
        ink = _bytes(chance.choice(inks))
        x, y = chance.uniform(0, width), chance.uniform(0, height)
        if how == "discs":
            r = chance.uniform(8, 70)
            draw.ellipse((x - r, y - r, x + r, y + r), ink)
        elif how == "stripes":
            draw.line((number * width / 6, 0, number * width / 6 - width / 2, height), ink, 9)
        else:
            draw.rectangle((0, y, width, y + chance.uniform(10, height / 2)), ink)


def _carton(order: Order) -> list[Thing]:
    """A closed box, upright or flat, each side with the same print."""
    chance = order.chance
    size = (chance.uniform(0.25, 0.9), chance.uniform(0.12, 0.6), chance.uniform(0.3, 1.0))
    if order.pose == "lay":
        size = (size[2], size[0], size[1])
    front = printed(label(chance, size[0] / size[2], order.tone), rough=chance.uniform(0.25, 0.7))
    return [box(size, (0, 0, size[2] / 2), front, bevel=chance.choice((0.004, 0.01)), segments=2)]


def _pouch(order: Order) -> list[Thing]:
    """A stand-up pouch: two sheets, sealed at the sides and at the top, swollen below."""
    chance = order.chance
    wide, tall, deep = chance.uniform(0.5, 0.75), chance.uniform(0.8, 1.1), chance.uniform(0.1, 0.2)
    rows, columns = 32, 24
    v, u = np.meshgrid(np.linspace(0, 1, rows + 1), np.linspace(-1, 1, columns + 1), indexing="ij")
    swell = deep * (1 - u**4) ** 0.7 * np.clip(1.15 - v, 0, 1) ** 0.6 * np.clip((1 - v) * 8, 0, 1)
    crease = 0.008 * np.sin(9 * u + chance.uniform(0, 6)) * np.sin(7 * v + chance.uniform(0, 6)) * (1 - u**2)
    x = wide / 2 * u * (1 - 0.06 * (1 - v) * (1 - (2 * v - 1) ** 2))
    material = printed(
        label(chance, wide / tall, order.tone), rough=chance.uniform(0.15, 0.5), foil=chance.random() < 0.3
    )
    parts = []
    for side in (-1, 1):
        points = np.stack([x, side * (swell + crease + 0.001), tall * v], -1)
        faces = grid(rows, columns) if side < 0 else grid(rows, columns)[:, ::-1]
        sheet = mesh(points.reshape(-1, 3), faces, material)
        corner = np.array([loop.vertex_index for loop in sheet.data.loops])
        uv = np.column_stack([(side * -u.ravel()[corner] + 1) / 2, v.ravel()[corner]])
        sheet.data.uv_layers.new().data.foreach_set("uv", uv.ravel().astype(np.float32))
        parts.append(sheet)
    return _laid(parts, order)


def _tube(order: Order) -> list[Thing]:
    """A squeezed tube on its cap: round below, flat and crimped at the top."""
    chance = order.chance
    radius, rows, sides = chance.uniform(0.11, 0.17), 24, 48
    v = np.linspace(0, 1, rows + 1)[:, None]
    angles = np.arange(sides) * 2 * np.pi / sides
    flat = np.clip(v, 0, 1) ** 1.3
    x = radius * (1 + 0.5 * flat) * np.cos(angles)
    y = radius * (1 - 0.97 * flat) * np.sin(angles)
    points = np.stack([x, y, np.broadcast_to(0.14 + 0.86 * v, x.shape)], -1)
    body = mesh(
        points.reshape(-1, 3), grid(rows, sides, closed=True), printed(label(chance, 0.5, order.tone), rough=0.3)
    )
    corner = np.array([loop.vertex_index for loop in body.data.loops])
    uv = np.column_stack([x.ravel()[corner] / radius / 3 + 0.5, corner // sides / rows])
    body.data.uv_layers.new().data.foreach_set("uv", uv.ravel().astype(np.float32))
    cap_radius = radius * chance.uniform(0.6, 1.0)
    cap = lathe(
        [(0, 0), (cap_radius, 0), (cap_radius * 0.95, 0.14), (radius, 0.15), (0, 0.15)], solid(chance, order.tone)
    )
    return _laid([body, cap], order)


def _stack(order: Order) -> list[Thing]:
    """A stack of one to five books or boxes, each slightly rotated."""
    chance = order.chance
    parts, height = [], 0.0
    for _ in range(chance.randint(1, 5)):
        size = (chance.uniform(0.5, 0.8), chance.uniform(0.4, 0.6), chance.uniform(0.05, 0.2))
        cover = printed(label(chance, size[0] / size[1], order.tone), rough=chance.uniform(0.3, 0.8))
        part = box(size, (0, 0, height + size[2] / 2), cover, bevel=0.006, segments=2)
        part.rotation_euler.z = chance.gauss(0, 0.2)
        parts.append(part)
        height += size[2]
    return parts


def _laid(parts: list[Thing], order: Order) -> list[Thing]:
    if order.pose == "lay":
        for part in parts:
            part.rotation_euler.x = np.pi / 2
    return parts
