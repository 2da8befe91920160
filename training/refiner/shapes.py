"""Mattes of drawn shapes: smooth and angular bodies with holes, fur, wires, meshes; anti-aliased by supersampling."""

from __future__ import annotations

import cv2
import numpy as np

SUPERSAMPLING = 3  # 10 grey levels across an edge; blur and resizing of the scene add the rest
STRANDS = ("fur", "plush", "wires", "mesh")
BODIES = ("blob", "polygon", "box")

Rng = np.random.Generator


def draw(rng: Rng, kind: str, height: int, width: int) -> np.ndarray:
    """A matte, float32 (height, width) in 0..1, of one of BODIES or STRANDS."""
    canvas = np.zeros((height * SUPERSAMPLING, width * SUPERSAMPLING), np.uint8)
    if kind == "wires":
        _wires(rng, canvas)
    else:
        for _ in range(rng.choice([1, 1, 2, 3])):
            outline = _place(rng, _outline(rng, kind), canvas.shape)
            _fill(rng, canvas, outline, kind)
    matte = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    return matte.astype(np.float32) / 255


def _outline(rng: Rng, kind: str) -> np.ndarray:
    """A closed curve round the origin, float (n, 2), radius about 1."""
    if kind == "polygon":
        angle = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 12)))
        radius = rng.uniform(0.4, 1, len(angle))
    elif kind == "box":
        angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
        power = rng.uniform(2, 12)  # a superellipse: from an ellipse to a box with rounded corners
        radius = (np.abs(np.cos(angle)) ** power + np.abs(np.sin(angle)) ** power) ** (-1 / power) * 0.75
    else:
        angle = np.linspace(0, 2 * np.pi, 600, endpoint=False)
        order = np.arange(1, rng.integers(3, 24))
        wave = rng.normal(0, 0.25, len(order)) / order**0.8
        radius = 0.75 + (wave * np.cos(np.outer(angle, order) + rng.uniform(0, 2 * np.pi, len(order)))).sum(1)
        radius = np.clip(radius, 0.15, 1.4)
    return np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None]


def _place(rng: Rng, outline: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Scale, stretch, rotate and move an outline onto a canvas, so that most of it stays in view."""
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    size = np.array([shape[1], shape[0]])
    stretch = rng.uniform(0.15, 0.45, 2) * min(shape)
    return (outline * stretch) @ turn + size * rng.uniform(0.3, 0.7, 2)


def _fill(rng: Rng, canvas: np.ndarray, outline: np.ndarray, kind: str) -> None:
    body = [np.rint(outline).astype(np.int32)]
    if kind == "mesh":
        _mesh(rng, canvas, body)
        return
    cv2.fillPoly(canvas, body, 255)
    if kind == "fur":
        _fur(rng, canvas, outline)
    elif kind == "plush":
        _plush(rng, canvas, outline)
    elif rng.random() < 0.3:
        hole = (outline - outline.mean(0)) * rng.uniform(0.1, 0.6) + outline.mean(0)
        cv2.fillPoly(canvas, [np.rint(hole).astype(np.int32)], 0)


def _roots(rng: Rng, outline: np.ndarray, density: float) -> tuple[np.ndarray, np.ndarray]:
    """Points on an outline, `density` per supersampled px, and the directions away from its middle."""
    closed = np.concatenate([outline, outline[:1]])
    steps = np.linalg.norm(np.diff(closed, axis=0), axis=1)
    along = np.concatenate([[0], np.cumsum(steps)])
    at = rng.uniform(0, along[-1], int(along[-1] * density))
    starts = np.stack([np.interp(at, along, closed[:, axis]) for axis in (0, 1)], 1)
    outward = starts - outline.mean(0)
    return starts, outward / (np.linalg.norm(outward, axis=1, keepdims=True) + 1e-6)


def _plush(rng: Rng, canvas: np.ndarray, outline: np.ndarray) -> None:
    """Short hair, so fine and dense that each strand is under a pixel wide: the matte fades out in tufts."""
    starts, outward = _roots(rng, outline, rng.choice([0.15, 0.4, 0.9]))
    count, length = len(starts), rng.uniform(6, 30) * SUPERSAMPLING
    comb = rng.normal(0, 0.5, 2)
    reach = length * rng.gamma(3, 1 / 3, (count, 1))
    ends = starts + reach * (outward + comb + 0.5 * rng.standard_normal((count, 2)))
    bends = (starts + ends) / 2 + 0.2 * reach * rng.standard_normal((count, 2))
    curves = np.rint(np.stack([starts - 0.5 * reach * outward, bends, ends], 1)).astype(np.int32)
    cv2.polylines(canvas, list(curves), False, 255, int(rng.choice([1, 1, 2])))


def _fur(rng: Rng, canvas: np.ndarray, outline: np.ndarray) -> None:
    """Strands that leave the outline, combed to varying degrees."""
    starts, outward = _roots(rng, outline, rng.choice([0.01, 0.03, 0.08]))
    comb = rng.normal(0, 0.6, 2)
    length = rng.uniform(10, 70) * SUPERSAMPLING
    width = rng.uniform(0.7, 3.5) * SUPERSAMPLING
    for start, out in zip(starts, outward, strict=True):
        reach = length * rng.uniform(0.4, 1.2)
        bend = start + reach * 0.5 * (out + 0.3 * rng.normal(0, 1, 2))
        _strand(canvas, start - 6 * out, bend, start + reach * (out + comb + 0.4 * rng.normal(0, 1, 2)), width)


def _strand(canvas: np.ndarray, start: np.ndarray, bend: np.ndarray, end: np.ndarray, width: float) -> None:
    """A quadratic curve that tapers to its end."""
    t = np.linspace(0, 1, 13)[:, None]
    points = np.rint((1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end).astype(np.int32)
    cv2.polylines(canvas, [points[:9]], False, 255, max(1, round(width)))
    cv2.polylines(canvas, [points[8:]], False, 255, max(1, round(width / 2)))


def _wires(rng: Rng, canvas: np.ndarray) -> None:
    """Cables, straps and loops of one width each."""
    size = np.array(canvas.shape[::-1])
    t = np.linspace(0, 1, 60)[:, None]
    for _ in range(rng.integers(2, 9)):
        a, b, c, d = (size * rng.uniform(0.05, 0.95, 2) for _ in range(4))
        curve = (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
        width = SUPERSAMPLING * np.exp(rng.uniform(np.log(1.5), np.log(30)))
        cv2.polylines(canvas, [np.rint(curve).astype(np.int32)], False, 255, max(1, round(width)))


def _mesh(rng: Rng, canvas: np.ndarray, body: list[np.ndarray]) -> None:
    """Two families of lines within a frame."""
    inside = cv2.fillPoly(np.zeros_like(canvas), body, 255)
    width = SUPERSAMPLING * rng.uniform(1.5, 8)
    pitch = width * rng.uniform(2.5, 9)
    lines = np.zeros_like(canvas)
    reach = max(canvas.shape) * 1.5
    centre = np.array(canvas.shape[::-1]) / 2
    for angle in rng.uniform(0, np.pi) + np.array([0.0, rng.uniform(0.6, 1.6)]):
        along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        for offset in np.arange(-reach / 2, reach / 2, pitch):
            ends = [centre + across * offset - along * reach, centre + across * offset + along * reach]
            cv2.line(lines, *(tuple(int(v) for v in np.rint(end)) for end in ends), 255, max(1, round(width)))
    canvas |= lines & inside
    cv2.polylines(canvas, body, True, 255, max(1, round(2 * width)))
