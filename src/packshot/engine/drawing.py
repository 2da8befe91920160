"""Drawing: from a product and its matte to the bytes of a picture, checked and repaired. DRAWING lists every step."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from packshot.core.codecs import Raster
from packshot.core.codecs.exif import with_software
from packshot.core.foreground import estimate_foreground
from packshot.core.frame import Frame, make_frame
from packshot.core.recipe import Framing
from packshot.core.render import framed_mask, render
from packshot.core.rules import is_repairable
from packshot.engine.job import Stage, Work, decode_auxiliary


def is_judged(work: Work) -> bool:
    return work.recipe.preset is not None and work.recipe.form != "mask"


def is_lacking(work: Work) -> bool:
    return work.report is not None and bool(work.recipe.mends) and any(map(is_repairable, work.report.checks))


def take_backdrop(work: Work) -> None:
    """Decode the picture behind the product, if there is one. Raises InvalidOption."""
    background = work.recipe.background
    work.backdrop = (
        decode_auxiliary("background_picture", background, work.codecs) if isinstance(background, bytes) else None
    )


def lay_out(work: Work) -> None:
    """Plan the frame; with a preset, as large as its rules require."""
    work.repairs = []
    if work.recipe.preset is None or "size" not in work.recipe.mends:
        work.frame = _frame(work, work.recipe.framing)
        return
    from packshot.core.repair import fit_size  # noqa: PLC0415 - 20 ms with the rule kinds
    from packshot.engine.presets import find_preset  # noqa: PLC0415

    fitted = fit_size(work.recipe.framing, find_preset(work.recipe.preset).rules, partial(_frame, work))
    work.recipe, work.frame = replace(work.recipe, framing=fitted.framing), fitted.frame
    work.repairs += fitted.repairs


def draw_again(work: Work) -> None:
    """Draw the frame, colours and file again after a repair has changed the recipe."""
    work.frame = _frame(work, work.recipe.framing)
    if work.foreground is None:
        decontaminate(work)
    take_backdrop(work)
    draw(work)
    encode(work)


def _frame(work: Work, framing: Framing) -> Frame:
    return make_frame(framing, work.picture.size, work.around, work.edges)


def decontaminate(work: Work) -> None:
    work.foreground = estimate_foreground(work.picture, work.found.matte, work.found.ground)


def draw(work: Work) -> None:
    colours = None if work.recipe.form == "mask" else work.foreground
    work.rendering = render(work.recipe, work.picture, work.found.matte, work.frame, work.backdrop, foreground=colours)
    work.backdrop = work.foreground = None  # frees up to 23 bytes a pixel for the encoder


def encode(work: Work) -> None:
    work.encoded = encode_with(work, work.recipe.quality)


def encode_with(work: Work, quality: int | None) -> bytes:
    exif = work.picture.exif if work.recipe.keep_metadata else None
    if work.software is not None:
        exif = with_software(exif, work.software)
    rgb, alpha = work.rendering.rgb, work.rendering.alpha
    return work.codecs.encode(rgb, alpha, format=work.recipe.format, quality=quality, exif=exif)


def check_rules(work: Work) -> None:
    """Check the preset's rules on the encoded file."""
    from packshot.engine.judging import judge  # noqa: PLC0415 - 20 ms, and most photos have no preset
    from packshot.engine.presets import find_preset  # noqa: PLC0415

    assert work.recipe.preset is not None  # noqa: S101 - for the type checker: the stage's condition
    work.report = judge(
        find_preset(work.recipe.preset),
        work.encoded,
        work.frame.shown(work.visible),
        mask=framed_mask(work.found.matte, work.frame),
        edges=work.visible_edges,
    )


def repair(work: Work) -> None:
    """Repair broken rules, as far as that is honest, and check the picture again."""
    from packshot.engine.repairing import put_right  # noqa: PLC0415 - as above

    put_right(work)


def name_repairs(work: Work) -> None:
    """Add the repairs to the report, also those in the photo's file."""
    from packshot.core.codecs.file_facts import read_file_facts  # noqa: PLC0415 - as above
    from packshot.core.repair import done_to_photo  # noqa: PLC0415
    from packshot.engine.presets import find_preset  # noqa: PLC0415

    assert work.report is not None  # noqa: S101 - for the type checker: the stage's condition
    photo = work.job.data
    if not isinstance(photo, Raster):
        rules = find_preset(work.report.preset).rules
        work.repairs = [*done_to_photo(rules, read_file_facts(photo, work.job.header)), *work.repairs]
    work.report = replace(work.report, repairs=tuple(work.repairs))


DRAWING: tuple[Stage, ...] = (
    Stage("frame", "render", lay_out),
    Stage("render", "render", draw),
    Stage("encode", "encode", encode),
    Stage("rules", "rules", check_rules, is_judged),
    Stage("repair", "rules", repair, is_lacking),
    Stage("repairs", "rules", name_repairs, is_judged),
)
"""The stages from the product to a packshot's bytes, run for each picture."""
