"""The edge refiner: a small network that reads the picture itself, tile by tile, where the matte is undecided.

The guided filter moves an edge to a change of colours. This network was trained on edges: hair against hair, white on
white, a contour out of focus. Its layers have no padding, so tiles join without seams.
"""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from packshot.core.geometry import Size
from packshot.core.matte import snap_alpha
from packshot.core.picture import Bool, Float32, Index, Picture, UInt8, to_unit
from packshot.core.resample import Array, resample, size_of
from packshot.engine.card import ModelCard
from packshot.engine.session import open_session, run_session
from packshot.engine.weights import find_card, verify

LEAST_PX = 640
"""Longest side below which a picture is as coarse as the network's own matte, so there is nothing to refine."""

TILE_PX = 64
"""Side of a tile's output. Smaller tiles follow an edge more closely, but each also has to compute its halo."""

HALO_PX = 24
"""The network's receptive radius: a tile needs this many extra pixels of the picture on each side."""

MOST_TILES = 128
"""Above this number the picture is refined at half its size, and so on. This bounds the time, and every edge is
refined."""

BATCH = 8
"""Tiles per run: the data of 8 tiles fits in a core's cache."""

FAINT = np.float32(0.04)
"""Nothing changes where the coarse matte is closer than this to 0 or 1, and the change fades in up to twice this value.
A quarter fewer tiles for the same error, and no step where the transition region ends (decision 0017)."""

MARGIN = np.float32(0.02)
"""Keeps the logit of a matte of 0 or 1 finite; undone afterwards, so that the result can reach both."""


class EdgeRefiner:
    """A graph from (n, 5, h, w), RGB, guided and coarse matte in 0..1, to the change of the matte's logit.

    The output, (n, 1, h - 2*HALO_PX, w - 2*HALO_PX), covers the middle of the input. All threads share one session.
    """

    def __init__(self, card: ModelCard, path: Path) -> None:
        self._session = open_session(card, path)
        self.card = card

    def refine(self, picture: Picture, coarse: Float32, matte: Float32) -> Float32:
        """The matte with its edges redrawn where the coarse matte is undecided; other pixels keep their values.

        Parameters: picture, opaque; coarse, float32 (h, w) in 0..1; matte, float32 (H, W) in 0..1, from
        core.matte.refine. Returns: float32 (H, W) in 0..1.
        """
        if picture.size.longest < LEAST_PX:
            return matte
        soft = enlarge(coarse, picture.size)
        transition = np.flatnonzero(_undecided(soft))
        if not transition.size:
            return matte
        near = soft.reshape(-1)[transition]
        fade = np.minimum(np.minimum(near, 1 - near) / FAINT - 1, 1)
        change = fade * self._change(picture.rgb, matte, soft).reshape(-1)[transition]
        values = np.clip(apply_logit_delta(matte.reshape(-1)[transition], change), 0, 1)
        refined = matte.copy()
        refined.reshape(-1)[transition] = values
        return refined

    def _change(self, rgb: UInt8, matte: Float32, soft: Float32) -> Float32:
        """The change of the logit, float32 (H, W), 0 outside the tiles; at half the size if it needs too many tiles."""
        size = size_of(soft)
        places = undecided_tiles(soft)
        if len(places) > MOST_TILES:
            half = Size(-(-size.width // 2), -(-size.height // 2))
            small = self._change(resample(rgb, half), resample(matte, half), resample(soft, half))
            return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), np.float32)
        colours, values, around = _windows(rgb), _windows(matte), _windows(soft)
        change = np.zeros((len(around) * TILE_PX, around.shape[1] * TILE_PX), np.float32)
        tiled = change.reshape(len(around), TILE_PX, -1, TILE_PX).swapaxes(1, 2)
        for start in range(0, len(places), BATCH):
            at = tuple(places[start : start + BATCH].T)
            tiled[at] = self._run(colours[at], values[at], around[at])
        return change[: size.height, : size.width]

    def _run(self, rgb: UInt8, matte: Float32, soft: Float32) -> Float32:
        layers = np.concatenate([to_unit(rgb), matte, soft], axis=1)
        return run_session(self._session, self.card, layers)[:, 0]


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
    return np.asarray((1 / (1 + odds) - MARGIN) / (1 - 2 * MARGIN), np.float32)


def _undecided(soft: Float32) -> Bool:
    return (soft > FAINT) & (soft < 1 - FAINT)


def undecided_tiles(soft: Float32) -> Index:
    """Rows and columns of the tiles with undecided pixels, (n, 2)."""
    height, width = (-(-length // TILE_PX) for length in soft.shape)
    padded = np.zeros((height * TILE_PX, width * TILE_PX), np.bool_)
    padded[: soft.shape[0], : soft.shape[1]] = _undecided(soft)
    return np.argwhere(padded.reshape(height, TILE_PX, width, TILE_PX).any(axis=(1, 3)))


def _windows(plane: Array) -> Array:
    """Every tile with its halo, a view of shape (rows, columns, channels, side, side); borders are replicated."""
    height, width = plane.shape[:2]
    beyond = (-height % TILE_PX, -width % TILE_PX)
    edges = (HALO_PX, HALO_PX + beyond[0], HALO_PX, HALO_PX + beyond[1])
    padded = np.atleast_3d(cv2.copyMakeBorder(plane, *edges, cv2.BORDER_REPLICATE))
    side = TILE_PX + 2 * HALO_PX
    windows = sliding_window_view(padded, (side, side), axis=(0, 1))  # type: ignore[call-overload]
    return windows[::TILE_PX, ::TILE_PX]  # type: ignore[no-any-return]
