"""Cloth that hangs and falls: position-based dynamics on a grid, in NumPy, without Blender."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Neighbours whose distance is kept: threads, diagonals, and every second thread against sharp folds.
LINKS = ((0, 1, 1.0), (1, 0, 1.0), (1, 1, 0.6), (1, -1, 0.6), (0, 2, 0.25), (2, 0, 0.25))


@dataclass(frozen=True)
class Support:
    """Obstacles for cloth: a floor at a height, and an upright cylinder with a round rim, (radius, top)."""

    floor: float | None = None
    drum: tuple[float, float] | None = None


def settle(
    points: np.ndarray, pinned: np.ndarray, support: Support, *, steps: int, gravity: float = 0.0006
) -> np.ndarray:
    """Let cloth fall for some steps.

    `points` (R, C, 3) float; points where `pinned` (R, C) bool is True do not move. Lengths are those of `points`.
    Source: Müller et al., Position Based Dynamics, 2007 (Jacobi form, four sweeps a step).
    """
    now, before = points.copy(), points.copy()
    free = (~pinned)[..., None].astype(float)
    lengths = [
        np.linalg.norm(_ahead(points, dr, dc) - _behind(points, dr, dc), axis=-1, keepdims=True) for dr, dc, _ in LINKS
    ]
    for _ in range(steps):
        now, before = now + free * (0.97 * (now - before) - [0, 0, gravity]), now
        for _ in range(4):
            now = now + free * _pull(now, lengths)
        _keep_out(now, before, support)
        now = np.where(pinned[..., None], points, now)
    return now


def _ahead(points: np.ndarray, dr: int, dc: int) -> np.ndarray:
    return points[dr:, dc:] if dc >= 0 else points[dr:, :dc]


def _behind(points: np.ndarray, dr: int, dc: int) -> np.ndarray:
    rows = points[: len(points) - dr]
    return rows[:, : rows.shape[1] - dc] if dc >= 0 else rows[:, -dc:]


def _pull(points: np.ndarray, lengths: list[np.ndarray]) -> np.ndarray:
    """The mean correction of each point over its links."""
    shift = np.zeros_like(points)
    for (dr, dc, stiff), rest in zip(LINKS, lengths, strict=True):
        apart = _ahead(points, dr, dc) - _behind(points, dr, dc)
        length = np.linalg.norm(apart, axis=-1, keepdims=True)
        move = 0.5 * stiff * apart * (1 - rest / np.maximum(length, 1e-9))
        _ahead(shift, dr, dc)[...] -= move
        _behind(shift, dr, dc)[...] += move
    return shift * 0.4


def _keep_out(points: np.ndarray, before: np.ndarray, support: Support) -> None:
    if support.drum:
        radius, top = support.drum
        away = np.linalg.norm(points[..., :2], axis=-1)
        inside = (away < radius) & (points[..., 2] < top)
        up = inside & (top - points[..., 2] < radius - away)
        points[..., 2] = np.where(up, top, points[..., 2])
        out = (inside & ~up)[..., None]
        points[..., :2] = np.where(out, points[..., :2] * (radius / np.maximum(away, 1e-6))[..., None], points[..., :2])
        before[up] = points[up]  # friction holds points on top
    if support.floor is not None:
        low = points[..., 2] < support.floor
        points[..., 2] = np.maximum(points[..., 2], support.floor)
        before[low] = points[low]
