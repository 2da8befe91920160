"""The pipeline: the bytes of a photo in, the bytes of a packshot out. PIPELINE lists every step of a request."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from packshot.core import codecs
from packshot.core.codecs import LIBRARY_LIMITS, Limits
from packshot.core.foreground import estimate_foreground
from packshot.core.frame import make_frame
from packshot.core.geometry import Box, Size, reached_edges
from packshot.core.matte import bounding_box, is_empty, visible_box
from packshot.core.measure import box_of, find_on_plain
from packshot.core.options import Options
from packshot.core.render import framed_mask, render
from packshot.core.rules import Report
from packshot.engine.job import Cancellation, Codecs, Job, Stage, Work, decode_auxiliary, follow, make_job
from packshot.engine.matting import MATTING, find_matte
from packshot.engine.network import Network, default_network
from packshot.engine.presets import find_preset, judge, judge_picture, recipe_for
from packshot.errors import InvalidOption, NoForeground


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


def is_judged(work: Work) -> bool:
    return work.recipe.preset is not None and work.recipe.form != "mask"


def shows_colours(work: Work) -> bool:
    return work.recipe.form != "mask"


def decode(work: Work) -> None:
    background = work.recipe.background
    work.backdrop = (
        decode_auxiliary("background_picture", background, work.codecs) if isinstance(background, bytes) else None
    )
    work.picture = work.codecs.read(work.job.data, work.job.header)


def measure_product(work: Work) -> None:
    """Raises: NoForeground where nothing in the matte is foreground."""
    matte = work.found.matte
    box = bounding_box(matte)
    if box is None or is_empty(matte, work.found.most):
        raise NoForeground(
            "Nothing in this picture stands out as a product.",
            hint="Send a photo in which the product is in full view and differs from what is behind it.",
        )
    judged = work.recipe.preset is not None or work.recipe.framing.fill is not None
    work.product, work.visible = box, visible_box(matte) if judged else box


def lay_out(work: Work) -> None:
    work.frame = make_frame(work.recipe.framing, work.picture.size, work.around)


def decontaminate(work: Work) -> None:
    work.foreground = estimate_foreground(work.picture, work.found.matte, work.found.ground)


def draw(work: Work) -> None:
    work.rendering = render(
        work.recipe, work.picture, work.found.matte, work.frame, work.backdrop, foreground=work.foreground
    )
    work.backdrop = work.foreground = None  # up to 23 bytes a pixel, which the encoder may need


def encode(work: Work) -> None:
    recipe, exif = work.recipe, work.picture.exif if work.recipe.keep_metadata else None
    rgb, alpha = work.rendering.rgb, work.rendering.alpha
    work.encoded = work.codecs.encode(rgb, alpha, format=recipe.format, quality=recipe.quality, exif=exif)


def check_rules(work: Work) -> None:
    """The rules of the preset, on the encoded file."""
    assert work.recipe.preset is not None  # noqa: S101 - for the type checker: the stage's condition
    work.report = judge(
        find_preset(work.recipe.preset),
        work.encoded,
        work.frame.place(work.visible).within(Box.full(work.frame.size)),
        mask=framed_mask(work.found.matte, work.frame),
        edges=reached_edges(work.visible, work.picture.size),
    )


PIPELINE: tuple[Stage, ...] = (
    Stage("decode", "decode", decode),
    *MATTING,
    Stage("measure", "matte", measure_product),
    Stage("frame", "render", lay_out),
    Stage("foreground", "render", decontaminate, shows_colours),
    Stage("render", "render", draw),
    Stage("encode", "encode", encode),
    Stage("rules", "rules", check_rules, is_judged),
)
"""From a photo's bytes to a packshot's bytes."""


def run(job: Job, network: Network, codec: Codecs = codecs, cancellation: Cancellation | None = None) -> Result:
    """Make what a job asks for. Safe from threads.

    Parameters
    ----------
    codec
        Reads the photo and writes the output.
    cancellation
        Ends the work before its next stage.

    Raises
    ------
    Cancelled
    packshot.errors.InputError
        The photo or an option cannot be used; the message says what to do.
    packshot.errors.NoForeground
        Nothing in the photo stands out.
    """
    work = Work(job.recipe, network, codec, cancellation)
    work.job = job
    return _result(follow(PIPELINE, work))


def remove(
    data: bytes, options: Options | None = None, *, network: Network | None = None, limits: Limits = LIBRARY_LIMITS
) -> Result:
    """Make what `options` ask for of a photo, with all that is known of it. Safe from threads.

    Parameters
    ----------
    data
        The bytes of a picture file: JPEG, PNG, WebP, TIFF, AVIF, HEIC, BMP or GIF.
    options
        What to make of it; by default a cutout, a PNG with straight alpha of the photo's size.
    network
        By default the one that `packshot models use` chose, else the embedded one.
    limits
        What files are accepted.

    Raises
    ------
    packshot.errors.InputError
        The file or an option cannot be used; the message says what to do.
    packshot.errors.NoForeground
        Nothing in the photo stands out.
    """
    return run(make_job(data, recipe_for(options or Options()), limits), network or default_network())


def remove_background(data: bytes, options: Options | None = None) -> bytes:
    """The bytes of `remove`'s output, by the default network. Raises what `remove` raises."""
    return remove(data, options).data


def check(
    job: Job, network: Network | None = None, codec: Codecs = codecs, cancellation: Cancellation | None = None
) -> Report:
    """Judge a finished picture, made anywhere, by the rules of its recipe's preset.

    On a background of one colour the product is what differs from it; elsewhere the network finds it.

    Raises
    ------
    packshot.errors.InputError
        The file cannot be used; the message says what to do.
    packshot.errors.NoForeground
        Nothing in the picture stands out.
    """
    if job.recipe.preset is None:
        raise InvalidOption("No preset was named.", hint="Say whose rules to check.", field="preset")
    picture = codec.read(job.data, job.header)
    mask = find_on_plain(picture.rgb, picture.alpha)
    if mask is None:
        # Product is what is at least as likely product as background: haze would blow up its box.
        matte = find_matte(picture, network or default_network(), cancellation).matte
        mask = (matte >= 0.5).astype(np.uint8)
    product = box_of(mask)
    if product is None:
        raise NoForeground(
            "Nothing in this picture differs from its background.", hint="Give a picture that shows a product."
        )
    preset = find_preset(job.recipe.preset)
    return judge_picture(preset, picture, mask, product, data=job.data, header=job.header)


def _result(work: Work) -> Result:
    steps: dict[str, float] = {}
    for stage in PIPELINE:
        if stage.name in work.laps_ms:
            steps[stage.step] = steps.get(stage.step, 0.0) + work.laps_ms[stage.name]
    return Result(
        data=work.encoded,
        media_type=codecs.FORMATS[work.recipe.format].media_type,
        size=work.frame.size,
        photo_size=work.picture.size,
        box=work.product,
        product=work.frame.place(work.around).within(Box.full(work.frame.size)),
        confidence=work.found.confidence,
        review=_needs_review(work.found.confidence, work.network),
        notes=(*work.frame.notes, *work.rendering.notes),
        report=work.report,
        timings_ms={step: round(took_ms, 1) for step, took_ms in steps.items()},
    )


def _needs_review(sure: float | None, network: Network) -> bool:
    calibration = network.card.confidence
    return sure is not None and calibration is not None and sure < calibration.review_below
