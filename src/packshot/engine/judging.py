"""Checks pictures against a preset's rules: the pipeline's own outputs, and pictures from any source."""

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
"""Limits for the pipeline's own canvases: up to the largest canvas, and a crop as small as its product."""

VISIBLE = 26
"""Of 255: from this value on a matte counts as visible product."""


def check(
    job: Job, network: Network | None = None, codec: Codecs = codecs, cancellation: Cancellation | None = None
) -> Report:
    """The report of a job's first preset for a finished picture, as in `check_all`."""
    return check_all(job, network, codec, cancellation)[0]


def check_all(
    job: Job, network: Network | None = None, codec: Codecs = codecs, cancellation: Cancellation | None = None
) -> tuple[Report, ...]:
    """Check a finished picture from any source against the presets of all recipes.

    On a background of one colour, every pixel that differs counts as product; elsewhere the network finds the product.

    Raises
    ------
    packshot.errors.InputError
        The file cannot be used; the message says what to do.
    packshot.errors.NoForeground
        The picture shows no product.
    """
    names = [recipe.preset for recipe in job.recipes if recipe.preset is not None]
    if not names:
        raise InvalidOption("No preset was named.", hint="Name the preset to check.", field="preset")
    if isinstance(job.data, Raster):
        raise TypeError("only a file can be checked: the rules cover its format and its length")
    picture = codec.read(job.data, job.header)
    mask = find_on_plain(picture.rgb, picture.alpha)
    if mask is None:
        # The threshold is 0.5: haze below it would enlarge the product's box.
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
    """Check an encoded picture whose product is known: the rules apply to the file, not to the plan.

    Parameters
    ----------
    data
        The bytes of the picture.
    product
        The box of the product in it, px.
    mask
        uint8 (H, W), the product's matte in the picture. Values below a tenth count as background: on white they are
        dirt.
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
    """As `judge`, for a decoded picture with its file and that file's header.

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
