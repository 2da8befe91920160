"""Presets: the rules of marketplaces as data files, what they make of options, and what they say of a picture."""

from __future__ import annotations

import datetime
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from packshot.core import codecs
from packshot.core.codecs import Header, Limits
from packshot.core.codecs.file_facts import read_file_facts
from packshot.core.geometry import Box, reached_edges
from packshot.core.measure import measure_ground
from packshot.core.options import TRANSPARENT, Options
from packshot.core.picture import Picture, UInt8
from packshot.core.recipe import Recipe, make_recipe
from packshot.core.rule_kinds import KINDS, Background
from packshot.core.rules import Facts, Report, Rule
from packshot.errors import InvalidOption

OUR_OWN = Limits(max_pixels=100_000_000, min_side_px=1)
"""What the pipeline itself makes: up to the largest canvas, and a crop as small as its product."""

VISIBLE = 26
"""Of 255: from here on a matte shows product."""


@dataclass(frozen=True)
class Preset:
    """What a marketplace asks of a main image.

    source: address of its own page; empty for a preset that is ours. checked: the day as of which the rules are known,
    and evidence: how. options: what makes a picture that keeps them. rules: what is checked.
    """

    name: str
    title: str
    about: str
    source: str
    checked: datetime.date
    evidence: str
    options: Options
    rules: tuple[Rule, ...]


def preset_names() -> tuple[str, ...]:
    """The names of all presets, sorted."""
    return tuple(_presets())


def find_preset(name: str) -> Preset:
    """The preset of a name.

    Raises
    ------
    InvalidOption
        There is none; the hint has the nearest name, or all of them.
    """
    presets = _presets()
    if name not in presets:
        near = difflib.get_close_matches(name.lower(), presets, 1)
        raise InvalidOption(
            f"preset is {name[:60]!r}.",
            hint=f"Did you mean {near[0]}?" if near else f"Give one of {', '.join(presets)}.",
            field="preset",
            value=name,
            allowed=tuple(presets),
        )
    return presets[name]


def recipe_for(options: Options) -> Recipe:
    """The options, with their preset's wherever nothing else was said, decided in full.

    Raises
    ------
    InvalidOption
        There is no such preset, or two options contradict each other.
    """
    if options.preset is None:
        return make_recipe(options)
    given, overruled = find_preset(options.preset).options.given(), _overruled(options)
    kept = {name: value for name, value in given.items() if name not in overruled}
    return make_recipe(options.over(Options(**kept)))


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


def _overruled(options: Options) -> set[str]:
    """Options of a preset that what the caller says leaves no room for."""
    names: set[str] = set()
    if options.margin is not None:
        names |= {"fill"}
    canvas = options.meaning("canvas")
    if canvas is not None and canvas.size is not None:
        names |= {"min_px", "max_px"}
    if options.background_picture is not None:
        names |= {"background"}
    if options.format is not None:
        names |= {"quality"}
    if options.form in {"cutout", "mask"} or options.background == TRANSPARENT:
        names |= {"form", "background", "format", "quality"}
    if options.form == "mask":
        names |= {"shadow", "shadow_opacity"}
    return names


@cache
def _presets() -> Mapping[str, Preset]:
    folder = resources.files("packshot").joinpath("presets")
    files = sorted((each for each in folder.iterdir() if each.name.endswith(".toml")), key=lambda each: each.name)
    texts = {each.name.removesuffix(".toml"): each.read_text(encoding="utf-8") for each in files}
    return {name: _preset(name, tomllib.loads(text)) for name, text in texts.items()}


def _preset(name: str, facts: dict[str, Any]) -> Preset:
    rules = tuple(_rule(each) for each in facts.pop("rules"))
    return Preset(name=name, options=Options.from_fields(facts.pop("options")), rules=rules, **facts)


def _rule(facts: dict[str, Any]) -> Rule:
    kind: str = facts.pop("kind")
    return KINDS[kind](**{key: tuple(value) if isinstance(value, list) else value for key, value in facts.items()})
