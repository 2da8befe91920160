"""Repairs: make a picture keep a preset's required rules, where that is honest, and name each change.

`Recipe.mends` lists the allowed repairs; none changes an option that the caller set. No repair invents content: a
cut-off product stays cut off, and enlarging stops at MOST_ENLARGED.

| code of the repair | figures | |
|---|---|---|
| `enlarged` | times, longest_px | the product was enlarged; the longest side now has longest_px |
| `scaled-down` | longest_px | the picture was larger than the rules allow |
| `frame-fitted` | percent | the frame was made closer or wider; the product now fills this share of it |
| `ground-cleaned` | share | traces on the background got its colour; their share of it, in 0..1 |
| `quality-lowered`, `quality-raised` | before, after, rule | quality of the file, changed to keep the rule |
| `first-picture` | | the photo's file holds several pictures, and the first one was used |
| `colours-converted` | stored | the photo's colours were stored as `stored`, such as "cmyk" |
| `depth-reduced` | before, after | bits per channel |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

import cv2
import numpy as np

from packshot.core.codecs.file_facts import FileFacts
from packshot.core.frame import Frame
from packshot.core.geometry import Size
from packshot.core.measure import NEAR_PX
from packshot.core.notes import Figures, Note
from packshot.core.options import MOST_ENLARGED
from packshot.core.picture import UInt8
from packshot.core.recipe import Framing
from packshot.core.rule_kinds import (
    COLOURS,
    Animation,
    Background,
    BitDepth,
    ColourMode,
    Fill,
    LongestSide,
    Megapixels,
    ShortestSide,
)
from packshot.core.rules import Rule
from packshot.core.values import RGB

LEAST_QUALITY = 50
"""Lowest quality of a lossy file. Below it blocks show on edges, and a smaller picture is better."""

_ROOM = 0.005  # share of the frame, a safety margin inside a bound of `fill`
_SMALLER = 0.97  # extra reduction per attempt, beyond the ratio of the file sizes


@dataclass(frozen=True)
class Sized:
    """A frame of a size that the rules require, its framing, and the repairs that led to it."""

    framing: Framing
    frame: Frame
    repairs: tuple[Note, ...] = ()


def fit_size(framing: Framing, rules: Sequence[Rule], make: Callable[[Framing], Frame]) -> Sized:
    """Returns a frame as large as the rules require, and as they recommend up to the framing's min_px.

    Enlarges by MOST_ENLARGED at most. The frame is never larger than the rules allow.

    make: returns the frame of a framing, around the photo's product.
    """
    frame = make(framing)
    most = _most_px(rules, frame.size)
    if most is not None and frame.size.longest > most:
        smaller = replace(framing, max_px=most, min_px=None)
        frame = make(smaller)
        return Sized(smaller, frame, (scaled_down(frame.size.longest),))
    for asked in _larger_sizes(framing, rules, frame.size):
        larger = replace(framing, min_px=asked, max_upscale=MOST_ENLARGED)
        enlarged = make(larger)
        if enlarged.size.longest >= asked and enlarged.scale > 1:
            return Sized(larger, enlarged, (_enlarged(enlarged),))
    return Sized(framing, frame)


def fitting_fill(rules: Sequence[Rule], asked: float, measured: float) -> float | None:
    """Returns the `fill` to request, or None if no required rule is broken. asked: the requested fill. measured: the
    resulting fill."""
    for rule in rules:
        if isinstance(rule, Fill) and rule.required and not rule.holds(measured):
            low = rule.least is not None and measured < rule.least
            bound = (rule.least or 0) + _ROOM if low else (rule.most or 1) - _ROOM
            return min(1.0, asked * bound / measured)
    return None


def clean_ground(rgb: UInt8, product: UInt8, colour: RGB) -> tuple[UInt8, float]:
    """Returns the picture with one colour on all of its background, and the share of the background that had another.

    Background is everything farther than NEAR_PX from the product, as in core.measure.measure_ground.

    Parameters: rgb, uint8 (H, W, 3); product, uint8 (H, W), nonzero on the product; colour, sRGB.
    """
    ground = cv2.dilate(product, np.ones((2 * NEAR_PX + 1, 2 * NEAR_PX + 1), np.uint8)) == 0
    off = ground & (rgb != np.array(colour, np.uint8)).any(axis=2)
    cleaned = rgb.copy()
    cleaned[off] = colour
    return cleaned, float(off.sum()) / max(1, int(ground.sum()))


def best_quality(most_bytes: int, quality: int, encode: Callable[[int], bytes]) -> tuple[int, bytes] | None:
    """Returns the highest quality below `quality` whose file has at most `most_bytes`, and that file. None if
    LEAST_QUALITY gives a larger file. Encodes at most six times."""
    low, high = LEAST_QUALITY, quality - 1
    best = None
    while low <= high:
        middle = (low + high) // 2
        data = encode(middle)
        if len(data) <= most_bytes:
            best, low = (middle, data), middle + 1
        else:
            high = middle - 1
    return best


def smaller_side(size: Size, file_bytes: int, most_bytes: int) -> int:
    """Returns the longest side, px, at which a file of `file_bytes` shrinks to about `most_bytes`."""
    return max(1, int(size.longest * (most_bytes / file_bytes) ** 0.5 * _SMALLER))


def done_to_photo(rules: Sequence[Rule], photo: FileFacts) -> Iterator[Note]:
    """Yields a note for each way in which the photo's file broke a rule. Every output is one picture, RGB or gray, with
    8 bits."""
    kinds = {type(rule) for rule in rules}
    if Animation in kinds and photo.several:
        yield Note("first-picture", "The photo's file holds several pictures. The first one was used.")
    if ColourMode in kinds and photo.colours == "cmyk":
        message = f"The photo's colours were stored as {COLOURS[photo.colours]}. They were converted to RGB (sRGB)."
        yield Note("colours-converted", message, {"stored": photo.colours})
    if BitDepth in kinds and photo.bits > 8:
        message = f"The photo has {photo.bits} bits per channel. They were reduced to 8."
        yield Note("depth-reduced", message, {"before": photo.bits, "after": 8})


def frame_fitted(fill: float) -> Note:
    """Returns the note. fill: the product's share of the frame now, in 0..1."""
    percent = round(100 * fill, 1)
    return Note("frame-fitted", f"The frame was adjusted: the product fills {percent:g} % of it.", {"percent": percent})


