"""The options of a packshot: one table for API, command line, library, page and batch.

A new field of Options works everywhere at once. Its name is the form field and, with dashes, the command line's flag.
`Option.about` and `Option.accepts` are its help, its OpenAPI description and its line in docs/reference/options.md.
`Option.parse` is its only check. None means "not set": the preset decides, then a default.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from numbers import Integral, Real
from typing import Any, Literal, Self, get_args

from packshot.core import values
from packshot.core.codecs.formats import WRITTEN
from packshot.errors import InvalidOption

Form = Literal["cutout", "mask", "flattened"]
ShadowKind = Literal["none", "contact", "soft", "photo"]
MetadataRule = Literal["drop", "keep"]

TRANSPARENT = "transparent"
MOST_ENLARGED = 1.5
"""Largest factor by which a repair enlarges a picture. docs/decisions/0053-repairs.md measures its cost."""
BLUR = "blur"
_SWITCH = {**dict.fromkeys(("true", "1", "yes", "on"), True), **dict.fromkeys(("false", "0", "no", "off", ""), False)}
_ALIASES = {("format", suffix[1:]): row.name for row in WRITTEN.values() for suffix in row.suffixes}
_LOSSY = [row for row in WRITTEN.values() if row.quality is not None]


@dataclass(frozen=True)
class Option:
    """Metadata of one field of Options.

    about: description, one or two sentences.
    accepts: the accepted values, in words.
    examples: values to copy.
    choices: all accepted values, if the set is finite.
    kind: type of the input; "file" means bytes.
    parse: validates a value and returns what Recipe holds; raises ValueError.
    several: whether the text may hold several comma-separated values.
    write: converts a Python value, such as a number of px, to the text; raises ValueError or TypeError. None if the
    option takes no such value.
    """

    about: str
    accepts: str
    examples: tuple[str, ...]
    kind: Literal["text", "switch", "whole number", "number", "file"]
    parse: Callable[[Any], object]
    choices: tuple[str, ...] = ()
    write: Callable[[Any], str] | None = None
    several: bool = False


def listed(words: Iterable[object], last: str = "or") -> str:
    """Joins words for a sentence: "a, b or c"."""
    *others, end = map(str, words)
    return f"{', '.join(others)} {last} {end}" if others else end


def _field(option: Option) -> Any:
    return field(default=None, metadata={"option": option})


def _choice(about: str, choices: tuple[str, ...]) -> Any:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(text)
        return text

    return _field(Option(about, listed(choices), choices, "text", parse, choices))


def _text(
    about: str,
    accepts: str,
    *examples: str,
    parse: Callable[[str], object],
    write: Callable[[Any], str] | None = None,
    several: bool = False,
) -> Any:
    return _field(Option(about, accepts, examples, "text", parse, write=write, several=several))


def _whole(about: str, low: int, high: int, *examples: str) -> Any:
    def parse(number: int) -> int:
        if not low <= number <= high:
            raise ValueError(number)
        return number

    return _field(Option(about, f"a whole number from {low} to {high}", examples, "whole number", parse))


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise ValueError(text)
    return names


def _joined(names: Iterable[str]) -> str:
    """Joins names with commas. Raises TypeError unless they are a list or tuple of texts."""
    if not isinstance(names, list | tuple):
        raise TypeError(names)
    return ",".join(names)


def _background(text: str) -> str | values.RGB:
    return text if text in {TRANSPARENT, BLUR} else values.colour(text)


def _upscale(number: float) -> float:
    if not 1 <= number <= 4:
        raise ValueError(number)
    return number


def _degrees(number: float) -> float:
    """Normalises an angle to more than -180 and at most 180 degrees. Raises ValueError outside -360..360."""
    if not -360 <= number <= 360:
        raise ValueError(number)
    return number if -180 < number <= 180 else 180 - (180 - number) % 360


def _bytes(data: bytes) -> bytes:
    if not data:
        raise ValueError("empty")
    return data


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options for one photo. None means "not set": the preset decides if there is one, then a default.

    Text options also accept an equivalent Python value: `margin=20` for "20px", `fill=0.85` for "85%",
    `background=(255, 255, 255)` for "#ffffff", `canvas=(2000, 2000)` for "2000x2000", `roi=(left, top, right, bottom)`
    in px.

    Each option is checked alone when the object is made, and against the others when it is used.

    Raises
    ------
    packshot.errors.InvalidOption
        Names the option, the given value and the allowed values.
    """

    preset: str | list[str] | tuple[str, ...] | None = _text(
        "A marketplace's rules. They set every option that you leave out, and the result is checked against them. "
        "Several presets each make their own picture of the photo.",
        "a name from `packshot presets`, or several different names separated by commas",
        "amazon",
        "amazon,etsy,google",
        parse=_names,
        write=_joined,
        several=True,
    )
    repair: bool | None = _field(
        Option(
            "Whether to repair a picture that breaks a preset's required rules. Repairs enlarge it (at most "
            f"{MOST_ENLARGED:g} times, or `max_upscale`), scale it down, clean traces from the background or shrink "
            "the file. They never invent content. The report names each repair. Default: true.",
            "true or false",
            ("false",),
            "switch",
            bool,
        )
    )
    form: Form | None = _choice(
        "Content of the output: the product on transparency (cutout), its gray matte (mask), or the product on a "
        "background (flattened). Default: flattened with a background or JPEG, else cutout.",
        get_args(Form),
    )
    format: str | None = _choice(
        "File format of the output. Default: jpeg if it is flattened, else png.", tuple(WRITTEN)
    )
    quality: int | None = _whole(
        f"Quality of a {listed(row.title for row in _LOSSY)}. "
        f"Default: {listed((row.quality for row in _LOSSY), 'and')}, in this order.",
        1,
        100,
        "90",
    )
    background: str | values.RGB | None = _text(
        "Background of the product: transparent, a colour, or the photo's own surroundings out of focus (blur).",
        "transparent, blur, or a colour such as white, #f4f4f4 or rgb(240, 240, 240)",
        "white",
        "#f4f4f4",
        "blur",
        parse=_background,
        write=values.colour_text,
    )
    background_picture: bytes | None = _field(
        Option(
            "A picture as background. It is scaled to cover the frame, and the excess is cut off.",
            "a picture file",
            (),
            "file",
            _bytes,
        )
    )
    rotate: float | None = _field(
        Option(
            "Degrees by which to rotate or straighten the photo, clockwise. The photo grows to hold its corners. "
            "The product is found before the rotation, so `roi` and `touch_up` refer to the photo as sent.",
            "a number from -360 to 360",
            ("90", "-2.5"),
            "number",
            _degrees,
        )
    )
    crop: bool | None = _field(
        Option("Crops the frame to the product, plus `margin`.", "true or false", ("true",), "switch", bool)
    )
    margin: str | float | None = _text(
        "Space around the product when the frame is cropped to it or has a canvas. "
        "Percentages are of the product's size.",
        "one length, two (top and bottom, left and right) or four (top, right, bottom, left), each in px or %",
        "5%",
        "20px 40px",
        parse=values.margins,
        write=values.px_text,
    )
    canvas: str | tuple[int, int] | None = _text(
        "Frame of the output: an exact size, or an aspect ratio. With a ratio, the size follows from the product.",
        "WIDTHxHEIGHT with sides from 16 to 10000 px and 50 million px in total, or an aspect ratio such as 1:1",
        "2000x2000",
        "1:1",
        "4:5",
        parse=values.canvas,
        write=values.size_text,
    )
    fill: str | float | None = _text(
        "Share of the frame that the product fills, along its tightest side.",
        "a percentage up to 100%",
        "85%",
        parse=values.share,
        write=values.share_text,
    )
    position: str | None = _text(
        "Position of the product in its frame. Default: as in the photo, or the centre of a canvas.",
        "center, top, bottom, left, right, two of these, or two percentages such as 50% 90%",
        "center",
        "bottom",
        "50% 90%",
        parse=values.position,
    )
    max_upscale: float | None = _field(
        Option(
            "How many times the product may be enlarged to reach the requested size. Default: 1 (never). "
            "If the output stays too small, the result's notes say so.",
            "a number from 1 to 4",
            ("1.5",),
            "number",
            _upscale,
        )
    )
    min_px: int | None = _whole(
        "Minimum of the longest side, in px, if the canvas is not exact. Enlarges only as far as `max_upscale` allows.",
        16,
        values.LARGEST_PX,
        "1000",
    )
    max_px: int | None = _whole(
        "Maximum of the longest side, in px, if the canvas is not exact.", 16, values.LARGEST_PX, "2000"
    )
    shadow: ShadowKind | None = _choice(
        "Shadow of the product: a dark line at its base (contact), a soft one behind it, or the photo's own.",
        get_args(ShadowKind),
    )
    shadow_opacity: str | float | None = _text(
        "Opacity of the shadow's darkest part. Default: unchanged for photo, 50% for the others.",
        "a percentage up to 100%",
        "35%",
        parse=values.share,
        write=values.share_text,
    )
    roi: str | tuple[float, float, float, float] | None = _text(
        "Region of interest: only pixels inside this rectangle of the photo can be product.",
        "left, top, right, bottom in px or % of the photo",
        "10% 0% 90% 100%",
        "120 80 900 1100",
        parse=values.region,
        write=values.box_text,
    )
    touch_up: bytes | None = _field(
        Option(
            "Corrections painted by hand, over the whole photo, at any size. White is product, black is background, "
            "and middle gray (128) changes nothing.",
            "a gray picture file",
            (),
            "file",
            _bytes,
        )
    )
    metadata: MetadataRule | None = _choice(
        "Whether to copy the photo's EXIF block (camera, date, place, author) to the output. Default: drop.",
        get_args(MetadataRule),
    )

    def __post_init__(self) -> None:
        for name, value in self.given().items():
            object.__setattr__(self, name, _as_written(name, value))
            self.meaning(name)

    @classmethod
    def from_fields(cls, given: Mapping[str, object]) -> Self:
        """Makes Options from form fields, JSON values or command line texts. Converts texts to each field's type.

        Raises
        ------
        InvalidOption
            An unknown name (the error suggests the nearest known one), or an invalid value.
        """
        check_names(given)
        said: dict[str, Any] = {name: _read(name, value) for name, value in given.items() if value is not None}
        return cls(**said)

    def given(self) -> dict[str, Any]:
        """Returns the options that are set, in field order."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) is not None}

    def over(self, base: Options) -> Options:
        """Returns these options, with the missing ones taken from `base`."""
        return Options(**{**base.given(), **self.given()})

    def key(self) -> str:
        """Returns a hash of these options: 16 hexadecimal digits, the same in every process."""
        plain = {
            name: hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else value
            for name, value in self.given().items()
        }
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]

    def meaning(self, name: str) -> Any:
        """Returns an option's parsed value, as Recipe holds it; None if it is not set. Raises InvalidOption."""
        value = getattr(self, name)
        try:
            return None if value is None else OPTIONS[name].parse(value)
        except (ValueError, TypeError, AttributeError) as error:
            raise _invalid(name, value) from error


