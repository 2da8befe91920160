"""The pipeline: from a photo's bytes to the bytes of packshots. PIPELINE lists every step of a request."""

from __future__ import annotations

from dataclasses import replace

from packshot.core import codecs
from packshot.core.codecs import Raster
from packshot.core.geometry import reached_edges
from packshot.core.matte import bounding_box, is_empty, visible_box
from packshot.core.rotate import turn_ground, turn_matte, turn_picture, turned_edges
from packshot.engine.drawing import DRAWING, decontaminate, take_backdrop
from packshot.engine.job import Cancellation, Codecs, Job, Mattes, Stage, Work, follow, unless
from packshot.engine.matting import MATTING
from packshot.engine.network import Network
from packshot.engine.result import Result
from packshot.errors import NoForeground


def is_turned(work: Work) -> bool:
    return work.recipe.rotate != 0


def shows_colours(work: Work) -> bool:
    return any(recipe.form != "mask" for recipe in work.job.recipes)


def decode(work: Work) -> None:
    take_backdrop(work)
    photo = work.job.data
    work.picture = codecs.to_picture(photo) if isinstance(photo, Raster) else work.codecs.read(photo, work.job.header)


def keeps_mattes(work: Work) -> bool:
    return work.mattes is not None


def is_recalled(work: Work) -> bool:
    return work.recalled


def is_new(work: Work) -> bool:
    return work.mattes is not None and not work.recalled


def recall_matte(work: Work) -> None:
    """Take the cached matte of this photo, from an earlier request with the same region and touch-up."""
    assert work.mattes is not None  # noqa: S101 - for the type checker: the stage's condition
    known = work.mattes.find(work.recipe)
    if known is not None:
        work.found, work.recalled = known, True


def keep_matte(work: Work) -> None:
    assert work.mattes is not None  # noqa: S101 - for the type checker: the stage's condition
    work.mattes.keep(work.recipe, work.found)


def measure_product(work: Work) -> None:
    """Raises: NoForeground if no pixel of the matte is foreground."""
    if is_empty(work.found.matte, work.found.most):
        raise _no_foreground()
    _measure(work)
    size = work.picture.size
    work.edges, work.visible_edges = reached_edges(work.around, size), reached_edges(work.visible, size)


def turn(work: Work) -> None:
    """Rotate everything that later stages read. The recorded edges still refer to the original photo."""
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
    judged = any(recipe.preset is not None or recipe.framing.fill is not None for recipe in work.job.recipes)
    work.product, work.visible = box, visible_box(matte) if judged else box


def _no_foreground() -> NoForeground:
    return NoForeground(
        "No product was found in this picture.",
        hint="Send a photo in which the product is in full view and differs from its background.",
    )


FINDING: tuple[Stage, ...] = (
    Stage("decode", "decode", decode),
    Stage("recall", "matte", recall_matte, keeps_mattes),
    *unless(is_recalled, MATTING),
    Stage("keep", "matte", keep_matte, is_new),
    Stage("measure", "matte", measure_product),
    Stage("turn", "render", turn, is_turned),
    Stage("foreground", "render", decontaminate, shows_colours),
)
"""The stages from a photo's bytes to its product: run once, for any number of pictures."""

PIPELINE = (*FINDING, *DRAWING)


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
    """Make the first picture of a job. `run_all` has the parameters and errors."""
    first = replace(job, recipes=job.recipes[:1])
    return run_all(first, network, codec, cancellation, keep_matte=keep_matte, software=software, mattes=mattes)[0]


def run_all(
    job: Job,
    network: Network,
    codec: Codecs = codecs,
    cancellation: Cancellation | None = None,
    *,
    keep_matte: bool = False,
    software: str | None = None,
    mattes: Mattes | None = None,
) -> tuple[Result, ...]:
    """Make a picture for each recipe of a job, from one matte. Thread-safe.

    Parameters
    ----------
    codec
        Reads the photo and encodes the output.
    cancellation
        Stops the work before its next stage.
    keep_matte
        Whether the result holds the matte, four bytes for each pixel of the photo.
    software
        The program name for the output's EXIF tag Software, such as "packshot"; None omits the tag.
    mattes
        Cached mattes of this photo: a fitting one is used, otherwise the new one is cached.

    Raises
    ------
    Cancelled
    packshot.errors.InputError
        The photo or an option cannot be used; the message says what to do.
    packshot.errors.NoForeground
        The photo shows no product.
    """
    work = Work(job.recipe, network, codec, cancellation, software)
    work.job, work.mattes = job, mattes
    follow(FINDING, work)
    *others, last = job.recipes
    results = []
    for recipe in others:
        picture = work.for_picture(recipe)
        picture.laps_ms, work.laps_ms = work.laps_ms, {}  # the first picture's times include those of the photo
        results.append(_result(follow(DRAWING, picture), keep_matte=keep_matte))
    work.recipe = last  # the last one uses the shared state and may free it
    return (*results, _result(follow(DRAWING, work), keep_matte=keep_matte))


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
        box=work.around,
        product=work.frame.shown(work.around),
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
