"""Presets: the rules of marketplaces as data files, what they make of options, and what they say of a picture."""

from __future__ import annotations

import datetime
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from packshot.core import codecs
from packshot.core.codecs import LIBRARY_LIMITS, Limits
from packshot.core.geometry import Box
from packshot.core.measure import box_of, find_on_plain, measure_ground, reached_edges
from packshot.core.options import TRANSPARENT, Options
from packshot.core.picture import Picture, UInt8
from packshot.core.recipe import Recipe, make_recipe
from packshot.core.rule_kinds import KINDS, Background
from packshot.core.rules import Facts, Report, Rule, judge_facts
from packshot.engine.find import default_network, find_matte
from packshot.errors import InvalidOption, NoForeground

if TYPE_CHECKING:
    from packshot.engine.network import Network

OUR_OWN = Limits(max_pixels=100_000_000, min_side_px=1)
"""What the line itself makes: up to the largest canvas, and a crop as small as its product."""

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


@dataclass(frozen=True)
class Plan:
    """What is to be made and whose rules it shall keep."""

    recipe: Recipe
    preset: Preset | None


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


def plan(options: Options) -> Plan:
    """The options, with their preset's wherever nothing else was said, decided in full.

    Raises
    ------
    InvalidOption
        There is no such preset, or two options contradict each other.
    """
    if options.preset is None:
        return Plan(make_recipe(options), None)
    preset = find_preset(options.preset)
    return Plan(make_recipe(options.over(_without(preset.options, _gives_way(options)))), preset)


def judge(
    preset: Preset, data: bytes, product: Box, *, mask: UInt8 | None = None, edges: tuple[str, ...] = ()
) -> Report:
    """What a preset's rules say of an encoded picture whose product is known: the file is measured, not the plan.

    Parameters
    ----------
    data
        The bytes of the picture.
    product
        The box of the product in it, px.
    mask
        uint8 (H, W), the product's matte in the picture; without it the whole box counts as product. What is fainter
        than a tenth counts as background: on white it is dirt.
    edges
        Edges of the photo that the product reached (core.measure.reached_edges), where it may be cut off.
    """
    picture = codecs.decode(data, OUR_OWN)
    if mask is None:
        mask = np.zeros(picture.rgb.shape[:2], np.uint8)
        mask[product.slices] = 1
    else:
        mask = (mask >= VISIBLE).view(np.uint8)
    return _report(preset, data, picture, mask, product=product, edges=edges)


def judge_file(
    data: bytes, preset: Preset, *, network: Network | None = None, limits: Limits = LIBRARY_LIMITS
) -> Report:
    """What a preset's rules say of a finished picture, made anywhere.

    On a background of one colour the product is what differs from it; elsewhere the network finds it.

    Raises
    ------
    packshot.errors.InputError
        The file cannot be used; the message says what to do.
    packshot.errors.NoForeground
        Nothing in the picture stands out.
    """
    picture = codecs.decode(data, limits)
    mask = find_on_plain(picture.rgb, picture.alpha)
    if mask is None:
        mask = _found(picture, network)
    product = box_of(mask)
    if product is None:
        raise NoForeground(
            "Nothing in this picture differs from its background.", hint="Give a picture that shows a product."
        )
    return _report(preset, data, picture, mask, product=product)


def _found(picture: Picture, network: Network | None) -> UInt8:
    """The product by the network, where it is at least as likely product as background: haze would blow up its box."""
    return (find_matte(picture, network or default_network()).matte >= 0.5).astype(np.uint8)


def _report(
    preset: Preset, data: bytes, picture: Picture, mask: UInt8, *, product: Box, edges: tuple[str, ...] = ()
) -> Report:
    asked = next((rule for rule in preset.rules if isinstance(rule, Background)), Background())
    ground = measure_ground(picture.rgb, picture.alpha, mask, asked.colour, asked.at_most_off)
    facts = Facts(
        format=codecs.probe(data, OUR_OWN).format,
        file_bytes=len(data),
        size=picture.size,
        product=product,
        ground=ground,
        edges=tuple(dict.fromkeys((*edges, *reached_edges(product, picture.size)))),
    )
    return judge_facts(preset.name, preset.title, preset.rules, facts)


def _gives_way(options: Options) -> set[str]:
    """Options of a preset that what the caller says leaves no room for."""
    ways: set[str] = set()
    if options.margin is not None:
        ways |= {"fill"}
    if options.canvas is not None and options.parsed("canvas", options.canvas).size is not None:
        ways |= {"min_px", "max_px"}
    if options.background_picture is not None:
        ways |= {"background"}
    if options.format is not None:
        ways |= {"quality"}
    if options.form in {"cutout", "mask"} or options.background == TRANSPARENT:
        ways |= {"form", "background", "format", "quality"}
    if options.form == "mask":
        ways |= {"shadow", "shadow_opacity"}
    return ways


def _without(options: Options, names: set[str]) -> Options:
    return Options(**{name: value for name, value in options.given().items() if name not in names})


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
