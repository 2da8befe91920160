"""Converts the form's fields to Options, and the pipeline's picture to the requested file. No HTTP."""

from __future__ import annotations

import base64
import binascii
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from packshot.api.errors import MissingImage
from packshot.api.output import OWN, RGBA, TRANSPARENT, behind, tinted, within
from packshot.api.removebg import fields
from packshot.api.removebg.fields import FIELDS, invalid
from packshot.api.upload import MAX_FIELD_BYTES
from packshot.core import codecs
from packshot.core.compose import spread_colours
from packshot.core.geometry import Size
from packshot.core.options import Options
from packshot.core.picture import UInt8
from packshot.errors import InvalidOption, UnreadableImage

FileKind = Literal["png", "jpeg", "webp", "zip"]
MEDIA_TYPES = {name: codecs.FORMATS[name].media_type for name in ("png", "jpeg", "webp")} | {"zip": "application/zip"}
HOW = "Send the photo as a file in image_file, or in base64 in image_file_b64."
HOW_BACKGROUND = "Send the background as a file in bg_image_file."
_FILES = frozenset({"image_file", "image_file_b64", "bg_image_file"})
_URLS = ("image_url", "bg_image_url")
_LARGEST_UPSCALE = 4.0  # the form has no limit; this is the option's maximum


@dataclass(frozen=True)
class Order:
    """A parsed request.

    photo: the bytes of the file.
    options: all options except the size limit, which depends on the photo: see `options_for`.
    max_pixels: limit of the output.
    file: kind of the response. For a zip or a tint, `options` produce a PNG, which `finish` converts.
    tint: a semi-transparent background colour, which no option supports.
    kind: value of X-Type; None for no header.
    urls: URLs of pictures that are still to be fetched, by field. `with_pictures` adds the pictures.
    """

    photo: bytes
    options: Options
    max_pixels: int
    file: FileKind
    tint: RGBA | None
    kind: str | None
    urls: Mapping[str, str] = field(default_factory=dict)

    def with_pictures(self, found: Mapping[str, bytes]) -> Order:
        """The same order with the fetched pictures. found: by field."""
        background = found.get("bg_image_url", self.options.background_picture)
        options = replace(self.options, background_picture=background)
        return replace(self, photo=found.get("image_url", self.photo), options=options, urls={})

    def options_for(self, photo: Size) -> Options:
        """The options with the output limited to max_pixels. photo: its size; its rotation does not matter."""
        return within(self.options, photo, self.max_pixels)


def read(given: Mapping[str, object]) -> Order:
    """Parse the fields of a request. Ignores unknown names and empty values.

    Raises
    ------
    MissingImage, UnreadableImage
        The photo is missing, or is not valid base64.
    InvalidOption
        A field's value is invalid; `code` is the form's error code.
    """
    said = {name: value for name in FIELDS if (value := given.get(name)) not in (None, "", b"")}
    if _is_transparent(said.get("bg_color")):
        del said["bg_color"]
    photo = _photo(said)
    picture = _background_picture(said)
    texts = {name: _text(name, value) for name, value in said.items() if name not in _FILES}
    if "semitransparency" in texts:
        fields.switch("semitransparency", texts["semitransparency"])
    size = fields.choice("size", texts.get("size", "preview"), fields.MEGAPIXELS)
    file, options, tint = _look(texts, picture)
    return Order(
        photo,
        options.over(Options.from_fields(_framing(texts))),
        max_pixels=int(1_000_000 * fields.MEGAPIXELS[size]),
        file=file,
        tint=tint,
        kind=_kind(texts),
        # A matte has no background.
        urls={name: texts[name] for name in _URLS if name in texts and (name == "image_url" or options.form != "mask")},
    )


def _look(texts: Mapping[str, str], picture: bytes | None) -> tuple[FileKind, Options, RGBA | None]:
    """The kind of file of the response, the options for its content, and its tint."""
    asked = fields.choice("format", texts.get("format", "auto"), fields.FORMATS)
    channels = fields.choice("channels", texts.get("channels", "rgba"), fields.CHANNELS)
    colour, tint = _background(texts, on_white=asked == "jpg")
    shadow = _shadow(texts)
    if channels == "alpha" and asked != "zip":  # a zip has the matte in it
        mask = _file_kind(asked, is_opaque=False)
        return mask, Options.from_fields({"form": "mask", "format": mask}), None
    file = _file_kind(asked, is_opaque=picture is not None or colour is not None)
    behind = {"background": colour, "background_picture": picture or None}
    made_as = "png" if file == "zip" or tint else file
    return file, Options.from_fields({"format": made_as, **behind, **shadow}), tint


def _file_kind(asked: str, *, is_opaque: bool) -> FileKind:
    if asked == "auto":
        return "jpeg" if is_opaque else "png"
    kinds: Mapping[str, FileKind] = {"jpg": "jpeg", "png": "png", "webp": "webp", "zip": "zip"}
    return kinds[asked]


def _background(texts: Mapping[str, str], *, on_white: bool) -> tuple[str | None, RGBA | None]:
    """(value of the option `background`, tint); see `behind`."""
    if "bg_color" not in texts:
        return None, None
    return behind(fields.colour(texts["bg_color"]), on_white=on_white)


