"""Measures how even the pictures of a category are, in the written files instead of the plan."""

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
"""Longest side at which pictures are measured, px. It resolves 0.1 % of a frame."""

LEAST_SPREAD: Mapping[str, float] = {"fill": 0.01, "x": 0.01, "y": 0.01, "brightness": 0.03, "ground": 0.004}
"""Invisible difference by figure. It is the least standard deviation, so that smaller differences are not odd."""

ODD = 3.5
"""Robust z-score above which a picture is odd: Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993."""

AS_PLANNED = 0.03
"""Tolerance between measured and planned fill, as a share of the frame. Soft edges cause such differences."""

FEW = 0.1
"""Largest share of a category in which pictures of another scale are odd. More of them are normal for the category."""

_NEAR_PX = 16
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


def measure_picture(data: bytes, product: Box) -> dict[str, float | None]:
    """Figures of a written picture, each in [0, 1].

    They are: fill, as the rules measure it; x and y of the product's centre; brightness, the product's mean luminance;
    ground, the mean of the darkest channel around the product, None if the surroundings are transparent.

    product: planned box of the product, px. Used if the ground is not plain, because then no product can be found.
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
    """Median, 5th and 95th percentile of one figure over the pictures of a category."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Odd:
    """A picture that differs from its category. figure: the figure with the largest robust z-score; by: that score.

    why: the reason from the placing (even.Off), or "".
    """

    source: str
    output: str
    figure: str
    value: float
    by: float
    why: str = ""


@dataclass(frozen=True)
class Evenness:
    """The evenness of the pictures of one category and preset.

    count: number of pictures. off: number of pictures of another scale, by reason (even.Off). spreads: by figure. odd:
    most odd first, then pictures of another scale if they are few.
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
    """The evenness of one category and preset.

    pictures: source, output and Odd.why of each picture. figures: arrays by name, a value per picture; NaN if unknown.
    planned: planned fill of each picture. Products of one scale differ in size, so a fill as planned is not odd.
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
    """Whether a product has its category's scale, and the fill that follows from it."""
    return not why and abs(fill - planned) <= AS_PLANNED


def robust_scores(values: Float32, least_spread: float) -> Float32:
    """Robust z-scores: distance from the median, in standard deviations estimated from the median absolute deviation.

    least_spread: lower limit of the standard deviation. NaN stays NaN.
    """
    off = values - np.float32(np.nanmedian(values))
    deviation = 1.4826 * float(np.nanmedian(np.abs(off)))
    scores: Float32 = off / np.float32(max(deviation, least_spread))
    return scores


def by_category(rows: Iterable[tuple[str, str, str, str, str, str]]) -> Iterator[Evenness]:
    """The evenness of each category and preset.

    rows: category, preset, source, output, why, and the figures with `planned` as JSON text. Rows of one category and
    preset are adjacent.
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