OPTIONS: Mapping[str, Option] = {each.name: each.metadata["option"] for each in fields(Options)}
"""Every option by its name, in help order."""

_TYPES: Mapping[str, tuple[type, ...]] = {
    "text": (str,),
    "switch": (bool,),
    "whole number": (Integral,),
    "number": (Real,),
    "file": (bytes,),
}
"""Types of values in Python and JSON, by kind of option. A bool never counts as a number, although Python's bool is an
int."""


def check_names(names: Iterable[str]) -> None:
    """Raises InvalidOption for an unknown option name. The error suggests the nearest known one."""
    for name in names:
        if name not in OPTIONS:
            near = difflib.get_close_matches(name, OPTIONS, 1)
            raise InvalidOption(
                f"There is no option {name[:40]!r}.",
                hint=f"Did you mean {near[0]}?" if near else f"The options are {', '.join(OPTIONS)}.",
                field=name[:40],
                allowed=tuple(OPTIONS),
            )


@cache
def options_help() -> str:
    """Returns the text that help() shows: each option's name, description and accepted values."""
    entries = (f"{name}: {' '.join(option.about.split())} [{option.accepts}]" for name, option in OPTIONS.items())
    return "\n".join(textwrap.fill(entry, 100, initial_indent="    ", subsequent_indent=" " * 8) for entry in entries)


