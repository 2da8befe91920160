"""The plan of a scene, drawn from its seed alone: the same seed gives the same plan, with or without Blender."""

from __future__ import annotations

import colorsys
import random
from dataclasses import dataclass

VAL_SEEDS = 1_000_000  # scenes from this seed on are studio-val: never trained on

# Classes that real masks lack get the larger shares; "set" is two to five products of other classes.
SHARES = {
    "scan": 0.11,
    "vessel": 0.08,
    "glass": 0.09,
    "metal": 0.05,
    "cup": 0.06,
    "wire": 0.08,
    "chain": 0.08,
    "cable": 0.05,
    "fur": 0.07,
    "cloth": 0.08,
    "furniture": 0.08,
    "pack": 0.08,
    "set": 0.09,
}
CLASSES = tuple(SHARES)
SET_KINDS = ("scan", "vessel", "glass", "metal", "cup", "pack")
BACKDROPS = {"flat": 0.12, "sweep": 0.40, "table": 0.30, "room": 0.18}
SAME_COLOUR_SHARE = 0.40  # of the scenes before a single colour: a fifth of all scenes is white on white or similar

# Poses of each class, with weights. Hanging products have no floor.
POSES = {
    "cloth": {"hang": 0.45, "lay": 0.35, "stand": 0.20},
    "chain": {"hang": 0.25, "lay": 0.75},
    "cable": {"lay": 1.0},
    "scan": {"stand": 0.8, "lay": 0.2},
    "pack": {"stand": 0.75, "lay": 0.25},
    "vessel": {"stand": 0.92, "lay": 0.08},
    "glass": {"stand": 0.92, "lay": 0.08},
}

Colour = tuple[float, float, float]  # sRGB in 0..1


@dataclass(frozen=True)
class Item:
    """One product: its builder, the seed of its shape, its pose, and a required colour, if any."""

    kind: str
    seed: int
    pose: str
    tone: Colour | None = None


@dataclass(frozen=True)
class Backdrop:
    """The background and the floor. `pick` values in 0..1 choose a file from those available."""

    kind: str
    colour: Colour
    second: Colour
    gloss: float
    floor_pick: float
    wall_pick: float
    photo: bool
    distance: float
    distractors: int


@dataclass(frozen=True)
class Light:
    """An environment of mean radiance `world`, and softboxes: one of strength 1 gives a white surface radiance 1."""

    hdri_pick: float | None
    world: float
    turn_degrees: float
    boxes: tuple[tuple[float, float, float, float], ...]  # strength, azimuth, elevation (degrees), size
    warmth: float


@dataclass(frozen=True)
class Lens:
    """Framing: `fill` is the product's share of the frame, `offset` its place in the remaining space, in -1..1."""

    aspect: float
    focal_mm: float
    elevation_degrees: float
    fill: float
    offset: tuple[float, float]
    blur: float  # of the frame's long side, one product radius behind the focus; 0 is a pinhole


@dataclass(frozen=True)
class Film:
    """Steps from light to file: brightness of the anchor, white balance, contrast, grain, JPEG quality."""

    exposure: float
    balance: tuple[float, float]  # gains of red and blue
    contrast: float
    grain: float
    quality: int


@dataclass(frozen=True)
class Scene:
    """The whole plan. `same` says that the products have the colour of their background."""

    seed: int
    name: str
    items: tuple[Item, ...]
    same: bool
    backdrop: Backdrop
    light: Light
    lens: Lens
    film: Film

    @property
    def stem(self) -> str:
        """The scene's file name without suffix."""
        return f"{self.name}-{self.seed:07d}"


def plan(seed: int) -> Scene:
    """Draw the scene of a seed."""
    chance = random.Random(seed)
    name = pick(chance, SHARES)
    kinds = [name] if name != "set" else chance.choices(SET_KINDS, k=chance.choice((2, 2, 3, 3, 4, 5)))
    poses = [pick(chance, POSES.get(kind, {"stand": 1.0})) for kind in kinds]
    hung = "hang" in poses
    backdrop = _backdrop(chance, hung=hung)
    same = backdrop.kind in {"flat", "sweep"} and name != "scan" and chance.random() < SAME_COLOUR_SHARE
    tones = [_near(chance, backdrop.colour) if same else None for _ in kinds]
    return Scene(
        seed=seed,
        name=name,
        items=tuple(
            Item(kind, chance.getrandbits(32), pose, tone) for kind, pose, tone in zip(kinds, poses, tones, strict=True)
        ),
        same=same,
        backdrop=backdrop,
        light=_light(chance),
        lens=_lens(chance, name, poses, far=bool(backdrop.distractors)),
        film=_film(chance),
    )


def pick(chance: random.Random, shares: dict[str, float]) -> str:
    """Draw a key with its weight."""
    return chance.choices(list(shares), list(shares.values()))[0]


