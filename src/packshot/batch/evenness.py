"""How even the pictures of a category are: measured in the files that were written, not in what was planned."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

import cv2
import numpy as np

from packshot.core import codecs
from packshot.core.codecs import LIBRARY_LIMITS
from packshot.core.geometry import Box, Size
from packshot.core.measure import box_of, find_on_plain
from packshot.core.picture import Float32, UInt8

SIDE_PX = 1000
"""Pictures are measured at this size at most: a share of a frame is known to 0.1 % then."""

LEAST_SPREAD: Mapping[str, float] = {"fill": 0.01, "x": 0.01, "y": 0.01, "brightness": 0.03, "ground": 0.004}
"""By figure: a difference that nobody sees. Where pictures differ by less, none of them is odd."""

ODD = 3.5
"""Robust z-score from which on a picture is odd: Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993."""

AS_PLANNED = 0.03
"""Of the frame: by how much a product may seem larger or smaller than it was drawn, by its soft edge."""

FEW = 0.1
"""Share of a category up to which pictures of another scale are odd; more of them are how the category is."""

_NEAR_PX = 16
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


def measure_picture(data: bytes, product: Box) -> dict[str, float | None]:
    """Figures of a written picture, each a share: fill, as the rules measure it; x and y of the middle of the product;
    its brightness, as the mean luminance; and ground, the darkest channel of what lies around it, None where that is
    transparent.

    product: where it should lie, px, for a picture whose ground is no plain one, so that nothing is found in it.
    """
    picture = codecs.read(data, codecs.probe(data, replace(LIBRARY_LIMITS, min_side_px=1)))
    width, height = picture.rgb.shape[1::-1]
    shrink = min(1.0, SIDE_PX / max(width, height))
    size = Size(max(1, round(width * shrink)), max(1, round(height * shrink)))
    rgb, alpha = (None if each is None else _reduced(each, size) for each in (picture.rgb, picture.alpha))
    assert rgb is not None  # noqa: S101 - for the type checker
    shown = find_on_plain(rgb, alpha)
    box = None if shown is None else box_of(shown)
    if shown is None or box is None:
        box = Box(*(round(side * shrink) for side in product)).within(Box.full(size))
        shown = np.zeros(rgb.shape[:2], np.uint8)
        shown[box.slices] = 1
    around = cv2.dilate(shown, np.ones((2 * _NEAR_PX + 1, 2 * _NEAR_PX + 1), np.uint8)) == 0
    luminance = rgb.astype(np.float32) @ _LUMINANCE
    clear = alpha is not None and around.any() and int(alpha[around].min()) < 255
    return {
        "fill": round(max(box.size.width / size.width, box.size.height / size.height), 4),
        "x": round((box.left + box.right) / 2 / size.width, 4),
        "y": round((box.top + box.bottom) / 2 / size.height, 4),
        "brightness": round(float(luminance[shown > 0].mean()) / 255, 4) if shown.any() else None,
        "ground": None if clear or not around.any() else round(float(rgb.min(axis=2)[around].mean()) / 255, 4),
    }


def _reduced(values: UInt8, size: Size) -> UInt8:
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.uint8)


@dataclass(frozen=True)
class Spread:
    """Of one figure, over the pictures of a category: the middle, and where 5 % and 95 % of them lie."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Odd:
    """A picture that differs from those of its category. by: its robust z-score, of the figure in which it is most odd.

    why: the reason that is known from its drawing (even.Off), or "".
    """

    source: str
    output: str
    figure: str
    value: float
    by: float
    why: str = ""


@dataclass(frozen=True)
class Evenness:
    """Of the pictures of one category and preset. count: pictures. off: of them, those that have another scale, by why
    (even.Off). spreads: by figure. odd: the most odd first, and then those of another scale, where these are few.
    """

    category: str
    preset: str
    count: int
    off: Mapping[str, int]
    spreads: Mapping[str, Spread]
    odd: tuple[Odd, ...]


def evenness(
    category: str,
    preset: str,
    pictures: Iterable[tuple[str, str, str]],
    figures: Mapping[str, Float32],
    planned: Float32,
) -> Evenness:
    """pictures: source, output, and why of each (Odd.why). figures: by name, of each picture; NaN where unknown.

    planned: the fill that each was drawn with. Products of one scale differ in size: the largest is not odd.
    """
    worst: dict[int, Odd] = {}
    spreads = {}
    names = list(pictures)
    for figure, values in figures.items():
        known = values[~np.isnan(values)]
        if not known.size:
            continue
        low, median, high = (float(value) for value in np.quantile(known, (0.05, 0.5, 0.95)))
        spreads[figure] = Spread(median, low, high)
        scores = np.nan_to_num(robust_scores(values, LEAST_SPREAD[figure]))
        for place in np.flatnonzero(np.abs(scores) > ODD):
            score = float(scores[place])
            if figure == "fill" and _is_as_planned(names[place][2], float(values[place]), float(planned[place])):
                continue
            if place not in worst or abs(score) > abs(worst[place].by):
                source, output, why = names[place]
                worst[int(place)] = Odd(source, output, figure, float(values[place]), score, why)
    off = Counter(why for _, _, why in names if why)
    for place, (source, output, why) in enumerate(names):
        if 0 < off[why] <= FEW * len(names) and place not in worst:
            worst[place] = Odd(source, output, "fill", float(figures["fill"][place]), 0.0, why)
    odd = sorted(worst.values(), key=lambda each: (-abs(each.by), each.source, each.output))
    return Evenness(category, preset, len(names), off, spreads, tuple(odd))


def _is_as_planned(why: str, fill: float, planned: float) -> bool:
    """Whether a product has its category's scale, and is as large as that makes it."""
    return not why and abs(fill - planned) <= AS_PLANNED


def robust_scores(values: Float32, least_spread: float) -> Float32:
    """How far each value is from the median, in standard deviations as the median of the distances tells them.

    least_spread: the standard deviation is taken for at least so much. NaN stays NaN.
    """
    off = values - np.float32(np.nanmedian(values))
    deviation = 1.4826 * float(np.nanmedian(np.abs(off)))
    scores: Float32 = off / np.float32(max(deviation, least_spread))
    return scores


def by_category(rows: Iterable[tuple[str, str, str, str, str, str]]) -> Iterator[Evenness]:
    """rows: category, preset, source, output, why, and the figures with `planned` as JSON text; those of one category
    and preset side by side.
    """
    for (category, preset), group in groupby(rows, lambda row: row[:2]):
        names: list[tuple[str, str, str]] = []
        planned: list[float] = []
        columns: dict[str, list[float]] = {name: [] for name in LEAST_SPREAD}
        for _, _, source, output, why, text in group:
            said = json.loads(text)
            names.append((source, output, why))
            planned.append(said["planned"])
            for name, column in columns.items():
                value = said.get(name)
                column.append(float("nan") if value is None else float(value))
        figures = {name: np.array(column, np.float32) for name, column in columns.items()}
        yield evenness(category, preset, names, figures, np.array(planned, np.float32))
