"""The edge refiner: a small network that reads the picture itself, tile by tile, where the matte is undecided.

The guided filter moves an edge to a change of colours. This network was trained on edges: hair against hair, white on
white, a contour out of focus. Its layers have no padding, so tiles join without seams.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packshot.core.geometry import Size
from packshot.core.matte import snap_alpha
from packshot.core.picture import Float32, Index, Picture, UInt8
from packshot.core.resample import size_of
from packshot.engine.card import ModelCard
from packshot.engine.session import open_session, run_session
from packshot.engine.weights import find_card, verify
from packshot.errors import BadSettings

LEAST_PX = 640
"""Longest side below which a picture is as coarse as the network's own matte, so there is nothing to refine."""

TILE_PX = 64
"""Side of a tile's output. Smaller tiles follow an edge more closely, but each also has to compute its halo."""

Place = tuple[int, int]
"""Row and column of a tile."""

WORKING_PX = 1000
"""About the longest side of the network's picture: larger ones are shrunk by a whole number, and the change of the
matte is enlarged. 1000 px are 2.6 times the coarse matte's (decision 0064)."""

MOST_TILES = 128
"""Above this number the picture is shrunk more. This bounds the time, and every edge is refined."""

BATCH = 8
"""Tiles per run: the data of 8 tiles fits in a core's cache."""

FAINT = np.float32(0.04)
"""Nothing changes where the coarse matte is closer than this to 0 or 1, and the change fades in up to twice this value.
A quarter fewer tiles for the same error, and no step where the transition region ends (decision 0017)."""

_LEAST, _MOST = (float(np.nextafter(limit, limit + way)) for limit, way in ((FAINT, 1), (1 - FAINT, -1)))
"""The undecided values' limits for cv2.inRange, which includes them."""

MARGIN = np.float32(0.02)
"""Keeps the logit of a matte of 0 or 1 finite; undone afterwards, so that the result can reach both."""


class EdgeRefiner:
    """A graph from tiles (n, 5, side, side), RGB, guided and coarse matte in 0..1, to the change of the matte's logit.

    The card's input side is that of a tile with its halo, the network's receptive radius. The output, (n, 1, TILE_PX,
    TILE_PX), covers the middle. All threads share one session.
    """

    def __init__(self, card: ModelCard, path: Path) -> None:
        self._session = open_session(card, path)
        self._side_px = card.input.side_px
        self.card = card

    def refine(
        self,
        picture: Picture,
        coarse: Float32,
        matte: Float32,
        *,
        working_px: int = WORKING_PX,
        most_tiles: int = MOST_TILES,
    ) -> Float32:
        """The matte with its edges redrawn where the coarse matte is undecided; other pixels keep their values.

        Parameters: picture, opaque; coarse, float32 (h, w) in 0..1; matte, float32 (H, W) in 0..1, from
        core.matte.refine. Returns: float32 (H, W) in 0..1.
        """
        if picture.size.longest < LEAST_PX:
            return matte
        planes = _Planes(picture.rgb, matte, coarse, max(1, round(picture.size.longest / working_px)))
        while len(places := undecided_tiles(planes.soft)) > most_tiles:
            planes = replace(planes, shrink=planes.shrink + 1)
        if not places:
            return matte
        change = self._changes(planes, places)
        refined, moved = matte.copy(), []
        for place in places:
            here = _tile(place, planes.shrink)
            part = matte[here].copy()
            delta = np.ascontiguousarray(_enlarged(change, place, planes.shrink)[: part.shape[0], : part.shape[1]])
            at = np.flatnonzero(delta != 0)
            part.reshape(-1)[at] = apply_logit_delta(part.reshape(-1)[at], delta.reshape(-1)[at])
            refined[here] = part
            moved.append(at)
        return refined if planes.shrink == 1 else _without_grain(refined, places, moved, planes.shrink)

    def _changes(self, planes: _Planes, places: list[Place]) -> Float32:
        """The change of the logit at the network's size, float32 (h, w); 0 where the coarse matte is decided."""
        whole = np.zeros(planes.soft.shape, np.float32)
        for start in range(0, len(places), BATCH):
            some = places[start : start + BATCH]
            layers = np.empty((len(some), 5, self._side_px, self._side_px), np.float32)
            for place, into in zip(some, layers, strict=True):
                planes.fill(into, place)
            for place, change in zip(some, self._run(layers), strict=True):
                here = _tile(place)
                soft = planes.soft[here]
                fade = np.clip(np.minimum(soft, 1 - soft) / FAINT - 1, 0, 1)
                whole[here] = fade * change[: soft.shape[0], : soft.shape[1]]
        return whole

    def _run(self, layers: Float32) -> Float32:
        change = run_session(self._session, self.card, layers)
        if change.shape != (len(layers), 1, TILE_PX, TILE_PX):
            message = f"Model {self.card.name!r} is no edge refiner: it returned {change.shape} for {layers.shape}."
            raise BadSettings(message, model=self.card.name)
        return change[:, 0]


def load_edge_refiner(name_or_path: str) -> EdgeRefiner:
    """Find an edge refiner by name or path, verify its checksum, and load it.

    Raises: ModelMissing, ChecksumMismatch, BadSettings.
    """
    card, path = find_card(name_or_path)
    verify(card, path)
    return EdgeRefiner(card, path)


_loading = threading.Lock()
_load = cache(load_edge_refiner)