Options.__doc__ = f"{Options.__doc__}\n    Options\n    -------\n{options_help()}\n"


def _is_of_kind(value: object, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "switch" or not isinstance(value, bool))


def _as_written(name: str, value: object) -> object:
    """Returns a value of the option's kind: the value itself, or its text. Raises InvalidOption."""
    option = OPTIONS[name]
    if isinstance(value, str) and option.kind == "text":
        return _ALIASES.get((name, value), value)
    if _is_of_kind(value, option.kind):
        return _plain_number(value)
    if option.kind == "file" and isinstance(value, bytearray | memoryview):
        return bytes(value)
    try:
        if option.write is not None and not isinstance(value, bool):
            return option.write(value)
    except (ValueError, TypeError):
        pass
    raise _wrong_kind(name, value)


def _plain_number(value: object) -> object:
    """Converts numbers of other libraries, which JSON cannot hold, to Python's own."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def _wrong_kind(name: str, value: object) -> InvalidOption:
    option = OPTIONS[name]
    if option.kind == "file":
        hint = (
            "Give the bytes of a picture file. packshot.remove also takes a path, an open file, a PIL image or an "
            "array."
        )
    else:
        example = f': "{option.examples[0]}", for example' if option.kind == "text" and not option.choices else ""
        hint = f"Give {'True or False' if option.kind == 'switch' else option.accepts + example}."
    shown = textwrap.shorten(repr(value), 60, placeholder=" ...")
    return InvalidOption(
        f"{name} is {shown}, of type {type(value).__name__}.",
        hint=hint,
        field=name,
        value=None,
        allowed=option.choices or option.accepts,
    )


def _invalid(name: str, value: object) -> InvalidOption:
    option = OPTIONS[name]
    shown = "an empty file" if isinstance(value, bytes) else repr(value)[:60]
    return InvalidOption(
        f"{name} is {shown}.",
        hint=f"Give {option.accepts}.",
        field=name,
        value=None if isinstance(value, bytes) else value,
        allowed=option.choices or option.accepts,
    )


def _read(name: str, value: object) -> object:
    """Converts a text to the option's kind; returns other values unchanged. Raises InvalidOption."""
    kind = OPTIONS[name].kind
    if _is_of_kind(value, kind):
        return value
    if not isinstance(value, str) or kind == "file":
        raise _invalid(name, value)
    try:
        if kind == "switch":
            return _SWITCH[value.lower()]
        return int(value) if kind == "whole number" else float(value)
    except (ValueError, KeyError) as error:
        raise _invalid(name, value) from error
