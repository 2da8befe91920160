"""Outputs as other services' forms ask for them and no option does: half-transparent colours, a most of pixels."""

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
"""The pipeline may read all that it wrote."""

_HEX = re.compile(r"#?([0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
# As CSS has it: commas or blanks between, each a number or a share.
_PART = r"([+-]?(?:\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})%?)"
_BETWEEN = r"(?:\s*,\s*|\s+)"
_RGB = re.compile(
    rf"rgba?\(\s*{_PART}{_BETWEEN}{_PART}{_BETWEEN}{_PART}(?:(?:\s*[,/]\s*|\s+){_PART})?\s*\)", re.IGNORECASE | re.ASCII
)


def read_colour(text: str) -> RGBA:
    """A colour as red, green, blue and how opaque it is: 3, 4, 6 or 8 hex digits, rgb(), rgba(), a name, transparent.

    Raises ValueError.
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
    """The colour behind a product as the value of the option, or a half-transparent one as a tint, or neither.

    on_white: the file has no transparency, so that white shines through the colour.
    """
    *rgb, opaque = colour
    if on_white and opaque < 255:
        rgb, opaque = [round(255 + (each - 255) * opaque / 255) for each in rgb], 255
    if opaque in {0, 255}:
        return ("#{:02x}{:02x}{:02x}".format(*rgb) if opaque else None), None
    return None, colour


def tinted(data: bytes, tint: RGBA, file_format: str) -> bytes:
    """The file of a cutout, made by the pipeline, over a half-transparent colour."""
    picture = codecs.decode(data, OWN)
    rgb, alpha = picture.rgb, picture.alpha
    if alpha is not None:
        red, green, blue, opaque = tint
        rgb, alpha = blend_background(rgb, alpha, (red, green, blue), opaque / 255)
    return codecs.encode(rgb, alpha, format=file_format)


def within(options: Options, photo: Size, max_pixels: int) -> Options:
    """The options for a photo of this size, the output's pixels bounded. Upright or not: both give the same."""
    bound = _longest_side(options, photo, max_pixels)
    return options if bound is None else replace(options, max_px=bound)


def _longest_side(options: Options, photo: Size, max_pixels: int) -> int | None:
    """The longest side with which the output is within max_pixels, or None where it cannot be more.

    Never over LARGEST_PX, the most that an option can ask for: a long strip is made smaller than it had to be.
    """
    fits = photo.width * photo.height <= max_pixels
    if options.crop:
        # The product's aspect is not known yet: a square is the most that a longest side lets through.
        return None if fits and options.margin is None else math.isqrt(max_pixels)
    if fits:
        return None
    short, long = sorted(photo)
    side = math.isqrt(max_pixels * long // short)
    while side * math.ceil(side * short / long) > max_pixels:
        side -= 1
    return min(side, LARGEST_PX)


def _byte(part: str, *, of: float) -> int:
    """A number of which `of` is all, or a share, as 0 to 255; what is outside is bounded, as in CSS."""
    share = float(part[:-1]) / 100 if part.endswith("%") else float(part) / of
    return round(255 * min(max(share, 0), 1))


def _opacity(part: str) -> int:
    """0 to 1 as CSS has it; clients that count to 255 are understood too."""
    return _byte(part, of=1 if part.endswith("%") or float(part) <= 1 else 255)
