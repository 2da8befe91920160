"""Presets: the rules of marketplaces as data files, and the recipes that they make from options."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from packshot.core.options import TRANSPARENT, Options
from packshot.core.recipe import Mend, Recipe, make_recipe
from packshot.errors import InvalidOption

if TYPE_CHECKING:
    from packshot.core.rules import Rule


@dataclass(frozen=True)
class Preset:
    """A marketplace's requirements for a main image.

    source: URL of its own page; empty for packshot's own preset. checked: the date of the last check of the rules;
    evidence: how they were checked. options: the options for a compliant picture. rules: the automatic checks. hints:
    requirements that pixels cannot show, one sentence each, for people to check.
    """

    name: str
    title: str
    about: str
    source: str
    checked: datetime.date
    evidence: str
    options: Options
    rules: tuple[Rule, ...]
    hints: tuple[str, ...] = ()


def preset_names() -> tuple[str, ...]:
    """The names of all presets, sorted."""
    return tuple(_presets())


def find_preset(name: str) -> Preset:
    """The preset of a name.

    Raises
    ------
    InvalidOption
        The preset does not exist; the hint names the nearest one, or all of them.
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


def outdated(today: datetime.date, days: int = 365) -> tuple[Preset, ...]:
    """The presets whose rules were last checked more than `days` ago, oldest first. Excludes packshot's own."""
    presets = sorted(_presets().values(), key=lambda preset: preset.checked)
    return tuple(each for each in presets if each.source and (today - each.checked).days > days)


def recipes_for(options: Options) -> tuple[Recipe, ...]:
    """One recipe for each preset in the options, in that order; a single recipe if they name none.

    Raises
    ------
    InvalidOption
        A preset does not exist, or two options contradict each other.
    """
    names = options.meaning("preset")
    return tuple(recipe_for(replace(options, preset=name)) for name in names or (None,))


def recipe_for(options: Options) -> Recipe:
    """The full recipe: the options, completed by their preset.

    Raises
    ------
    InvalidOption
        The preset does not exist, or the options name several; or two options contradict each other.
    """
    names = options.meaning("preset")
    if names is None or len(names) > 1:
        return make_recipe(options)
    given, overruled = find_preset(names[0]).options.given(), _overruled(options)
    kept = {name: value for name, value in given.items() if name not in overruled}
    return replace(make_recipe(options.over(Options(**kept))), mends=_mends(options))


def _overruled(options: Options) -> set[str]:
    """The preset's options that the caller's options override."""
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


def _mends(options: Options) -> frozenset[Mend]:
    """The repairs that change nothing the caller set. The table lists the options that exclude each repair."""
    if options.repair is False or options.form == "mask":
        return frozenset()
    said = options.given()
    canvas = options.meaning("canvas")
    exact = canvas is not None and canvas.size is not None
    by: dict[Mend, set[str]] = {
        "size": {"max_upscale", "min_px", *({"canvas"} if exact else ())},
        "fill": {"canvas", "fill", "margin", "crop", "position"},
        "ground": {"background", "background_picture", "shadow"},
        "quality": {"quality"},
    }
    return frozenset(kind for kind, names in by.items() if not names & said.keys())


@cache
def _presets() -> Mapping[str, Preset]:
    import tomllib  # noqa: PLC0415 - 20 ms with the rule kinds, and most photos have no preset

    folder = resources.files("packshot").joinpath("presets")
    files = sorted((each for each in folder.iterdir() if each.name.endswith(".toml")), key=lambda each: each.name)
    texts = {each.name.removesuffix(".toml"): each.read_text(encoding="utf-8") for each in files}
    return {name: _preset(name, tomllib.loads(text)) for name, text in texts.items()}


def _preset(name: str, facts: dict[str, Any]) -> Preset:
    rules, hints = tuple(_rule(each) for each in facts.pop("rules")), tuple(facts.pop("hints", ()))
    return Preset(name=name, options=Options.from_fields(facts.pop("options")), rules=rules, hints=hints, **facts)


def _rule(facts: dict[str, Any]) -> Rule:
    from packshot.core.rule_kinds import KINDS  # noqa: PLC0415 - as above

    kind: str = facts.pop("kind")
    return KINDS[kind](**{key: tuple(value) if isinstance(value, list) else value for key, value in facts.items()})
