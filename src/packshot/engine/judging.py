"""Pictures against the rules of a preset: the pipeline's own outputs, and pictures made anywhere."""

from __future__ import annotations

import numpy as np

from packshot.core import codecs
from packshot.core.codecs import Header, Limits, Raster
from packshot.core.codecs.file_facts import read_file_facts
from packshot.core.geometry import Box, reached_edges
from packshot.core.measure import box_of, find_on_plain, measure_ground
from packshot.core.picture import Picture, UInt8
from packshot.core.rule_kinds import Background
from packshot.core.rules import Facts, Report
from packshot.engine.job import Cancellation, Codecs, Job
from packshot.engine.matting import find_matte
from packshot.engine.network import Network, default_network
from packshot.engine.presets import Preset, find_preset
from packshot.errors import InvalidOption, NoForeground

OUR_OWN = Limits(max_pixels=100_000_000, min_side_px=1)
"""Canvases that the pipeline itself makes: up to the largest canvas, and a crop as small as its product."""

VISIBLE = 26
"""Of 255: from here on a matte shows product."""


def check(
    job: Job, network: Network | None = None, codec: Codecs = codecs, cancellation: Cancellation | None = None
) -> Report:
    """What the first of a job's presets says of a finished picture, as `check_all` judges it."""
    return check_all(job, network, codec, cancellation)[0]


def check_all(
    job: Job, network: Network | None = None, codec: Codecs = codecs, cancellation: Cancellation | None = None
) -> tuple[Report, ...]:
    """Judge a finished picture, made anywhere, by the rules of each of its recipes' presets.

    On a background of one colour the product is what differs from it; elsewhere the network finds it.

    Raises
    ------
    packshot.errors.InputError
        The file cannot be used; the message says what to do.
    packshot.errors.NoForeground
        Nothing in the picture stands out.
    """
    names = [recipe.preset for recipe in job.recipes if recipe.preset is not None]
    if not names:
        raise InvalidOption("No preset was named.", hint="Say whose rules to check.", field="preset")
    if isinstance(job.data, Raster):
        raise TypeError("only a file can be judged: its kind and its length are among the rules")
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
    return tuple(
        judge_picture(find_preset(name), picture, mask, product, data=job.data, header=job.header) for name in names
    )


def judge(preset: Preset, data: bytes, product: Box, *, mask: UInt8, edges: tuple[str, ...] = ()) -> Report:
    """What a preset's rules say of an encoded picture whose product is known: the file is measured, not the plan.

    Parameters
    ----------
    data
        The bytes of the picture.
    product
        The box of the product in it, px.
    mask
        uint8 (H, W), the product's matte in the picture. What is fainter than a tenth counts as background: on white it
        is dirt.
    edges
        Edges of the photo that the product reached (core.geometry.reached_edges), where it may be cut off.
    """
    header = codecs.probe(data, OUR_OWN)
    picture = codecs.read(data, header)
    shown = (mask >= VISIBLE).view(np.uint8)
    return judge_picture(preset, picture, shown, product, data=data, header=header, edges=edges)


def judge_picture(
    preset: Preset,
    picture: Picture,
    mask: UInt8,
    product: Box,
    *,
    data: bytes,
    header: Header,
    edges: tuple[str, ...] = (),
) -> Report:
    """The same of a picture that is decoded already, with its file and that file's header.

    mask: uint8 (H, W), 1 where the product is.
    """
    file = read_file_facts(data, header)
    asked = next((rule for rule in preset.rules if isinstance(rule, Background)), Background())
    facts = Facts(
        format=header.format,
        file_bytes=len(data),
        size=picture.size,
        product=product,
        ground=measure_ground(picture.rgb, picture.alpha, mask, asked.colour, asked.at_most_off),
        edges=tuple(dict.fromkeys((*edges, *reached_edges(product, picture.size)))),
        several=file.several,
        colours=file.colours,
        bits=file.bits,
    )
    return Report(preset.name, preset.title, tuple(rule.check(facts) for rule in preset.rules))
