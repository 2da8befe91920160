"""What a caller may ask for: one object for API, command line, library, page and batch.

An option exists everywhere the day it is a field of Options: its name is the form field and the command line's flag
(with dashes), `Option.about` and `Option.accepts` are its help, its OpenAPI description and its line in
docs/options.md, and `Option.parse` is its only check. None means "not said": a preset, and then a default, decides.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self, get_args

from packshot.core import values
from packshot.core.codecs.formats import WRITTEN
from packshot.errors import InvalidOption

Form = Literal["cutout", "mask", "flattened"]
ShadowKind = Literal["none", "contact", "soft", "photo"]
MetadataRule = Literal["drop", "keep"]

TRANSPARENT = "transparent"
BLUR = "blur"
_SWITCH = {**dict.fromkeys(("true", "1", "yes", "on"), True), **dict.fromkeys(("false", "0", "no", "off", ""), False)}
_ALIASES = {("format", suffix[1:]): row.name for row in WRITTEN.values() for suffix in row.suffixes}
_LOSSY = [row for row in WRITTEN.values() if row.quality is not None]


@dataclass(frozen=True)
class Option:
    """What is known of one field of Options.

    about: what it does, a sentence or two. accepts: the values it takes, in words. examples: values to copy.
    choices: all values it takes, where they can be counted. kind: how it is written; "file" stands for bytes.
    parse: the check; it raises ValueError. The value that it returns is what Recipe holds.
    """

    about: str
    accepts: str
    examples: tuple[str, ...]
    kind: Literal["text", "switch", "whole number", "number", "file"]
    parse: Callable[[Any], object]
    choices: tuple[str, ...] = ()


def listed(words: Iterable[object], last: str = "or") -> str:
    """ "a, b or c"."""
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


def _text(about: str, accepts: str, *examples: str, parse: Callable[[str], object]) -> Any:
    return _field(Option(about, accepts, examples, "text", parse))


def _whole(about: str, low: int, high: int, *examples: str) -> Any:
    def parse(number: int) -> int:
        if not low <= number <= high:
            raise ValueError(number)
        return number

    return _field(Option(about, f"a whole number from {low} to {high}", examples, "whole number", parse))


def _background(text: str) -> str | values.RGB:
    return text if text in {TRANSPARENT, BLUR} else values.colour(text)


def _upscale(number: float) -> float:
    if not 1 <= number <= 4:
        raise ValueError(number)
    return number


def _bytes(data: bytes) -> bytes:
    if not data:
        raise ValueError("empty")
    return data


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to make of a photo. Each field is checked alone when it is made; core/recipe.py checks them together.

    Raises
    ------
    InvalidOption
        Names the option, what came and what is allowed.
    """

    preset: str | None = _text(
        "Rules of a marketplace: they set every option that is not given here, and the result is checked against them.",
        "a name that `packshot presets` lists",
        "amazon",
        "square",
        parse=str,
    )
    form: Form | None = _choice(
        "What the output shows: the product on nothing, its matte in gray, or the product on a background. "
        "Default: flattened when a background or JPEG is asked for, else cutout.",
        get_args(Form),
    )
    format: str | None = _choice(
        "File format of the output. Default: png, and jpeg for what is flattened.", tuple(WRITTEN)
    )
    quality: int | None = _whole(
        f"Quality of a {listed(row.title for row in _LOSSY)}.  "
        f"Default: {listed((row.quality for row in _LOSSY), 'and')}.",
        1,
        100,
        "90",
    )
    background: str | None = _text(
        "What lies behind the product: nothing, a colour, or the photo's own surroundings out of focus.",
        "transparent, blur, or a colour such as white, #f4f4f4 or rgb(240, 240, 240)",
        "white",
        "#f4f4f4",
        "blur",
        parse=_background,
    )
    background_picture: bytes | None = _field(
        Option(
            "A picture to lay behind the product; it is scaled to cover the frame, and what sticks out is cut.",
            "a picture file",
            (),
            "file",
            _bytes,
        )
    )
    crop: bool | None = _field(
        Option("Cut the frame to the product, plus `margin`.", "true or false", ("true",), "switch", bool)
    )
    margin: str | None = _text(
        "Room around the product when the frame is cut to it or placed on a canvas. Shares are of the product's size.",
        "one, two (top and bottom, left and right) or four lengths (top, right, bottom, left), each in px or %",
        "5%",
        "20px 40px",
        parse=values.margins,
    )
    canvas: str | None = _text(
        "Frame of the output: an exact size, or an aspect that is then as large as the product needs.",
        "WIDTHxHEIGHT, sides from 16 to 10000 px and 50 million px in all, or an aspect such as 1:1",
        "2000x2000",
        "1:1",
        "4:5",
        parse=values.canvas,
    )
    fill: str | None = _text(
        "Share of the frame that the product takes, measured along the side where it is tightest.",
        "a share up to 100%",
        "85%",
        parse=values.share,
    )
    position: str | None = _text(
        "Where the product lies in its frame. Default: where it is in the photo, and in the middle of a canvas.",
        "center, top, bottom, left, right, two of them, or two shares such as 50% 90%",
        "center",
        "bottom",
        "50% 90%",
        parse=values.position,
    )
    max_upscale: float | None = _field(
        Option(
            "How much the product may be enlarged to reach the asked size. Default: 1, never; "
            "what is then too small is said in the result's notes.",
            "a number from 1 to 4",
            ("1.5",),
            "number",
            _upscale,
        )
    )
    min_px: int | None = _whole(
        "Longest side that an output without an exact canvas should have at least, as far as `max_upscale` allows.",
        16,
        values.LARGEST_PX,
        "1000",
    )
    max_px: int | None = _whole(
        "Longest side that an output without an exact canvas may have.", 16, values.LARGEST_PX, "2000"
    )
    shadow: ShadowKind | None = _choice(
        "Shadow under the product: a dark line where it stands, a soft one behind it, or the photo's own.",
        get_args(ShadowKind),
    )
    shadow_opacity: str | None = _text(
        "How dark the shadow is at its darkest. Default: as the photo has it for photo, 50% for the others.",
        "a share up to 100%",
        "35%",
        parse=values.share,
    )
    roi: str | None = _text(
        "Region of interest: only what lies in this rectangle of the photo can be product.",
        "left, top, right, bottom in px or % of the photo",
        "10% 0% 90% 100%",
        "120 80 900 1100",
        parse=values.region,
    )
    touch_up: bytes | None = _field(
        Option(
            "Corrections painted by hand, over the whole photo at any size: white is product, black is background, "
            "middle gray (128) stays as found.",
            "a gray picture file",
            (),
            "file",
            _bytes,
        )
    )
    metadata: MetadataRule | None = _choice(
        "Whether the photo's EXIF block (camera, date, place, author) goes into the output. Default: drop.",
        get_args(MetadataRule),
    )

    def __post_init__(self) -> None:
        for name in self.given():
            self.meaning(name)

    @classmethod
    def from_fields(cls, given: Mapping[str, object]) -> Self:
        """Options from form fields, JSON values or command line texts; texts are read as the field needs them.

        Raises
        ------
        InvalidOption
            An unknown name (with the nearest known one), or a value that the option does not take.
        """
        for name in given:
            if name not in OPTIONS:
                near = difflib.get_close_matches(name, OPTIONS, 1)
                raise InvalidOption(
                    f"There is no option {name[:40]!r}.",
                    hint=f"Did you mean {near[0]}?" if near else f"The options are {', '.join(OPTIONS)}.",
                    field=name[:40],
                    allowed=tuple(OPTIONS),
                )
        said: dict[str, Any] = {name: _read(name, value) for name, value in given.items() if value is not None}
        return cls(**said)

    def given(self) -> dict[str, Any]:
        """The options that were said, in the order of the fields."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) is not None}

    def over(self, base: Options) -> Options:
        """These options, and those of `base` where nothing is said here."""
        return Options(**{**base.given(), **self.given()})

    def key(self) -> str:
        """A name for these options: 16 hexadecimal digits, the same in every process; other options, other name."""
        plain = {
            name: hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else value
            for name, value in self.given().items()
        }
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]

    def meaning(self, name: str) -> Any:
        """The meaning of an option's value, as Recipe holds it; None where it was not said. Raises InvalidOption."""
        value = getattr(self, name)
        try:
            return None if value is None else OPTIONS[name].parse(value)
        except (ValueError, TypeError, AttributeError) as error:
            raise _invalid(name, value) from error


OPTIONS: Mapping[str, Option] = {each.name: each.metadata["option"] for each in fields(Options)}
"""Every option by its name, in the order in which help shows them."""


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
    """A text as the kind of the option needs it; other values as they are."""
    kind = OPTIONS[name].kind
    matches: Mapping[str, tuple[type, ...]] = {
        "text": (str,),
        "switch": (bool,),
        "whole number": (int,),
        "number": (int, float),
        "file": (bytes,),
    }
    if kind in {"whole number", "number"} and isinstance(value, bool):
        raise _invalid(name, value)
    if isinstance(value, matches[kind]):
        return _ALIASES.get((name, value), value) if isinstance(value, str) else value
    if not isinstance(value, str) or kind == "file":
        raise _invalid(name, value)
    try:
        if kind == "switch":
            return _SWITCH[value.lower()]
        return int(value) if kind == "whole number" else float(value)
    except (ValueError, KeyError) as error:
        raise _invalid(name, value) from error
