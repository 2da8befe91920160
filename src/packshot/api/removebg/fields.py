"""The fields of the form: their names, their effect here, and the parsing of each value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from packshot.api.errors import Renamed
from packshot.api.output import RGBA, read_colour
from packshot.core import values
from packshot.errors import InvalidOption

T = TypeVar("T")

MEGAPIXELS: Mapping[str, float] = {
    "preview": 0.25,
    "small": 0.25,
    "regular": 0.25,
    "medium": 1.5,
    "hd": 4,
    "full": 25,
    "4k": 25,
    "auto": 25,
    "50mp": 50,
}
FORMATS = ("auto", "png", "jpg", "webp", "zip")
ALSO = {"jpeg": "jpg"}  # aliases that clients send
CHANNELS = ("rgba", "alpha")
SHADOWS: Mapping[str, str] = {"none": "none", "auto": "contact", "car": "contact", "3d": "contact", "drop": "soft"}
KINDS = (
    "person",
    "product",
    "animal",
    "car",
    "car_interior",
    "car_part",
    "transportation",
    "graphic",
    "graphics",
    "other",
)
# The form's limits of a margin, per side. They also limit the output's size.
MARGIN_SHARE, MARGIN_PX = 0.5, 500

_YES = frozenset({"true", "1", "yes", "on"})
_NO = frozenset({"false", "0", "no", "off"})


@dataclass(frozen=True)
class Field:
    """One field.

    kind: the type in OpenAPI; "binary" and "base64" are strings there. choices: all allowed values.
    accepts: completes "Give ..." if kind and choices do not.
    """

    about: str
    kind: str = "string"
    choices: tuple[str, ...] = ()
    accepts: str = ""

    @property
    def takes(self) -> str:
        """The allowed values; completes "Give ..."."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        kinds = {"boolean": "true or false", "binary": "a file in multipart/form-data"}
        return self.accepts or kinds.get(self.kind, "a text")


FIELDS: Mapping[str, Field] = {
    "image_file": Field("The photo, as a file part. Send this or image_file_b64.", "binary"),
    "image_file_b64": Field("The photo in base64, with or without a data: prefix.", "base64", accepts="base64"),
    "image_url": Field("URL of the photo, if the operator allows URLs."),
    "size": Field(
        "Maximum megapixels of the output: preview, small and regular 0.25, medium 1.5, hd 4, full, 4k and auto 25, "
        "50MP 50. Default: preview. A larger photo is scaled down.",
        choices=("preview", "small", "regular", "medium", "hd", "full", "4k", "auto", "50MP"),
    ),
    "type": Field("Kind of subject, such as product. Has no effect here, and is returned as X-Type."),
    "type_level": Field("With `none` the response has no X-Type.", choices=("none", "1", "2", "latest")),
    "format": Field(
        "auto: png if the output has transparency, else jpg. zip: color.jpg and alpha.png.", choices=FORMATS
    ),
    "roi": Field(
        "Only pixels inside this rectangle of the photo can be product: `x1 y1 x2 y2`, each in px or %.",
        accepts="x1 y1 x2 y2 in px or %, such as 0% 0% 100% 100%",
    ),
    "crop": Field("Crop the output to the product.", "boolean"),
    "crop_margin": Field(
        "Margin around the product with crop: one, two or four lengths in px (up to 500) or % (up to 50).",
        accepts=f"one, two or four lengths of at most {MARGIN_PX}px or {MARGIN_SHARE:.0%}",
    ),
    "scale": Field(
        "Share of the output that the product fills, from 10% to 100%. Default: original.",
        accepts="original, or a share from 10% to 100%",
    ),
    "position": Field(
        "Position of the product: center, one percentage, or two (horizontal, vertical).",
        accepts="original, center, one percentage such as 50%, or two (horizontal, vertical)",
    ),
    "channels": Field("rgba: the picture. alpha: the matte as a gray picture.", choices=CHANNELS),
    "add_shadow": Field("Add a shadow under the product.", "boolean"),
    "shadow_type": Field("drop: soft. auto, car and 3D: a contact shadow under the product.", choices=tuple(SHADOWS)),
    "shadow_opacity": Field("Opacity of the shadow, from 0 to 100.", accepts="a number from 0 to 100"),
    "semitransparency": Field("Validated, but has no effect: the matte decides what is transparent.", "boolean"),
    "bg_color": Field(
        "Background colour: 3, 4, 6 or 8 hex digits, rgb() or rgba() as in CSS, a name, or transparent.",
        accepts="3, 4, 6 or 8 hexadecimal digits, rgb(255, 0, 0), rgba(255, 0, 0, 0.5), a name such as white, or "
        "transparent",
    ),
    "bg_image_file": Field("Background picture, scaled to cover the output.", "binary"),
    "bg_image_url": Field("URL of the background picture, if the operator allows URLs."),
}


