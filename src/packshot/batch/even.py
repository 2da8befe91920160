"""An even catalogue: one size of picture, one scale and the same room around, for all products of a category.

Pure functions. What a category looks like follows from its products' boxes, what is asked, and the preset's rules:

1. A product is as large as the width of the canvas that holds it at scale 1 with the fill that is asked.
2. The canvas is that of the largest product, within the bounds of options and rules, and no larger than the smallest
   product can fill as much as it must.
3. The scale is that at which the largest product fills the canvas as asked.
4. A product that this would make too small is drawn as small as it may be, and is an outlier.

One odd photo must not decide for all: where there are many, a few of the largest and of the smallest are left out of 2
and 3. They are outliers.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from packshot.batch.listing import Placing
from packshot.core.frame import make_frame
from packshot.core.geometry import Box, Size
from packshot.core.options import MOST_ENLARGED, Options
from packshot.core.recipe import Framing, Recipe
from packshot.core.rule_kinds import Fill, LongestSide, ShortestSide
from packshot.core.rules import Rule
from packshot.core.values import LARGEST_PX, Canvas
from packshot.errors import InvalidOption

Float64 = NDArray[np.float64]

LEFT_OUT = 0.05
"""Share of a category's photos, on either side, that do not decide: none of fewer than 20."""

FILL = 0.85
"""Of a square, where neither options nor a preset say anything."""

LEAST = 0.5
"""Of the fill that is asked, where no rule asks for more."""

_ROOM = 0.005  # of the frame, above the least fill of a rule: boxes are rounded to whole px

Off = Literal["larger", "smaller", "few pixels"]
"""Why a product has not the scale of its category: it would not fit, it would be too small, or it has too few pixels to
be as large as it must be."""


@dataclass(frozen=True)
class Look:
    """All that the pictures of a category have in common.

    size: of the canvas, px. scale: px of the picture for each px of the photo. fill: that is asked, least: that a
    product has at least. max_upscale: how much a product may be enlarged.
    """

    size: Size
    scale: float
    fill: float
    least: float
    max_upscale: float


def check_options(options: Options, recipes: Sequence[Recipe]) -> None:
    """Raises: InvalidOption for what would differ from photo to photo, or contradicts a common scale."""
    for name, value, why in (
        ("shadow", "photo", "each photo has its own"),
        ("background", "blur", "each photo has its own"),
    ):
        if getattr(options, name) == value:
            raise InvalidOption(
                f"{name} is {value}, but --even was given: {why}.", hint="Give another one.", field=name, value=value
            )
    if any(recipe.framing.has_margins for recipe in recipes):
        raise InvalidOption(
            f"margin is {options.margin}, but --even was given, which sets the room around all products of a category.",
            hint="Use fill, for the largest of them.",
            field="margin",
            value=options.margin,
        )


def even_framing(framing: Framing, options: Options) -> Framing:
    """The demands on every picture of a category: a canvas, a fill, and how much a product may be enlarged."""
    return replace(
        framing,
        canvas=framing.canvas or Canvas(aspect=1.0),
        fill=framing.fill or FILL,
        max_upscale=MOST_ENLARGED
        if options.max_upscale is None and options.repair is not False
        else framing.max_upscale,
    )


def decide_look(framing: Framing, rules: Sequence[Rule], products: Sequence[Size] | Float64) -> Look:
    """The look of a category, whatever the order of its photos.

    Parameters
    ----------
    framing
        As even_framing gives it.
    rules
        Of the preset; none without one.
    products
        Their sizes in the photos, px: one at least; also as an array (n, 2).
    """
    assert framing.fill is not None and framing.canvas is not None  # noqa: S101 - even_framing sets them
    canvas, fill, most = framing.canvas, framing.fill, framing.max_upscale
    least = min(fill, max([LEAST * fill, *(rule.least + _ROOM for rule in _fills(rules) if rule.least is not None)]))
    aspect = canvas.size.width / canvas.size.height if canvas.size is not None else canvas.aspect or 1.0
    sizes = np.asarray(products, np.float64)
    widths = np.sort(_canvas_widths(sizes, aspect, fill))
    left_out = floor(LEFT_OUT * len(widths))
    small, large = float(widths[left_out]), float(widths[-1 - left_out])
    if canvas.size is not None:
        size = canvas.size
    else:
        required, allowed = _longest_px(rules, max(aspect, 1 / aspect))
        longest = small * most * fill / least * max(1.0, 1 / aspect)  # at which the smallest fills as much as it must
        max_px = ceil(min(allowed, framing.max_px or LARGEST_PX, max(longest, required or framing.min_px or 1)))
        bounded = replace(framing, min_px=min(max(framing.min_px or 0, ceil(required)), max_px), max_px=max_px)
        product = Size(max(1, round(large * fill)), max(1, round(large * fill / aspect)))
        size = make_frame(bounded, product, Box.full(product)).size
    exact = np.sort(_canvas_widths(sizes, size.width / size.height, fill))  # its sides are whole px
    return Look(size, min(most, size.width / float(exact[-1 - left_out])), fill, least, most)


def fill_of(look: Look, product: Size) -> tuple[float, Off | None]:
    """The share of its picture that a product takes, and why its scale is not its category's where that cannot be."""
    aspect = look.size.width / look.size.height
    (width,) = _canvas_widths(np.asarray([product], np.float64), aspect, look.fill)
    full = look.size.width / float(width)  # the scale at which it fills the canvas as asked
    low = full * look.least / look.fill
    wanted = min(max(look.scale, low), full)
    scale = min(wanted, look.max_upscale)
    off: Off | None = None
    if scale < low * (1 - 1e-6):
        off = "few pixels"
    elif wanted < look.scale * (1 - 1e-6):
        off = "larger"
    elif wanted > look.scale * (1 + 1e-6):
        off = "smaller"
    return look.fill * scale / full, off


def placed(recipe: Recipe, placing: Placing, own: Collection[str]) -> Recipe:
    """The recipe of one picture of its category. own: names of the options that a person has given this photo alone;
    where they frame it, it keeps no more than the canvas.
    """
    framing = replace(recipe.framing, canvas=Canvas(Size(placing.width, placing.height)), min_px=None, max_px=None)
    if not frames_itself(own):
        framing = replace(framing, fill=placing.fill, max_upscale=placing.max_upscale)
    return replace(recipe, framing=framing, mends=recipe.mends - {"size", "fill"})


def frames_itself(own: Collection[str]) -> bool:
    """Whether a person has framed one photo by options of its own: it decides nothing for its category then."""
    return not _FRAMING.isdisjoint(own)


_FRAMING = frozenset({"margin", "fill", "position", "max_upscale"})


def _canvas_widths(products: Float64, aspect: float, fill: float) -> Float64:
    """Width of the canvas that holds each product at scale 1, px."""
    widths: Float64 = np.maximum(products[:, 0], products[:, 1] * aspect) / fill
    return widths


def _fills(rules: Sequence[Rule]) -> list[Fill]:
    return [rule for rule in rules if isinstance(rule, Fill) and rule.required]


def _longest_px(rules: Sequence[Rule], long_by_short: float) -> tuple[float, float]:
    """The least and the most px of the longest side that the rules require; long_by_short: of the picture's sides."""
    least, most = [0.0], [float(LARGEST_PX)]
    for rule in rules:
        if isinstance(rule, LongestSide | ShortestSide) and rule.required:
            shape = long_by_short if isinstance(rule, ShortestSide) else 1.0
            least += [] if rule.least is None else [rule.least * shape]
            most += [] if rule.most is None else [rule.most * shape]
    return max(least), min(most)
