"""An even catalogue: the same canvas, scale and margins for all products of a category.

Pure functions. The look of a category depends on its products' boxes, the options, and the preset's rules:

1. The size of a product is the width of the canvas that holds the product at scale 1 with the requested fill.
2. The canvas is that of the largest product, within the limits of options and rules. The smallest product limits the
   canvas too, because it must reach the least fill.
3. The scale is that at which the largest product has the requested fill.
4. A product that would be too small at this scale gets the least fill, and is an outlier.

A single odd photo must not decide the look. So steps 2 and 3 ignore LEFT_OUT of the largest and of the smallest
products, which are outliers.
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
"""Share of a category's largest, and of its smallest, products to ignore. Rounds down: none of fewer than 20."""

FILL = 0.85
"""Default fill, if neither options nor a preset set one."""

LEAST = 0.5
"""Least fill as a share of the requested fill, unless a rule requires more."""

_ROOM = 0.005  # share of the frame to add to a rule's least fill, because boxes are rounded to whole px

Off = Literal["larger", "smaller", "few pixels"]
"""Why a product has another scale than its category: it does not fit, it would be too small, or it has too few pixels
for the least fill."""


@dataclass(frozen=True)
class Look:
    """The common properties of the pictures of a category.

    size: of the canvas, px. scale: px of the picture per px of the photo. fill: requested fill; least: least fill of a
    product. max_upscale: largest factor by which a product may be enlarged.
    """

    size: Size
    scale: float
    fill: float
    least: float
    max_upscale: float


def check_options(options: Options, recipes: Sequence[Recipe]) -> None:
    """Raises: InvalidOption for options that differ from photo to photo, or exclude a common scale."""
    for name, value, why in (
        ("shadow", "photo", "each photo has its own"),
        ("background", "blur", "each photo has its own"),
    ):
        if getattr(options, name) == value:
            raise InvalidOption(
                f"{name} is {value}, which --even does not allow: {why}.",
                hint="Give another value.",
                field=name,
                value=value,
            )
    if any(recipe.framing.has_margins for recipe in recipes):
        raise InvalidOption(
            f"margin is {options.margin}, which --even does not allow: --even sets the margins of a category.",
            hint="Use fill, which applies to the largest product.",
            field="margin",
            value=options.margin,
        )


def even_framing(framing: Framing, options: Options) -> Framing:
    """The framing of a category's pictures, with defaults for canvas, fill and max_upscale."""
    return replace(
        framing,
        canvas=framing.canvas or Canvas(aspect=1.0),
        fill=framing.fill or FILL,
        max_upscale=MOST_ENLARGED
        if options.max_upscale is None and options.repair is not False
        else framing.max_upscale,
    )


def decide_look(framing: Framing, rules: Sequence[Rule], products: Sequence[Size] | Float64) -> Look:
    """The look of a category. Independent of the order of its photos.

    Parameters
    ----------
    framing
        From even_framing.
    rules
        The preset's rules; empty without a preset.
    products
        Sizes of the products in their photos, px: at least one; also as an array (n, 2).
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
        longest = small * most * fill / least * max(1.0, 1 / aspect)  # at which the smallest product has the least fill
        max_px = ceil(min(allowed, framing.max_px or LARGEST_PX, max(longest, required or framing.min_px or 1)))
        bounded = replace(framing, min_px=min(max(framing.min_px or 0, ceil(required)), max_px), max_px=max_px)
        product = Size(max(1, round(large * fill)), max(1, round(large * fill / aspect)))
        size = make_frame(bounded, product, Box.full(product)).size
    exact = np.sort(_canvas_widths(sizes, size.width / size.height, fill))  # again, because the canvas has whole px
    return Look(size, min(most, size.width / float(exact[-1 - left_out])), fill, least, most)


def fill_of(look: Look, product: Size) -> tuple[float, Off | None]:
    """The fill of a product, and the reason if its scale differs from its category's; else None."""
    aspect = look.size.width / look.size.height
    (width,) = _canvas_widths(np.asarray([product], np.float64), aspect, look.fill)
    full = look.size.width / float(width)  # the scale for the requested fill
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
    """The recipe of one picture of a category.

    own: names of options that a person set for this photo. If they frame it, it shares only the category's canvas.
    """
    framing = replace(recipe.framing, canvas=Canvas(Size(placing.width, placing.height)), min_px=None, max_px=None)
    if not frames_itself(own):
        framing = replace(framing, fill=placing.fill, max_upscale=placing.max_upscale)
    return replace(recipe, framing=framing, mends=recipe.mends - {"size", "fill"})


def frames_itself(own: Collection[str]) -> bool:
    """Whether a photo's own options frame it. Then the photo does not influence the look of its category."""
    return not _FRAMING.isdisjoint(own)


_FRAMING = frozenset({"margin", "fill", "position", "max_upscale"})


def _canvas_widths(products: Float64, aspect: float, fill: float) -> Float64:
    """Width in px of the canvas that holds each product at scale 1; float64 (n,)."""
    widths: Float64 = np.maximum(products[:, 0], products[:, 1] * aspect) / fill
    return widths


def _fills(rules: Sequence[Rule]) -> list[Fill]:
    return [rule for rule in rules if isinstance(rule, Fill) and rule.required]


def _longest_px(rules: Sequence[Rule], long_by_short: float) -> tuple[float, float]:
    """Minimum and maximum px of the longest side under the rules. long_by_short: ratio of the picture's sides."""
    least, most = [0.0], [float(LARGEST_PX)]
    for rule in rules:
        if isinstance(rule, LongestSide | ShortestSide) and rule.required:
            shape = long_by_short if isinstance(rule, ShortestSide) else 1.0
            least += [] if rule.least is None else [rule.least * shape]
            most += [] if rule.most is None else [rule.most * shape]
    return max(least), min(most)
