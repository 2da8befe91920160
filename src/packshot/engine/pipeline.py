"""The pipeline: the bytes of a photo in, the bytes of a packshot out. PIPELINE lists every step of a request."""

from __future__ import annotations

from dataclasses import replace

from packshot.core import codecs
from packshot.core.codecs import Raster
from packshot.core.codecs.exif import with_software
from packshot.core.foreground import estimate_foreground
from packshot.core.frame import make_frame
from packshot.core.geometry import Box, reached_edges
from packshot.core.matte import bounding_box, is_empty, visible_box
from packshot.core.render import framed_mask, render
from packshot.core.rotate import turn_ground, turn_matte, turn_picture, turned_edges
from packshot.engine.job import Cancellation, Codecs, Job, Mattes, Stage, Work, decode_auxiliary, follow, unless
from packshot.engine.matting import MATTING
from packshot.engine.network import Network
from packshot.engine.result import Result
from packshot.errors import NoForeground


def is_judged(work: Work) -> bool:
    return work.recipe.preset is not None and work.recipe.form != "mask"


def is_turned(work: Work) -> bool:
    return work.recipe.rotate != 0


def shows_colours(work: Work) -> bool:
    return work.recipe.form != "mask"


def decode(work: Work) -> None:
    background = work.recipe.background
    work.backdrop = (
        decode_auxiliary("background_picture", background, work.codecs) if isinstance(background, bytes) else None
    )
    photo = work.job.data
    work.picture = codecs.to_picture(photo) if isinstance(photo, Raster) else work.codecs.read(photo, work.job.header)


def keeps_mattes(work: Work) -> bool:
    return work.mattes is not None


def is_recalled(work: Work) -> bool:
    return work.recalled


def is_new(work: Work) -> bool:
    return work.mattes is not None and not work.recalled


def recall_matte(work: Work) -> None:
    """Take the matte that was found when this photo came before, with the same region and touch-up."""
    assert work.mattes is not None  # noqa: S101 - for the type checker: the stage's condition
    known = work.mattes.find(work.recipe)
    if known is not None:
        work.found, work.recalled = known, True


def keep_matte(work: Work) -> None:
    assert work.mattes is not None  # noqa: S101 - for the type checker: the stage's condition
    work.mattes.keep(work.recipe, work.found)


def measure_product(work: Work) -> None:
    """Raises: NoForeground where nothing in the matte is foreground."""
    if is_empty(work.found.matte, work.found.most):
        raise _no_foreground()
    _measure(work)
    size = work.picture.size
    work.edges, work.visible_edges = reached_edges(work.around, size), reached_edges(work.visible, size)


def turn(work: Work) -> None:
    """Turn all that later stages read. The edges that the product reaches are still those of the photo as it came."""
    degrees, found, size = work.recipe.rotate, work.found, work.picture.size
    ground = None if found.ground is None else turn_ground(found.ground, size, degrees)
    work.found = replace(found, matte=turn_matte(found.matte, degrees), ground=ground)
    work.__dict__.pop("part", None)  # it may be the picture itself, 3 bytes a pixel
    work.picture = turn_picture(work.picture, degrees)
    _measure(work)
    work.edges, work.visible_edges = (turned_edges(each, degrees) for each in (work.edges, work.visible_edges))


def _measure(work: Work) -> None:
    matte = work.found.matte
    box = bounding_box(matte)
    if box is None:
        raise _no_foreground()
    judged = work.recipe.preset is not None or work.recipe.framing.fill is not None
    work.product, work.visible = box, visible_box(matte) if judged else box


def _no_foreground() -> NoForeground:
    return NoForeground(
        "Nothing in this picture stands out as a product.",
        hint="Send a photo in which the product is in full view and differs from what is behind it.",
    )


def lay_out(work: Work) -> None:
    work.frame = make_frame(work.recipe.framing, work.picture.size, work.around, work.edges)


def decontaminate(work: Work) -> None:
    work.foreground = estimate_foreground(work.picture, work.found.matte, work.found.ground)


def draw(work: Work) -> None:
    work.rendering = render(
        work.recipe, work.picture, work.found.matte, work.frame, work.backdrop, foreground=work.foreground
    )
    work.backdrop = work.foreground = None  # up to 23 bytes a pixel, which the encoder may need


def encode(work: Work) -> None:
    recipe, exif = work.recipe, work.picture.exif if work.recipe.keep_metadata else None
    if work.software is not None:
        exif = with_software(exif, work.software)
    rgb, alpha = work.rendering.rgb, work.rendering.alpha
    work.encoded = work.codecs.encode(rgb, alpha, format=recipe.format, quality=recipe.quality, exif=exif)


def check_rules(work: Work) -> None:
    """The rules of the preset, on the encoded file."""
    from packshot.engine.judging import judge  # noqa: PLC0415 - 20 ms, and most photos have no preset
    from packshot.engine.presets import find_preset  # noqa: PLC0415

    assert work.recipe.preset is not None  # noqa: S101 - for the type checker: the stage's condition
    work.report = judge(
        find_preset(work.recipe.preset),
        work.encoded,
        work.frame.place(work.visible).within(Box.full(work.frame.size)),
        mask=framed_mask(work.found.matte, work.frame),
        edges=work.visible_edges,
    )


PIPELINE: tuple[Stage, ...] = (
    Stage("decode", "decode", decode),
    Stage("recall", "matte", recall_matte, keeps_mattes),
    *unless(is_recalled, MATTING),
    Stage("keep", "matte", keep_matte, is_new),
    Stage("measure", "matte", measure_product),
    Stage("turn", "render", turn, is_turned),
    Stage("frame", "render", lay_out),
    Stage("foreground", "render", decontaminate, shows_colours),
    Stage("render", "render", draw),
    Stage("encode", "encode", encode),
    Stage("rules", "rules", check_rules, is_judged),
)
"""From a photo's bytes to a packshot's bytes."""


def run(
    job: Job,
    network: Network,
    codec: Codecs = codecs,
    cancellation: Cancellation | None = None,
    *,
    keep_matte: bool = False,
    software: str | None = None,
    mattes: Mattes | None = None,
) -> Result:
    """Make what a job asks for. Safe from threads.

    Parameters
    ----------
    codec
        Reads the photo and writes the output.
    cancellation
        Ends the work before its next stage.
    keep_matte
        Whether the result holds the matte, four bytes for each pixel of the photo.
    software
        The program that the output's EXIF tag Software names, such as "packshot"; None for no such tag.
    mattes
        Those of this photo that were found before: one that fits is taken, else the new one is kept.

    Raises
    ------
    Cancelled
    packshot.errors.InputError
        The photo or an option cannot be used; the message says what to do.
    packshot.errors.NoForeground
        Nothing in the photo stands out.
    """
    work = Work(job.recipe, network, codec, cancellation, software)
    work.job, work.mattes = job, mattes
    return _result(follow(PIPELINE, work), keep_matte=keep_matte)


def _result(work: Work, *, keep_matte: bool) -> Result:
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
        _matte=work.found.matte if keep_matte else None,
    )


def _needs_review(sure: float | None, network: Network) -> bool:
    calibration = network.card.confidence
    return sure is not None and calibration is not None and sure < calibration.review_below
