"""Output features of other services' forms that no option offers: semi-transparent colours, a pixel limit."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from packshot.core import codecs, values
from packshot.core.compose import blend_background
from packshot.core.geometry import Size
from packshot.core.options import Options
from packshot.core.values import LARGEST_PX

RGBA = tuple[int, int, int, int]
TRANSPARENT = "transparent"
OWN = codecs.Limits(min_side_px=1, max_pixels=2**31)
"""Limits for files that the pipeline wrote itself: none."""

_HEX = re.compile(r"#?([0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
# CSS syntax: numbers or percentages, separated by commas or spaces.
_PART = r"([+-]?(?:\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})%?)"
_BETWEEN = r"(?:\s*,\s*|\s+)"
_RGB = re.compile(
    rf"rgba?\(\s*{_PART}{_BETWEEN}{_PART}{_BETWEEN}{_PART}(?:(?:\s*[,/]\s*|\s+){_PART})?\s*\)", re.IGNORECASE | re.ASCII
)


def read_colour(text: str) -> RGBA:
    """Parse a colour into (red, green, blue, opacity), each 0 to 255.

    text: 3, 4, 6 or 8 hex digits, rgb(), rgba(), a name, or "transparent". Raises ValueError.
    """
    if text.lower() == TRANSPARENT:
        return 0, 0, 0, 0
    if found := _HEX.fullmatch(text):
        digits = found[1] if len(found[1]) > 4 else "".join(2 * digit for digit in found[1])
        red, green, blue, alpha = bytes.fromhex(f"{digits}ff"[:8])
        return red, green, blue, alpha
    if found := _RGB.fullmatch(text):
        red, green, blue = (_byte(part, of=255) for part in found.groups()[:3])
        return red, green, blue, 255 if found[4] is None else _opacity(found[4])
    return *values.colour(text), 255


def behind(colour: RGBA, *, on_white: bool = False) -> tuple[str | None, RGBA | None]:
    """Split a background colour into (value of the option `background`, tint). At most one of them is not None.

    A semi-transparent colour becomes a tint. on_white: the file has no transparency, so blend the colour with white.
    """
    *rgb, opaque = colour
    if on_white and opaque < 255:
        rgb, opaque = [round(255 + (each - 255) * opaque / 255) for each in rgb], 255
    if opaque in {0, 255}:
        return ("#{:02x}{:02x}{:02x}".format(*rgb) if opaque else None), None
    return None, colour


def tinted(data: bytes, tint: RGBA, file_format: str) -> bytes:
    """Composite a cutout file of the pipeline over a semi-transparent colour, and encode it again."""
    picture = codecs.decode(data, OWN)
    rgb, alpha = picture.rgb, picture.alpha
    if alpha is not None:
        red, green, blue, opaque = tint
        rgb, alpha = blend_background(rgb, alpha, (red, green, blue), opaque / 255)
    return codecs.encode(rgb, alpha, format=file_format)


def within(options: Options, photo: Size, max_pixels: int) -> Options:
    """Limit the options so that this photo's output has at most max_pixels. The photo's rotation does not matter."""
    bound = _longest_side(options, photo, max_pixels)
    return options if bound is None else replace(options, max_px=bound)


def _longest_side(options: Options, photo: Size, max_pixels: int) -> int | None:
    """The longest side that keeps the output within max_pixels, or None if no limit is needed.

    Never over LARGEST_PX, the option's maximum. So a long strip becomes smaller than necessary.
    """
    fits = photo.width * photo.height <= max_pixels
    if options.crop:
        # The product's aspect is not known yet. For a given longest side, a square has the most pixels.
        return None if fits and options.margin is None else math.isqrt(max_pixels)
    if fits:
        return None
    short, long = sorted(photo)
    side = math.isqrt(max_pixels * long // short)
    while side * math.ceil(side * short / long) > max_pixels:
        side -= 1
    return min(side, LARGEST_PX)


def _byte(part: str, *, of: float) -> int:
    """Convert a number relative to `of`, or a percentage, to 0..255. Clamps values outside, as CSS does."""
    share = float(part[:-1]) / 100 if part.endswith("%") else float(part) / of
    return round(255 * min(max(share, 0), 1))


def _opacity(part: str) -> int:
    """Opacity as 0..255. Accepts 0..1 or a percentage as in CSS, and also numbers over 1 as 0..255."""
    return _byte(part, of=1 if part.endswith("%") or float(part) <= 1 else 255)