def _framing(texts: Mapping[str, str]) -> dict[str, object]:
    """The options for crop, scale and position. With crop, scale and position have no effect."""
    margin = fields.margin(texts["crop_margin"]) if "crop_margin" in texts else None
    fill = fields.scale(texts["scale"]) if "scale" in texts else None
    position = fields.position(texts["position"]) if "position" in texts else None
    found: dict[str, object] = {"roi": fields.roi(texts["roi"])} if "roi" in texts else {}
    if fields.switch("crop", texts.get("crop", "false")):
        return found | {"crop": True, "margin": margin}
    if fill is not None:
        return found | {"fill": fill, "position": position, "max_upscale": _LARGEST_UPSCALE}
    return found | {"position": position}


def _shadow(texts: Mapping[str, str]) -> dict[str, object]:
    """The options for a shadow. shadow_type takes precedence over the older field add_shadow."""
    wanted = fields.switch("add_shadow", texts.get("add_shadow", "false"))
    kind = fields.SHADOWS[
        fields.choice("shadow_type", texts.get("shadow_type", "auto" if wanted else "none"), fields.SHADOWS)
    ]
    opacity = round(fields.opacity(texts["shadow_opacity"]), 2) if "shadow_opacity" in texts else None
    if kind == "none" or opacity == 0:
        return {}
    return {"shadow": kind, "shadow_opacity": None if opacity is None else f"{opacity:.2f}%"}


def _kind(texts: Mapping[str, str]) -> str | None:
    """The value of X-Type: the caller's `type`, else "product". The service does not classify subjects."""
    if fields.choice("type_level", texts.get("type_level", "1"), FIELDS["type_level"].choices) == "none":
        return None
    said = texts.get("type", "auto").lower()
    return said if said in fields.KINDS else "product"


def _photo(said: Mapping[str, object]) -> bytes:
    """The photo from its only source; empty bytes for a URL."""
    source = _only(said, ("image_file", "image_file_b64", "image_url"), "photo", "multiple_sources")
    if source is None:
        raise MissingImage("The request has no photo.", hint=HOW, field="image_file")
    value = said[source]
    if source == "image_url":
        return b""
    if source == "image_file_b64":
        return _from_base64(value)
    if not isinstance(value, bytes):
        raise MissingImage(
            "image_file is text; it must be a file in multipart/form-data.", hint=HOW, field="image_file"
        )
    return value


def _background_picture(said: Mapping[str, object]) -> bytes | None:
    """The background picture, or None; empty bytes for a URL."""
    source = _only(said, ("bg_color", "bg_image_url", "bg_image_file"), "background", "multiple_bg_sources")
    if source == "bg_image_url":
        return b""
    value = said.get("bg_image_file")
    if value is not None and not isinstance(value, bytes):
        raise invalid("bg_image_file", value, "a file in multipart/form-data")
    return value


def _only(said: Mapping[str, object], names: tuple[str, ...], what: str, code: str) -> str | None:
    """The only given field among these, or None. Raises InvalidOption if there are several."""
    given = [name for name in names if name in said]
    if len(given) > 1:
        raise InvalidOption(
            f"The {what} is given in {' and '.join(given)}.", hint="Send one of them.", field=given[1], code=code
        )
    return given[0] if given else None


def _from_base64(value: object) -> bytes:
    """Decode base64. Accepts a `data:` prefix, line breaks, and spaces where a form decoder replaced +."""
    text = value.encode() if isinstance(value, str) else value
    try:
        if not isinstance(text, bytes):
            raise ValueError(text)
        body = text.rpartition(b",")[2] if text.startswith(b"data:") else text
        data = base64.b64decode(b"".join(body.strip().splitlines()).replace(b" ", b"+"), validate=True)
    except (ValueError, binascii.Error) as error:
        raise UnreadableImage("image_file_b64 is not base64.", hint=HOW, field="image_file_b64") from error
    if not data:
        raise MissingImage("image_file_b64 is empty.", hint=HOW, field="image_file_b64")
    return data


def _is_transparent(colour: object) -> bool:
    """Whether bg_color is "transparent". It then does not conflict with a background picture."""
    return isinstance(colour, str) and colour.strip().lower() == TRANSPARENT


def _text(name: str, value: object) -> str:
    """Convert a value to text, including JSON numbers and booleans.

    Some clients send texts as parts with a file name. The length limit of a form field applies to all kinds of body.
    """
    if isinstance(value, bytes) and len(value) <= MAX_FIELD_BYTES:
        value = value.decode(errors="replace")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and len(value) > MAX_FIELD_BYTES:
        raise invalid(name, value, f"a text of at most {MAX_FIELD_BYTES} characters")
    if isinstance(value, (str, int, float)):
        return str(value).strip()
    raise invalid(name, value)


def finish(order: Order, data: bytes) -> bytes:
    """Convert the pipeline's file to the requested one."""
    if order.tint is not None:
        data = tinted(data, order.tint, "png" if order.file == "zip" else order.file)
    if order.file != "zip":
        return data
    picture = codecs.decode(data, OWN)
    opaque = np.full(picture.rgb.shape[:2], 255, np.uint8)
    return _zipped(picture.rgb, opaque if picture.alpha is None else picture.alpha)


def _zipped(rgb: UInt8, alpha: UInt8) -> bytes:
    """A zip of color.jpg and alpha.png, which clients combine. Stored, because both are already compressed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("color.jpg", codecs.encode(spread_colours(rgb, alpha), format="jpeg"))
        archive.writestr("alpha.png", codecs.encode(alpha, format="png"))
    return packed.getvalue()
