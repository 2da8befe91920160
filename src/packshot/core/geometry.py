"""Sizes, boxes, and the fit of a picture to a network's input. Size is (width, height); shape is (height, width)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

Fit = Literal["longest", "stretch"]


class Size(NamedTuple):
    """Width and height in px."""

    width: int
    height: int

    @property
    def longest(self) -> int:
        return max(self)

    def reduced(self, side_px: int) -> Size:
        """Returns the size with its longest side reduced to side_px if it is longer; at least 1 px on each side."""
        shrink = min(1.0, side_px / self.longest)
        return Size(max(1, round(self.width * shrink)), max(1, round(self.height * shrink)))

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


class Box(NamedTuple):
    """A rectangle in px. It includes left and top, but not right and bottom."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> Size:
        return Size(self.right - self.left, self.bottom - self.top)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the crop in an array of shape (height, width, ...): `array[box.slices]`."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def is_empty(self) -> bool:
        return self.left >= self.right or self.top >= self.bottom

    @classmethod
    def full(cls, size: Size) -> Box:
        return cls(0, 0, size.width, size.height)

    def within(self, other: Box) -> Box:
        """Returns the part of this box inside another; empty if they do not meet."""
        return Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def around(self, other: Box) -> Box:
        """Returns the smallest box that holds both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def scaled(self, size: Size, to: Size) -> Box:
        """Returns this box of a picture of one size in the same picture at another one, rounded to whole pixels."""
        across, down = to.width / size.width, to.height / size.height
        return Box(
            round(self.left * across), round(self.top * down), round(self.right * across), round(self.bottom * down)
        )

    def strips(self, rows: int) -> Iterator[Box]:
        """Yields this box from top to bottom, in boxes of `rows` rows."""
        for top in range(self.top, self.bottom, rows):
            yield Box(self.left, top, self.right, min(top + rows, self.bottom))

    def moved(self, right: int, down: int) -> Box:
        return Box(self.left + right, self.top + down, self.right + right, self.bottom + down)


def reached_edges(box: Box, size: Size) -> tuple[str, ...]:
    """Returns the edges of a picture of this size that a box reaches."""
    reached = {
        "left": box.left <= 0,
        "upper": box.top <= 0,
        "right": box.right >= size.width,
        "lower": box.bottom >= size.height,
    }
    return tuple(name for name, is_reached in reached.items() if is_reached)


def network_size(size: Size, *, side_px: int, multiple: int, fit: Fit) -> Size:
    """Returns the size of a picture as network input.

    "stretch" gives a square of side_px. "longest" scales the longest side to side_px and keeps the aspect, apart from
    rounding to whole multiples. So there is no padding to learn or to remove. Very long pictures are widened to a
    quarter of side_px, since a network recognises nothing below that.
    """
    if fit == "stretch":
        return Size(side_px, side_px)
    scale = side_px / size.longest
    least = max(multiple, multiple * round(side_px / 4 / multiple))

    def rounded(length: int) -> int:
        return max(least, multiple * round(length * scale / multiple))

    return Size(rounded(size.width), rounded(size.height))
