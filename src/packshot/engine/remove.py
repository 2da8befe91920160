"""The line: the bytes of a photo in, the bytes of a packshot out. Everything a request computes is on this page."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packshot.core import codecs
from packshot.core.codecs import LIBRARY_LIMITS, Limits
from packshot.core.frame import Frame, make_frame
from packshot.core.geometry import Box, Size
from packshot.core.matte import visible_box
from packshot.core.measure import reached_edges
from packshot.core.options import Options
from packshot.core.picture import Float32
from packshot.core.render import framed_mask, render
from packshot.engine.find import decode_beside, default_network, find_box, find_matte
from packshot.engine.presets import Plan, judge, plan

if TYPE_CHECKING:
    from packshot.core.rules import Report
    from packshot.engine.network import Network


@dataclass(frozen=True)
class Result:
    """An encoded output and what is known of it.

    data: the bytes of the file. media_type: of the file, such as "image/png".
    size: of the output, px. photo_size: of the photo, upright, px.
    box: where the product lies in the photo, px. product: where it lies in the output, px.
    confidence: how good the matte is likely to be, 0..1: the quality that mattes like it have in the mean, which is
        IoU, halved where a part is lost or a hole is torn. None when the network's card has no calibration.
    review: whether a human should look at it.
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
    backdrop = decode_beside("background_picture", recipe.background) if isinstance(recipe.background, bytes) else None
    watch = _Stopwatch()
    picture = codecs.decode(data, limits)
    watch.lap("decode")
    network = network or default_network()
    found = find_matte(picture, network, roi=recipe.roi, touch_up=recipe.touch_up)
    box = find_box(found)
    watch.lap("matte")
    visible = visible_box(found.matte) if order.preset or recipe.framing.fill is not None else box
    around = box if recipe.framing.fill is None else visible
    frame = make_frame(recipe.framing, picture.size, around)
    rendering = render(recipe, picture, found.matte, frame, backdrop, ground=found.ground)
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
        report=_judge(order, encoded, found.matte, frame, visible),
        timings_ms=watch.laps_ms,
    )


def _judge(order: Plan, encoded: bytes, matte: Float32, frame: Frame, visible: Box) -> Report | None:
    if order.preset is None or order.recipe.form == "mask":
        return None
    photo = Size(matte.shape[1], matte.shape[0])
    product = frame.place(visible).within(Box.full(frame.size))
    return judge(order.preset, encoded, product, mask=framed_mask(matte, frame), edges=reached_edges(visible, photo))


def _needs_review(sure: float | None, network: Network) -> bool:
    calibration = network.card.confidence
    return sure is not None and calibration is not None and sure < calibration.review_below


class _Stopwatch:
    """Times the steps of one run."""

    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last_s = time.perf_counter()

    def lap(self, name: str) -> None:
        now_s = time.perf_counter()
        self.laps_ms[name] = round(1000 * (now_s - self._last_s), 1)
        self._last_s = now_s