RENAMED: Mapping[str, Renamed] = {
    "background": Renamed("bg_color", FIELDS["bg_color"].takes),
    "background_picture": Renamed("bg_image_file"),
    "margin": Renamed("crop_margin", FIELDS["crop_margin"].takes),
    "fill": Renamed("scale", FIELDS["scale"].takes),
    "shadow": Renamed("shadow_type", FIELDS["shadow_type"].takes),
    "max_px": Renamed("size", FIELDS["size"].takes),
}
"""The options that have another name in the form."""


def invalid(field: str, value: object, allowed: str = "", *, code: str = "") -> InvalidOption:
    """The error for a field's value. allowed: completes "Give ...". code: replaces invalid_FIELD."""
    shown = "a file" if isinstance(value, bytes) else repr(value[:60] if isinstance(value, str) else value)[:60]
    allowed = allowed or FIELDS[field].takes
    return InvalidOption(
        f"{field} is {shown}.", hint=f"Give {allowed}.", field=field, allowed=allowed, code=code or f"invalid_{field}"
    )


def switch(field: str, text: str) -> bool:
    """Parse a boolean in any of its usual spellings."""
    if text.lower() not in _YES | _NO:
        raise invalid(field, text)
    return text.lower() in _YES


def choice(field: str, text: str, allowed: Mapping[str, object] | tuple[str, ...]) -> str:
    """Parse one of the allowed words, in any case. Returns it in lower case."""
    word = ALSO.get(text.lower(), text.lower())
    if word not in allowed:
        raise invalid(field, text)
    return word


def colour(text: str) -> RGBA:
    """Parse bg_color into red, green, blue and opacity."""
    return _read("bg_color", text, read_colour)


def roi(text: str) -> str:
    """Convert roi to the value of the option `roi`."""
    parts = text.replace(",", " ").split()
    if len(parts) == 4:
        left, top, right, bottom = (_read("roi", part, values.length) for part in parts)
        for low, high in ((left, right), (top, bottom)):
            if low.is_share == high.is_share and low.value >= high.value:
                raise invalid("roi", text, "a rectangle that is not empty", code="roi_region_empty")
        if any(each.is_share and each.value > 1 for each in (left, top, right, bottom)):
            raise invalid("roi", text, "percentages up to 100%", code="roi_exceeds_bounds")
    _read("roi", text, values.region)
    return " ".join(parts)


def margin(text: str) -> str:
    """Convert crop_margin to the value of the option `margin`."""
    read = _read("crop_margin", text, values.margins)
    if any(each.value > (MARGIN_SHARE if each.is_share else MARGIN_PX) for each in read):
        raise invalid("crop_margin", text)
    return text


def scale(text: str) -> str | None:
    """Convert scale to the value of the option `fill`; None for "original"."""
    if text.lower() == "original":
        return None
    if _read("scale", text, values.share) < 0.1:
        raise invalid("scale", text)
    return text


def position(text: str) -> str | None:
    """Convert position to the value of the option `position`; None for "original"."""
    words = text.lower().replace(",", " ").split()
    if words == ["original"]:
        return None
    if words == ["center"]:
        return "center"
    shares = words * 2 if len(words) == 1 else words
    if len(shares) != 2 or not all("%" in each for each in shares):
        raise invalid("position", text)
    _read("position", " ".join(shares), values.position)
    return " ".join(shares)


def opacity(text: str) -> float:
    """Parse shadow_opacity, 0 to 100."""
    number = _read("shadow_opacity", text.removesuffix("%"), float)
    if not 0 <= number <= 100:
        raise invalid("shadow_opacity", text)
    return number


def _read(field: str, text: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise invalid(field, text) from error
