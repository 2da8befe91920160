"""Parsers for option values: lengths, margins, regions, positions, canvases and colours.

Every parser raises ValueError for invalid text; its caller adds the option's name. Functions whose name ends in `_text`
convert a Python value to text. They raise ValueError or TypeError for an invalid value.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple, TypeVar

from packshot.core.geometry import Box, Size

RGB = tuple[int, int, int]
WHITE: RGB = (255, 255, 255)

LARGEST_PX = 10_000
MOST_PIXELS = 50_000_000
"""Largest area of an output, as of a photo: a few characters in a request must not allocate unlimited memory."""

_NUMBER = r"\d{1,6}(?:\.\d{1,6})?"
_LENGTH = re.compile(rf"({_NUMBER})(px|%)?")
_CANVAS = re.compile(r"(\d{1,6})\s*[x×]\s*(\d{1,6})(?:px)?")
_ASPECT = re.compile(rf"({_NUMBER})\s*:\s*({_NUMBER})")
_HEX = re.compile(r"[0-9a-fA-F]{3}|[0-9a-fA-F]{6}")
_SIDES = {"left": ("x", 0.0), "right": ("x", 1.0), "top": ("y", 0.0), "bottom": ("y", 1.0)}


class Length(NamedTuple):
    """A length in px, or a share (0.1 for 10 %) of a whole that depends on the option."""

    value: float
    is_share: bool = False

    def px(self, whole: float) -> float:
        return self.value * whole if self.is_share else self.value


class Margins(NamedTuple):
    """Space around the product, in CSS order. Shares are of the product's width or height."""

    top: Length
    right: Length
    bottom: Length
    left: Length


class Region(NamedTuple):
    """A rectangle of a photo, by two corners. Shares are of the photo's width or height."""

    left: Length
    top: Length
    right: Length
    bottom: Length

    def box(self, size: Size) -> Box:
        """Returns the box of all pixels that the region touches in a photo of this size. Empty if it lies outside."""
        left, right = self.left.px(size.width), self.right.px(size.width)
        top, bottom = self.top.px(size.height), self.bottom.px(size.height)
        return Box(
            min(int(left), size.width),
            min(int(top), size.height),
            min(ceil(right), size.width),
            min(ceil(bottom), size.height),
        )


class Position(NamedTuple):
    """Place of content in a larger canvas: the share of the free space to its left and above it."""

    x: float = 0.5
    y: float = 0.5


@dataclass(frozen=True)
class Canvas:
    """The frame of an output: either its `size` in px, or only its `aspect`, width by height."""

    size: Size | None = None
    aspect: float | None = None


def length(text: str) -> Length:
    """Parses "20", "20px" or "5%"."""
    found = _LENGTH.fullmatch(text.strip())
    if not found:
        raise ValueError(text)
    value = float(found[1])
    return Length(value / 100, True) if found[2] == "%" else Length(value)


def margins(text: str) -> Margins:
    """Parses one, two (top and bottom, left and right) or four lengths (top, right, bottom, left)."""
    each = [length(part) for part in text.replace(",", " ").split()]
    if len(each) not in {1, 2, 4}:
        raise ValueError(text)
    top, right, bottom, left = each * (4 // len(each))
    return Margins(top, right, bottom, left)


def region(text: str) -> Region:
    """Parses four lengths: left, top, right, bottom."""
    left, top, right, bottom = (length(part) for part in text.replace(",", " ").split())
    for low, high in ((left, right), (top, bottom)):
        if low.is_share == high.is_share and low.value >= high.value:
            raise ValueError(text)
    return Region(left, top, right, bottom)


def share(text: str) -> float:
    """Parses a percentage above 0 and up to 100: "85%" -> 0.85."""
    value = length(text)
    if not value.is_share or not 0 < value.value <= 1:
        raise ValueError(text)
    return value.value


def position(text: str) -> Position:
    """Parses "center", a side, two sides ("bottom right"), or two percentages, across and down ("50% 90%")."""
    words = text.lower().replace("centre", "center").split()
    if len(words) == 2 and all("%" in word for word in words):
        x, y = (length(word).value for word in words)
        if max(x, y) > 1:
            raise ValueError(text)
        return Position(x, y)
    sides = [word for word in words if word != "center"]
    if not 1 <= len(words) <= 2 or not _SIDES.keys() >= set(sides):
        raise ValueError(text)
    at = dict(_SIDES[side] for side in sides)
    if len(at) < len(sides):  # "left right"
        raise ValueError(text)
    return Position(**at)


def canvas(text: str) -> Canvas:
    """Parses a size in px, "2000x2000", or an aspect, "1:1"."""
    if found := _CANVAS.fullmatch(text.strip()):
        size = Size(int(found[1]), int(found[2]))
        if not 16 <= min(size) <= max(size) <= LARGEST_PX or size.width * size.height > MOST_PIXELS:
            raise ValueError(text)
        return Canvas(size=size)
    if found := _ASPECT.fullmatch(text.strip()):
        across, down = float(found[1]), float(found[2])
        if min(across, down) > 0 and 0.05 <= across / down <= 20:
            return Canvas(aspect=across / down)
    raise ValueError(text)


def colour(text: str) -> RGB:
    """Parses an opaque CSS colour: a name, #rgb, #rrggbb (also without #), rgb(r, g, b) or hsl(...)."""
    from PIL import ImageColor  # noqa: PLC0415 - the command line's help shows options without Pillow

    text = text.strip()
    found = ImageColor.getrgb(f"#{text}" if _HEX.fullmatch(text) else text)
    if len(found) != 3:
        raise ValueError(text)
    return found


def px_text(number: float) -> str:
    """20 -> "20px"."""
    return f"{_number_text(number)}px"


def share_text(number: float) -> str:
    """0.85 -> "85%"; above 0 and at most 1."""
    if not 0 < number <= 1:
        raise ValueError(number)
    return f"{_number_text(100 * number)}%"


def colour_text(rgb: Sequence[int]) -> str:
    """(255, 255, 255) -> "#ffffff"."""
    red, green, blue = (operator.index(part) for part in _ordered(rgb))
    if not 0 <= min(red, green, blue) <= max(red, green, blue) <= 255:
        raise ValueError(rgb)
    return f"#{red:02x}{green:02x}{blue:02x}"


def size_text(size: Sequence[int]) -> str:
    """(2000, 1500), width and height in px -> "2000x1500"."""
    width, height = (operator.index(side) for side in _ordered(size))
    return f"{width}x{height}"


def box_text(box: Sequence[float]) -> str:
    """(left, top, right, bottom) in px -> "120px 80px 900px 1100px"."""
    left, top, right, bottom = (px_text(side) for side in _ordered(box))
    return f"{left} {top} {right} {bottom}"


_T = TypeVar("_T")


def _ordered(values: Sequence[_T]) -> Sequence[_T]:
    if not isinstance(values, tuple | list):  # a set has no order, and a text is a sequence too
        raise TypeError(values)
    return values


def _number_text(number: float) -> str:
    return f"{float(number):.6f}".rstrip("0").rstrip(".")
