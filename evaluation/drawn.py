"""Write drawn scenes as pairs: `python -m evaluation.drawn --out FOLDER`.

The scenes are flat shapes on white, which a network trained on photos may lose, and blocks with a band as white as the
ground, which only a human can correct. `python -m evaluation FOLDER` scores a network on them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from packshot.core.picture import UInt8

WIDTH, HEIGHT = 800, 600
SHAPE_LEAST = 0.006  # of the picture: a smaller shape may count as a speck
APART_PX = 12
CONTRAST = 70  # levels of a channel between a shape and the ground
GROUND = (255, 255, 255)
FINER = 2  # drawn at twice the size and reduced, for soft edges


def shapes(seed: int) -> tuple[UInt8, UInt8]:
    """Two to four separate discs, boxes, triangles and ellipses: uint8 (600, 800, 3) and their alpha (600, 800)."""
    random = np.random.default_rng(seed)
    alpha = np.zeros((HEIGHT * FINER, WIDTH * FINER), np.uint8)
    rgb = np.full((*alpha.shape, 3), GROUND, np.uint8)
    wanted = int(random.integers(2, 5))
    for _ in range(200):
        shape = _shape(random)
        framed = shape[[0, -1]].any() or shape[:, [0, -1]].any()
        wide = np.asarray(cv2.dilate(shape, np.ones((2 * APART_PX + 1, 2 * APART_PX + 1), np.uint8)), np.uint8)
        beside = wide & alpha
        if framed or beside.any() or np.count_nonzero(shape) < SHAPE_LEAST * shape.size:
            continue
        rgb[shape > 0] = _colour(random)
        alpha |= shape
        wanted -= 1
        if not wanted:
            break
    return _reduced(rgb), _reduced(alpha)


def labelled(seed: int) -> tuple[UInt8, UInt8]:
    """A block with a full-width label in the ground's colour: uint8 (600, 800, 3) and its alpha (600, 800)."""
    random = np.random.default_rng(seed)
    alpha = np.zeros((HEIGHT * FINER, WIDTH * FINER), np.uint8)
    long, wide = random.uniform(0.5, 0.85) * HEIGHT, random.uniform(0.15, 0.35) * HEIGHT
    angle = float(random.choice([0.0, 90.0, random.uniform(-30, 30)]))
    middle = np.array([WIDTH / 2, HEIGHT / 2])
    low, high = random.uniform(0.25, 0.4), random.uniform(0.55, 0.75)
    cv2.fillPoly(alpha, [_box(middle, wide, -0.5 * long, 0.5 * long, angle)], 255)
    label = np.zeros_like(alpha)
    cv2.fillPoly(label, [_box(middle, 1.2 * wide, (low - 0.5) * long, (high - 0.5) * long, angle)], 255)
    rgb = np.full((*alpha.shape, 3), GROUND, np.uint8)
    rgb[(alpha > 0) & (label == 0)] = _colour(random)
    return _reduced(rgb), _reduced(alpha)


def _shape(random: np.random.Generator) -> UInt8:
    mask = np.zeros((HEIGHT * FINER, WIDTH * FINER), np.uint8)
    size = random.uniform(0.08, 0.3) * mask.shape[0]
    x, y = random.uniform(0.15, 0.85) * mask.shape[1], random.uniform(0.15, 0.85) * mask.shape[0]
    kind = random.integers(0, 4)
    if kind == 0:
        cv2.circle(mask, (int(x), int(y)), int(size / 1.5), 255, -1)
    elif kind == 1:
        sides = size * random.uniform(0.4, 1.6), size * random.uniform(0.6, 1.6)
        corners = cv2.boxPoints(((x, y), sides, random.uniform(0, 90)))
        cv2.fillPoly(mask, [np.asarray(corners, np.int32)], 255)
    elif kind == 2:
        turns = np.sort(random.uniform(0, 2 * np.pi, 3))
        corners = np.stack([x + size * np.cos(turns), y + size * random.uniform(0.5, 1) * np.sin(turns)], 1)
        cv2.fillPoly(mask, [corners.astype(np.int32)], 255)
    else:
        axes = int(size), int(size * random.uniform(0.25, 0.6))
        cv2.ellipse(mask, (int(x), int(y)), axes, random.uniform(0, 180), 0, 360, 255, -1)
    return mask


def _colour(random: np.random.Generator) -> UInt8:
    while True:
        colour = random.integers(0, 256, 3)
        if np.abs(colour - np.array(GROUND)).max() > CONTRAST:
            return np.asarray(colour, np.uint8)


def _box(middle: np.ndarray, wide: float, top: float, bottom: float, angle: float) -> np.ndarray:
    """Corners of an upright box, rotated about its middle, int32 (4, 2)."""
    turn = np.deg2rad(angle)
    corners = np.array([(-wide / 2, top), (wide / 2, top), (wide / 2, bottom), (-wide / 2, bottom)])
    turned = corners @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.asarray(FINER * (middle + turned), np.int32)


def _reduced(image: UInt8) -> UInt8:
    return np.asarray(cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shapes", type=int, default=80)
    parser.add_argument("--labelled", type=int, default=20)
    options = parser.parse_args(arguments)
    drawn = [("shapes", seed, shapes(seed)) for seed in range(options.shapes)]
    drawn += [("labelled", seed, labelled(seed)) for seed in range(options.labelled)]
    for name, seed, (rgb, alpha) in drawn:
        for folder, image in (("im", rgb[..., ::-1]), ("gt", alpha)):
            path = options.out / folder / f"{name}-{seed:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image)


if __name__ == "__main__":
    main()