def paint(chance: random.Random) -> Colour:
    """A typical product colour: a fifth white, an eighth black, the rest grey, earthen, pastel or strong."""
    how = pick(chance, {"white": 0.20, "black": 0.12, "grey": 0.10, "earth": 0.15, "pastel": 0.15, "strong": 0.28})
    if how in {"white", "black", "grey"}:
        low, high = {"white": (0.86, 0.97), "black": (0.03, 0.14), "grey": (0.25, 0.75)}[how]
        return _near(chance, (chance.uniform(low, high),) * 3, 0.012)
    hue, saturation, value = {
        "earth": (chance.uniform(0.03, 0.13), chance.uniform(0.2, 0.7), chance.uniform(0.25, 0.8)),
        "pastel": (chance.random(), chance.uniform(0.1, 0.35), chance.uniform(0.75, 0.95)),
        "strong": (chance.random(), chance.uniform(0.55, 0.95), chance.uniform(0.25, 0.9)),
    }[how]
    return colorsys.hsv_to_rgb(hue, saturation, value)


def _near(chance: random.Random, colour: Colour, spread: float = 0.03) -> Colour:
    shift = chance.gauss(0, spread)
    red, green, blue = (min(0.98, max(0.015, c + shift + chance.gauss(0, spread / 3))) for c in colour)
    return (red, green, blue)


def _backdrop(chance: random.Random, *, hung: bool) -> Backdrop:
    kind = pick(chance, BACKDROPS)
    if hung and kind == "room":
        kind = "table"
    shade = pick(chance, {"white": 0.55, "grey": 0.10, "black": 0.10, "any": 0.25})
    levels = {"white": (0.90, 0.98), "grey": (0.45, 0.85), "black": (0.02, 0.10)}
    colour = _near(chance, (chance.uniform(*levels[shade]),) * 3, 0.01) if shade in levels else paint(chance)
    gradient = chance.random() < 0.25
    return Backdrop(
        kind=kind,
        colour=colour,
        second=_near(chance, colour, 0.15) if gradient else colour,
        gloss=chance.uniform(0.4, 1.0) if chance.random() < 0.22 else 0.0,
        floor_pick=chance.random(),
        wall_pick=chance.random(),
        photo=chance.random() < 0.35,
        distance=chance.uniform(1.2, 2.0) if hung else chance.uniform(2.0, 7.0),
        distractors=chance.randint(1, 4) if kind in {"table", "room"} and not hung and chance.random() < 0.3 else 0,
    )


def _light(chance: random.Random) -> Light:
    count = chance.choices((0, 1, 2, 3), (0.15, 0.40, 0.30, 0.15))[0]
    boxes = tuple(
        (
            chance.uniform(0.4, 1.3) / max(1, count) ** 0.5,
            chance.uniform(-180, 180) if chance.random() < 0.3 else chance.uniform(-80, 80),
            chance.uniform(15, 85),
            chance.choice((0.3, 1.0, 2.0, 3.5)),
        )
        for _ in range(count)
    )
    return Light(
        hdri_pick=chance.random() if chance.random() < 0.75 else None,
        world=chance.uniform(0.3, 0.9) if count else 1.0,
        turn_degrees=chance.uniform(0, 360),
        boxes=boxes,
        warmth=chance.gauss(0, 0.12),
    )


def _lens(chance: random.Random, name: str, poses: list[str], *, far: bool) -> Lens:
    cropped = chance.random() < 0.10
    blur = chance.uniform(0.004, 0.012) if far or chance.random() < 0.15 else 0.0
    return Lens(
        aspect=chance.choice((1.0, 1.0, 4 / 3, 3 / 4, 4 / 5, 3 / 2, 2 / 3)),
        focal_mm=chance.choice((28, 35, 50, 50, 70, 85, 100, 135)),
        elevation_degrees=_elevation(chance, name, poses),
        fill=chance.uniform(0.8, 1.25) if cropped else chance.triangular(0.35, 0.95, 0.8),
        offset=(chance.uniform(-1, 1), chance.uniform(-1, 1))
        if cropped
        else (chance.gauss(0, 0.3), chance.gauss(0, 0.3)),
        blur=blur,
    )


def _elevation(chance: random.Random, name: str, poses: list[str]) -> float:
    if "hang" in poses:
        return chance.uniform(-10, 15)
    if name != "furniture" and ("lay" in poses or chance.random() < 0.08):
        return chance.uniform(30, 89)
    return chance.triangular(1, 40, 12) if name != "furniture" else chance.uniform(1, 28)


def _film(chance: random.Random) -> Film:
    return Film(
        exposure=chance.uniform(0.75, 1.15),
        balance=(1 + chance.gauss(0, 0.05), 1 + chance.gauss(0, 0.06)),
        contrast=chance.uniform(0.9, 1.25),
        grain=chance.choice((0.0, 0.0, 0.003, 0.006, 0.012)),
        quality=chance.randint(82, 95),
    )
