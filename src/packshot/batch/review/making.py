"""Recipes, touch-ups and journal rows for making the pictures of one photo again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from packshot.batch.even import placed
from packshot.batch.listing import Placing, make_fingerprint
from packshot.batch.printable import printable
from packshot.batch.process import Row, made
from packshot.batch.process import own_options as with_own_options
from packshot.batch.review.photos import Run
from packshot.batch.times import now
from packshot.core import codecs
from packshot.core.codecs import FORMATS, Limits
from packshot.core.options import OPTIONS, Options
from packshot.core.picture import UInt8, to_uint8, to_unit
from packshot.core.recipe import Recipe
from packshot.core.resample import resample, size_of
from packshot.core.touch_up import AS_FOUND, SLACK
from packshot.engine.job import as_option
from packshot.engine.presets import recipe_for
from packshot.engine.result import Result
from packshot.errors import InvalidOption

AGAIN = ("rotate", "background", "shadow", "shadow_opacity", "margin", "fill", "position", "max_upscale", "roi")
"""Options that can be set for a single photo. The format is fixed, because pictures keep their names."""

TOUCH_UP = Limits(max_bytes=8_000_000, min_side_px=1, max_pixels=6_000_000, formats=frozenset({"png"}))
"""Limits of a touch-up picture. The page sends at most 1500 px, about 40 KB."""

_A_FILE = "a file"


def output_recipe(row: Row, ran: Run, options: Mapping[str, str]) -> Recipe:
    """The recipe of an output: the options of its run, overridden by the photo's own options.

    Raises: InvalidOption if the recipe is unknown, or if the options contradict each other.
    """
    said = dict(ran.options)
    for name, value in said.items():
        if value == _A_FILE and OPTIONS[name].kind == "file":
            raise InvalidOption(
                f"This batch was made with {name}, a file that its journal does not contain.",
                hint="Correct this photo with `packshot remove`, or run the batch with a plain background.",
                field=name,
            )
    if (preset := _preset(row, said)) is not None:
        said["preset"] = preset
    base = recipe_for(Options.from_fields(said))
    recipe = replace(recipe_for(with_own_options(options, Options.from_fields(said))), key=base.key)
    if (placing := _placing(row)) is not None:
        recipe = placed(recipe, placing, options)
    if recipe.format != base.format:
        raise InvalidOption(
            f"With {', '.join(options)} the picture would be a {FORMATS[recipe.format].title}, but the batch's is a "
            f"{FORMATS[base.format].title}.",
            hint="Give a background that this format supports.",
            field="background",
        )
    return recipe


def _placing(row: Row) -> Placing | None:
    """The placing of an even catalogue's picture. Corrections keep the placing until the batch runs again."""
    said = row.get("even")
    return None if said is None else Placing(**{name: said[name] for name in Placing._fields})


def _preset(row: Row, options: Mapping[str, Any]) -> str | None:
    """The preset of an output. With several presets, it is the name of the output's folder."""
    names = [name.strip() for name in str(options.get("preset") or "").split(",") if name.strip()]
    if len(names) <= 1:
        return names[0] if names else None
    said = (row.get("preset") or {}).get("name") or row["output"].split("/")[0]
    if said not in names:
        raise InvalidOption(f"The preset of {printable(row['output'])} is not known.")
    return str(said)


def remade_row(old: Row, ran: Run, recipe: Recipe, result: Result, decided: int) -> Row:
    """The journal row of an output that was made again. decided: `Decision.made`."""
    placing = _placing(old)
    key = recipe.key if placing is None else placing.options_key(recipe.key)
    return {
        "source": old["source"],
        "version": old["version"],
        "output": old["output"],
        "fingerprint": make_fingerprint(old["source"], old["version"], key, ran.network, decided),
        "at": now(),
        "seconds": round(sum(result.timings_ms.values()) / 1000, 3),
        "ok": True,
        **made(result, placing),
    }


def own_options(options: Mapping[str, str]) -> dict[str, str]:
    """The non-empty options of a photo, each checked separately. Raises: InvalidOption."""
    wanted = {name: value.strip() for name, value in options.items() if value.strip()}
    for name in wanted:
        if name not in AGAIN:
            raise InvalidOption(
                f"{name[:40]!r} cannot be set for a single photo.",
                hint=f"Use one of {', '.join(AGAIN)}.",
                field=name[:40],
            )
    Options.from_fields(wanted)
    return wanted


def laid_over(below: bytes | None, above: bytes | None) -> bytes | None:
    """The new touch-up (`above`) over the earlier one (`below`), as a gray PNG; None if neither exists.

    Raises: InvalidOption for a picture outside the limits TOUCH_UP.
    """
    old, new = (None if each is None else _gray(each) for each in (below, above))
    if new is None or old is None:
        either = new if old is None else old
    else:
        fitting = old if old.shape == new.shape else to_uint8(resample(to_unit(old), size_of(new)))
        either = np.where(np.abs(new.astype(np.int16) - AS_FOUND) <= SLACK, fitting, new)
    return None if either is None else codecs.encode(either, format="png")


def _gray(data: bytes) -> UInt8:
    """The gray levels of a touch-up, uint8 (H, W). Raises: InvalidOption."""
    with as_option("touch_up", "read"):
        picture = codecs.read(data, codecs.probe(data, TOUCH_UP))
    levels = picture.rgb[..., 0]
    if picture.alpha is not None:
        cover = to_unit(picture.alpha)
        levels = np.rint(levels * cover + AS_FOUND * (1 - cover)).astype(np.uint8)
    return np.ascontiguousarray(levels)
