"""The line: the bytes of a photo in, the bytes of a packshot out. Everything a request computes is on this page."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from packshot.core import codecs
from packshot.core.codecs import LIBRARY_LIMITS, Limits
from packshot.core.compose import crop_picture
from packshot.core.confidence import confidence
from packshot.core.decide import decide
from packshot.core.frame import Frame, make_frame
from packshot.core.geometry import Box, Size, network_size
from packshot.core.matte import bounding_box, drop_faint, is_empty, is_flat, network_input, refine, visible_box
from packshot.core.measure import reached_edges
from packshot.core.options import Options
from packshot.core.picture import Float32, Picture
from packshot.core.render import framed_mask, render
from packshot.core.touch_up import apply_to_coarse, clamp, read_touch_up
from packshot.engine.presets import Plan, judge, plan
from packshot.errors import InputError, InvalidOption, NoForeground

if TYPE_CHECKING:
    from packshot.core.rules import Report
    from packshot.core.values import Region
    from packshot.engine.edges import EdgeRefiner
    from packshot.engine.network import Network


@dataclass(frozen=True)
class Result:
    """An encoded output and what is known of it.

    data: the bytes of the file. media_type: of the file, such as "image/png".
    size: of the output, px. photo_size: of the photo, upright, px.
    box: where the product lies in the photo, px. product: where it lies in the output, px.
    confidence: how good the matte is likely to be, 0..1: the IoU that mattes like it have in the mean. None when the
        network's card has no calibration. review: whether a human should look at it.
    notes: what could not be done as asked, in sentences for people.
    report: the preset's rules, checked; None without a preset.
    timings_ms: how long each step took, by its name.
    """

    data: bytes
    media_type: str
    size: Size
    photo_size: Size
    box: Box
    product: Box
    confidence: float | None = None
    review: bool = False
    notes: tuple[str, ...] = ()
    report: Report | None = None
    timings_ms: dict[str, float] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, eq=False)
class Found:
    """What a network found in a picture.

    matte: float32 (H, W) in 0..1, at the picture's size. confidence: as in Result.
    """

    matte: Float32
    confidence: float | None


def remove_background(data: bytes, options: Options | None = None) -> bytes:
    """Remove the background of a photo with the default network.

    Parameters
    ----------
    data
        The bytes of a picture file: JPEG, PNG, WebP, TIFF, AVIF, BMP, GIF, or HEIC with packshot[heic].
    options
        What to make of it; by default a cutout, a PNG with straight alpha of the photo's size.

    Returns
    -------
    The bytes of the output file.

    Raises
    ------
    packshot.errors.InputError
        The file or an option cannot be used; the message says what to do.
    packshot.errors.NoForeground
        Nothing in the photo stands out.
    """
    return remove(data, options).data


def remove(
    data: bytes,
    options: Options | None = None,
    *,
    network: Network | None = None,
    limits: Limits = LIBRARY_LIMITS,
) -> Result:
    """The same with a network and limits of the caller's choice, and with all that is known. Safe from threads."""
    order = plan(options or Options())
    recipe = order.recipe
    backdrop = _decode_beside("background_picture", recipe.background) if isinstance(recipe.background, bytes) else None
    watch = _Stopwatch()
    picture = codecs.decode(data, limits)
    watch.lap("decode")
    network = network or default_network()
    found = find_matte(picture, network, roi=recipe.roi, touch_up=recipe.touch_up)
    box = find_box(found.matte)
    watch.lap("matte")
    around = box if recipe.framing.fill is None else visible_box(found.matte)
    frame = make_frame(recipe.framing, picture.size, around)
    rendering = render(recipe, picture, found.matte, frame, backdrop)
    watch.lap("render")
    exif = picture.exif if recipe.keep_metadata else None
    encoded = codecs.encode(rendering.rgb, rendering.alpha, format=recipe.format, quality=recipe.quality, exif=exif)
    watch.lap("encode")
    product = frame.place(around).within(Box.full(frame.size))
    return Result(
        data=encoded,
        media_type=codecs.MEDIA_TYPES[recipe.format],
        size=frame.size,
        photo_size=picture.size,
        box=box,
        product=product,
        confidence=found.confidence,
        review=_needs_review(found.confidence, network),
        notes=(*frame.notes, *rendering.notes),
        report=_judge(order, encoded, found.matte, frame),
        timings_ms=watch.laps_ms,
    )


