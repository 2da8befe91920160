"""Finding the product in a picture: the network looks, then its answer is decided and refined on the picture."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from packshot.core import codecs
from packshot.core.codecs import Limits
from packshot.core.compose import crop_picture
from packshot.core.confidence import Signs, confidence, find_signs
from packshot.core.decide import decide
from packshot.core.geometry import Box, network_size
from packshot.core.matte import bounding_box, drop_faint, is_empty, is_flat, network_input, refine
from packshot.core.picture import Float32, Picture, to_unit
from packshot.core.plain_ground import PlainGround, find_plain_ground, settle
from packshot.core.resample import resample
from packshot.core.touch_up import apply_to_coarse, clamp, read_touch_up
from packshot.core.transparency import may_show_scene, opaque, own_matte
from packshot.core.unmix import redraw_edges
from packshot.errors import InputError, InvalidOption, NoForeground

if TYPE_CHECKING:
    from packshot.core.values import Region
    from packshot.engine.edges import EdgeRefiner
    from packshot.engine.network import Network

BESIDE = Limits(min_side_px=1)
"""A picture beside the photo may be small: a brush layer is scaled to the photo, a ground may be one colour."""

OWN_CONFIDENCE = 0.99
"""In a matte that is the file's own alpha, no network asked: somebody has cut this product out."""

WHOLE = 0.8
"""Share of what a transparent picture shows from which on the network has found all of it: its alpha leads."""

MIN_ROI_PX = 32
"""Least side of a region of interest: below it there is nothing for a network to see."""


@dataclass(frozen=True, eq=False)
class Found:
    """A matte, and all that was found out with it.

    matte: float32 (H, W) in 0..1, at the picture's size. confidence: as in Result. most: the greatest alpha of the
    picture, in 0..1, which the matte cannot exceed. ground: what lies behind the product, where that is plain.
    signs: what the confidence was told by; None where no network was asked.
    """

    matte: Float32
    confidence: float | None
    most: float = 1.0
    ground: PlainGround | None = None
    signs: Signs | None = None


def find_matte(
    picture: Picture, network: Network, *, roi: Region | None = None, touch_up: bytes | None = None
) -> Found:
    """The matte at the picture's size: the file's own alpha where that cuts a product out, else what the network finds.

    Parameters
    ----------
    roi
        Only what lies in it is looked at; outside the matte is 0.
    touch_up
        A picture file with what a human has painted over the photo (core/touch_up.py).

    Raises
    ------
    InvalidOption
        The region lies outside the picture, or the touch-up cannot be read.
    """
    hints = None
    if touch_up is not None:
        painted = decode_beside("touch_up", touch_up)
        hints = read_touch_up(painted.rgb, picture.size, painted.alpha)
    if roi is None:
        return _find(picture, network, hints)
    box = roi.box(picture.size)
    if min(box.size) < MIN_ROI_PX:
        raise InvalidOption(
            f"roi leaves {box.size} px of a photo of {picture.size} px.",
            hint=f"Give a region of the photo of at least {MIN_ROI_PX} px on each side.",
            field="roi",
        )
    found = _find(crop_picture(picture, box), network, None if hints is None else hints[box.slices])
    matte = np.zeros(picture.rgb.shape[:2], np.float32)
    matte[box.slices] = found.matte
    return replace(found, matte=matte, ground=None)  # it is that of the region


def _find(picture: Picture, network: Network, hints: Float32 | None) -> Found:
    """The matte of a picture: nowhere more than its own alpha, which leads unless what it shows may be a scene."""
    if picture.alpha is None:
        return _look(picture, network, hints)
    own = own_matte(picture)
    most = float(picture.alpha.max()) / 255
    led = None if own is None else Found(own if hints is None else clamp(own, hints), OWN_CONFIDENCE, most)
    if led is not None and not may_show_scene(picture):
        return led
    found = _look(opaque(picture), network, hints)
    if own is not None and led is not None and not _is_part(found, own):
        return replace(led, confidence=found.confidence)
    matte = np.minimum(found.matte, to_unit(picture.alpha))
    return Found(matte if hints is None else clamp(matte, hints), found.confidence, most)


def _is_part(found: Found, own: Float32) -> bool:
    """Whether a network has found a product within what a picture shows, not all of it and not nothing."""
    share = float(np.minimum(found.matte, own).sum()) / float(own.sum())
    return not is_empty(found.matte) and share < WHOLE


def _look(picture: Picture, network: Network, hints: Float32 | None) -> Found:
    """The matte of an opaque picture: coarse from the network, then refined on the picture.

    First by what a plain ground tells, if it is one, then by the guided filter, then by the edge refiner that the
    network's card names, if any.
    """
    rule = network.card.input
    size = network_size(picture.size, side_px=rule.side_px, multiple=rule.multiple, fit=rule.fit)
    rgb = network_input(picture, size)
    if is_flat(rgb):
        empty = np.zeros(picture.rgb.shape[:2], np.float32)
        return Found(empty if hints is None else clamp(empty, hints), None)
    answer = network.predict(rgb)
    coarse = decide(answer)
    seen = np.multiply(cv2.merge(list(rgb[0])), 255, dtype=np.float32)
    ground = find_plain_ground(seen, coarse)
    contested = None
    if ground is not None:
        settled = settle(ground, seen, answer, coarse)
        coarse, contested = settled.coarse, settled.contested
    if hints is not None:
        coarse = apply_to_coarse(coarse, hints)
    matte = refine(picture, coarse)
    if network.card.edges:
        matte = edge_refiner(network.card.edges).refine(picture, coarse, matte)
    if ground is not None:
        matte = redraw_edges(ground, picture, seen, matte)
    matte = drop_faint(matte)
    signs = find_signs(answer, resample(matte, size), seen, contested)
    sure = confidence(signs, network.card.confidence)
    return Found(matte if hints is None else clamp(matte, hints), sure, ground=ground, signs=signs)


def find_box(found: Found) -> Box:
    """The box of the foreground.

    Raises
    ------
    NoForeground
        Nothing in the matte is foreground.
    """
    box = bounding_box(found.matte)
    if box is None or is_empty(found.matte, found.most):
        raise NoForeground(
            "Nothing in this picture stands out as a product.",
            hint="Send a photo in which the product is in full view and differs from what is behind it.",
        )
    return box


@lru_cache(maxsize=2)  # a catalogue lays the same picture behind every product
def decode_beside(name: str, data: bytes) -> Picture:
    """A picture that came as an option beside the photo."""
    try:
        return codecs.decode(data, BESIDE)
    except InputError as error:
        raise InvalidOption(
            f"{name} cannot be read: {error.message}", hint=error.hint, field=name, allowed="a picture file"
        ) from error


_loading = threading.Lock()


def default_network() -> Network:
    """The network that `packshot models use` chose, else the embedded one; loaded once, one session for all threads."""
    with _loading:  # cache alone would let two first calls load it twice
        return _load_default()


def edge_refiner(name: str) -> EdgeRefiner:
    """The edge refiner of a name, loaded by the first call and kept; one session serves all threads."""
    with _loading:
        return _load_edge_refiner(name)


@cache
def _load_edge_refiner(name: str) -> EdgeRefiner:
    from packshot.engine.edges import load_edge_refiner  # noqa: PLC0415 - the runtime takes 0.1 s to import

    return load_edge_refiner(name)


@cache
def _load_default() -> Network:
    from packshot.engine.network import load_network  # noqa: PLC0415 - the runtime takes 0.1 s to import

    return load_network()