def ground_cleaned(share: float) -> Note:
    """Returns the note. share: of the background that had another colour, in 0..1."""
    shown = f"{100 * share:.2g} %" if share >= 0.0001 else "less than 0.01 %"
    message = f"Traces on the background were painted over: {shown} of it."
    return Note("ground-cleaned", message, {"share": round(share, 6)})


def scaled_down(longest: int) -> Note:
    message = f"The picture was scaled down to a longest side of {longest} px, the largest allowed."
    return Note("scaled-down", message, {"longest_px": longest})


def quality_changed(before: int, after: int, rule: str) -> Note:
    """Returns the note. rule: name of the rule's kind, "background" or "file-size"."""
    lower = after < before
    why = "background stays clean" if rule == Background.name else f"file is {'small' if lower else 'large'} enough"
    message = f"The file was saved with quality {after} instead of {before}, so that the {why}."
    figures: Figures = {"before": before, "after": after, "rule": rule}
    return Note("quality-lowered" if lower else "quality-raised", message, figures)


def _larger_sizes(framing: Framing, rules: Sequence[Rule], size: Size) -> list[int]:
    """Returns longest sides, px, that rules ask for beyond the current one, largest first. None is below a required
    one."""
    asked = {rule: _longest(rule, size) for rule in rules if isinstance(rule, LongestSide | ShortestSide)}
    least = max((px for rule, px in asked.items() if rule.required), default=0)
    wishes = {px for px in asked.values() if least <= px <= max(least, framing.min_px or 0)}
    return sorted((px for px in wishes if px > size.longest), reverse=True)


def _longest(rule: LongestSide | ShortestSide, size: Size) -> int:
    """Returns the longest side, px, at which a picture of this shape reaches the rule's lower bound."""
    shape = size.longest / min(size) if isinstance(rule, ShortestSide) else 1
    return ceil((rule.least or 0) * shape - 1e-6)


def _most_px(rules: Sequence[Rule], size: Size) -> int | None:
    """Returns the largest longest side, px, that required rules allow a picture of this shape; None for no limit."""
    bounds: list[float] = []
    for rule in rules:
        if not rule.required:
            continue
        if isinstance(rule, LongestSide) and rule.most is not None:
            bounds.append(rule.most)
        if isinstance(rule, ShortestSide) and rule.most is not None:
            bounds.append(rule.most * size.longest / min(size))
        if isinstance(rule, Megapixels) and rule.most is not None:
            bounds.append((rule.most * 1e6 * size.longest / min(size)) ** 0.5)
    return int(min(bounds)) if bounds else None


def _enlarged(frame: Frame) -> Note:
    times, longest = round(frame.scale, 2), frame.size.longest
    message = f"The product was enlarged {times:g} times, so that the longest side has {longest} px."
    return Note("enlarged", message, {"times": times, "longest_px": longest})