def edge_refiner(name: str) -> EdgeRefiner:
    """The edge refiner of a name, loaded on the first call and kept; all threads share one session."""
    with _loading:  # cache alone would let two first calls load it twice
        return _load(name)


def enlarge(coarse: Float32, size: Size) -> Float32:
    """The coarse matte at the picture's size, bilinear; its decided values become exactly 0 and 1."""
    return np.asarray(cv2.resize(snap_alpha(coarse), size, interpolation=cv2.INTER_LINEAR), np.float32)


def apply_logit_delta(values: Float32, change: Float32) -> Float32:
    """Matte values in 0..1 after adding `change` to their logit; a change of 0 changes nothing."""
    inner = MARGIN + (1 - 2 * MARGIN) * values
    odds = (1 - inner) / inner * np.exp(-np.clip(change, -20, 20))
    return np.asarray(np.clip((1 / (1 + odds) - MARGIN) / (1 - 2 * MARGIN), 0, 1), np.float32)


def undecided_tiles(soft: Float32) -> list[Place]:
    """The tiles with undecided pixels, by rows."""
    height, width = (-(-length // TILE_PX) for length in soft.shape)
    undecided = np.zeros((height * TILE_PX, width * TILE_PX), np.uint8)
    cv2.inRange(soft, _LEAST, _MOST, dst=undecided[: soft.shape[0], : soft.shape[1]])
    words = undecided.view(np.uint64).reshape(height, TILE_PX, width, -1)  # any() of bytes takes four times as long
    return [(int(row), int(column)) for row, column in np.argwhere(np.bitwise_or.reduce(words, axis=(1, 3)))]


@dataclass(frozen=True, eq=False)
class _Planes:
    """The network's view of a picture, smaller by the factor `shrink`.

    rgb: uint8 (H, W, 3). matte: float32 (H, W). coarse: float32 (h, w).
    """

    rgb: UInt8
    matte: Float32
    coarse: Float32
    shrink: int

    @cached_property
    def soft(self) -> Float32:
        """The coarse matte at the network's size."""
        size = size_of(self.matte)
        return enlarge(self.coarse, Size(-(-size.width // self.shrink), -(-size.height // self.shrink)))

    def fill(self, layers: Float32, place: Place) -> None:
        """Write the graph's input for one tile, float32 (5, side, side)."""
        side = layers.shape[1]
        top, left = (TILE_PX * number - (side - TILE_PX) // 2 for number in place)
        np.multiply(self._shrunk(self.rgb, top, left, side).transpose(2, 0, 1), np.float32(1 / 255), out=layers[:3])
        layers[3] = self._shrunk(self.matte, top, left, side)
        layers[4] = _window(self.soft, top, left, side)

    def _shrunk(self, plane: NDArray[Any], top: int, left: int, side: int) -> NDArray[Any]:
        """The square of a plane from row `top` and column `left` of the network's size."""
        window = _window(plane, top * self.shrink, left * self.shrink, side * self.shrink)
        return window if self.shrink == 1 else cv2.resize(window, (side, side), interpolation=cv2.INTER_AREA)


def _tile(place: Place, scale: int = 1) -> tuple[slice, slice]:
    """The tile in a plane `scale` times as large as the network's."""
    (row, column), side = place, TILE_PX * scale
    return np.s_[row * side : (row + 1) * side, column * side : (column + 1) * side]


def _enlarged(plane: Float32, place: Place, scale: int) -> Float32:
    """A tile of a plane, enlarged bilinearly as if with the whole plane."""
    if scale == 1:
        return plane[_tile(place)]
    row, column = place
    around = _window(plane, row * TILE_PX - 1, column * TILE_PX - 1, TILE_PX + 2)
    side = scale * (TILE_PX + 2)
    inner = slice(scale, -scale)
    return np.asarray(cv2.resize(around, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)[inner, inner]


def _without_grain(refined: Float32, places: list[Place], moved: list[Index], scale: int) -> Float32:
    """Replaces changed pixels by the median of 3x3. Where the change was enlarged, it is coarser than the picture's
    noise, which the guided filter lets into the matte (decision 0064).

    moved: flat indices in each tile.
    """
    parts = []
    for place, at in zip(places, moved, strict=True):
        rows, columns = _tile(place, scale)
        part = refined[rows, columns].copy()
        around = _window(refined, rows.start - 1, columns.start - 1, TILE_PX * scale + 2)
        smooth = cv2.medianBlur(around, 3)[1:-1, 1:-1]
        part.reshape(-1)[at] = np.ascontiguousarray(smooth[: part.shape[0], : part.shape[1]]).reshape(-1)[at]
        parts.append(part)
    for place, part in zip(places, parts, strict=True):
        refined[_tile(place, scale)] = part
    return refined


def _window(plane: NDArray[Any], top: int, left: int, side: int) -> NDArray[Any]:
    """The square of a plane from row `top` and column `left`, which may lie outside: the border is replicated."""
    height, width = plane.shape[:2]
    inside = plane[max(top, 0) : top + side, max(left, 0) : left + side]
    if inside.shape[:2] == (side, side):
        return inside
    beyond = max(-top, 0), max(top + side - height, 0), max(-left, 0), max(left + side - width, 0)
    return cv2.copyMakeBorder(inside, *beyond, cv2.BORDER_REPLICATE)