def _judge(order: Plan, encoded: bytes, matte: Float32, frame: Frame) -> Report | None:
    if order.preset is None or order.recipe.form == "mask":
        return None
    photo, box = Size(matte.shape[1], matte.shape[0]), visible_box(matte)
    product = frame.place(box).within(Box.full(frame.size))
    return judge(order.preset, encoded, product, mask=framed_mask(matte, frame), edges=reached_edges(box, photo))


def _needs_review(sure: float | None, network: Network) -> bool:
    calibration = network.card.confidence
    return sure is not None and calibration is not None and sure < calibration.review_below


def find_matte(
    picture: Picture, network: Network, *, roi: Region | None = None, touch_up: bytes | None = None
) -> Found:
    """The matte at the picture's size: coarse from the network, then refined on the picture.

    First by the guided filter, then by the edge refiner that the network's card names, if any.

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
        painted = _decode_beside("touch_up", touch_up)
        hints = read_touch_up(painted.rgb, picture.size, painted.alpha)
    if roi is None:
        return _look(picture, network, hints)
    box = roi.box(picture.size)
    if min(box.size) < MIN_ROI_PX:
        raise InvalidOption(
            f"roi leaves {box.size} px of a photo of {picture.size} px.",
            hint=f"Give a region of the photo of at least {MIN_ROI_PX} px on each side.",
            field="roi",
        )
    found = _look(crop_picture(picture, box), network, None if hints is None else hints[box.slices])
    matte = np.zeros(picture.rgb.shape[:2], np.float32)
    matte[box.slices] = found.matte
    return Found(matte, found.confidence)


MIN_ROI_PX = 32


def _look(picture: Picture, network: Network, hints: Float32 | None) -> Found:
    rule = network.card.input
    size = network_size(picture.size, side_px=rule.side_px, multiple=rule.multiple, fit=rule.fit)
    rgb = network_input(picture, size)
    if is_flat(rgb):
        empty = np.zeros(picture.rgb.shape[:2], np.float32)
        return Found(empty if hints is None else clamp(empty, hints), None)
    answer = network.predict(rgb)
    coarse = decide(answer)
    if hints is not None:
        coarse = apply_to_coarse(coarse, hints)
    matte = refine(picture, coarse)
    if network.card.edges:
        matte = edge_refiner(network.card.edges).refine(picture, coarse, matte)
    matte = drop_faint(matte)
    return Found(matte if hints is None else clamp(matte, hints), confidence(answer, network.card.confidence))


def find_box(matte: Float32) -> Box:
    """The box of the foreground.

    Raises
    ------
    NoForeground
        Nothing in the matte is foreground.
    """
    box = bounding_box(matte)
    if box is None or is_empty(matte):
        raise NoForeground(
            "Nothing in this picture stands out as a product.",
            hint="Send a photo in which the product is in full view and differs from what is behind it.",
        )
    return box


@lru_cache(maxsize=2)  # a catalogue lays the same picture behind every product
def _decode_beside(name: str, data: bytes) -> Picture:
    """A picture that came as an option beside the photo."""
    try:
        return codecs.decode(data)
    except InputError as error:
        raise InvalidOption(
            f"{name} cannot be read: {error.message}", hint=error.hint, field=name, allowed="a picture file"
        ) from error


class _Stopwatch:
    """Times the steps of one run."""

    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last_s = time.perf_counter()

    def lap(self, name: str) -> None:
        now_s = time.perf_counter()
        self.laps_ms[name] = round(1000 * (now_s - self._last_s), 1)
        self._last_s = now_s


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
