"""The native API's form: its OpenAPI description, and parsing a request into an Order or a Submission."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from packshot.api.dialect import BINARY, form_body
from packshot.api.errors import MalformedRequest
from packshot.api.upload import Form, UploadLimits, file_in, read_form
from packshot.core.codecs.formats import WRITTEN
from packshot.core.options import OPTIONS, Option, Options, listed
from packshot.engine.job import Submission
from packshot.engine.presets import preset_names, recipe_for
from packshot.errors import InvalidOption
from packshot.service.build import check_limits
from packshot.service.settings import Settings

JSON_PART, PHOTO_ID = "options", "photo_id"
JSON_BYTES = 64 * 1024
ZIP = "application/zip"
FILE_OPTIONS = tuple(name for name, option in OPTIONS.items() if option.kind == "file")
_JSON_HOW = 'Send one JSON object such as {"background": "white"}.'


def upload_limits(settings: Settings) -> UploadLimits:
    """Limits for a photo, the file options, and the other options as fields or in one JSON part."""
    files = dict.fromkeys(("image", *FILE_OPTIONS), settings.v1_max_file_bytes)
    return UploadLimits({**files, JSON_PART: JSON_BYTES}, settings.body_deadline_s, max_fields=len(OPTIONS) + 8)


@dataclass(frozen=True)
class Order:
    """A photo and its options. image: the photo's file; or photo_id: the id of an earlier photo. The other is empty."""

    image: bytes
    photo_id: str
    options: Options


async def read_order(request: Request, settings: Settings) -> Order:
    """Read the form of a packshot: a photo or a photo_id, and options.

    Raises
    ------
    InvalidOption
        An option is unknown, is given twice, or has an invalid value.
    MalformedRequest
        The form has both a photo and a photo_id.
    MissingImage, EmptyFile, and all errors of read_form.
    """
    form = await read_form(request, upload_limits(settings))
    names = [value for name, value in form if name == PHOTO_ID and value]
    form = [(name, value) for name, value in form if name != PHOTO_ID]
    if not names:
        return Order(file_in(form, "image"), "", options_in(form))
    if len(names) > 1 or not isinstance(names[0], str):
        raise MalformedRequest("`photo_id` must be one text.", hint="Send the photo_id of a response.", field=PHOTO_ID)
    if any(value for name, value in form if name == "image"):
        raise MalformedRequest(
            "The form has both `image` and `photo_id`.",
            hint="Send only one of them.",
            field=PHOTO_ID,
        )
    return Order(b"", names[0], options_in(form))


async def read_picture(request: Request, settings: Settings) -> tuple[bytes, Options]:
    """Read the picture and the options of a form.

    Raises
    ------
    InvalidOption
        An option is unknown, is given twice, or has an invalid value.
    MissingImage, EmptyFile, and all errors of read_form.
    """
    form = await read_form(request, upload_limits(settings))
    return file_in(form, "image"), options_in(form)


async def read_check(request: Request, settings: Settings) -> Submission:
    """Read a finished picture and the preset to check it against.

    Raises
    ------
    InvalidOption
        The preset is unknown or missing, or the form has another option.
    MissingImage, EmptyFile, and all errors of read_picture.
    """
    picture, options = await read_picture(request, settings)
    others = [name for name in options.given() if name != "preset"]
    if others:
        raise InvalidOption(
            f"{others[0]} cannot be used here: a check does not change the picture.", hint="Omit it.", field=others[0]
        )
    if options.preset is None:
        raise InvalidOption(
            "The preset is missing.", hint="Name the preset to check.", field="preset", allowed=preset_names()
        )
    return Submission(picture, recipe_for(options), check_limits(settings))


def options_in(form: Form) -> Options:
    """The options of a form, from its fields and its JSON part. Raises InvalidOption, MalformedRequest."""
    return Options.from_fields(_given(form))


def _given(form: Form) -> dict[str, object]:
    """Every option of a form, as a text, a JSON value or bytes. Ignores empty fields."""
    given: dict[str, object] = {}
    for name, value in form:
        if name == JSON_PART:
            _add(given, _object(value))
        elif name != "image":
            _add(given, {name: _value(name, value)})
    if [name for name, _ in form].count("image") > 1:
        raise MalformedRequest("The form has several parts `image`.", hint="Send one photo per request.", field="image")
    return given


def _add(given: dict[str, object], more: Mapping[str, object]) -> None:
    for name, value in more.items():
        if value is None:
            continue
        if name in given:
            raise InvalidOption(f"{name[:40]} is given twice.", hint="Give each option once.", field=name[:40])
        given[name] = value


def _value(name: str, value: str | bytes) -> str | bytes | None:
    if isinstance(value, bytes) and name in OPTIONS and name not in FILE_OPTIONS:
        raise InvalidOption(
            f"{name} is a file.", hint=f"Give {OPTIONS[name].accepts}.", field=name, allowed=OPTIONS[name].accepts
        )
    return None if value == "" else value


def _object(data: str | bytes) -> dict[str, object]:
    try:
        found = json.loads(data, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _malformed("is not JSON") from error
    if not isinstance(found, dict):
        raise _malformed("is not a JSON object")
    for name, value in found.items():
        if isinstance(value, dict | list):
            accepts = OPTIONS[name].accepts if name in OPTIONS else ""
            kind = "list" if isinstance(value, list) else "object"
            raise InvalidOption(f"{name[:40]} is a JSON {kind}.", hint=f"Give {accepts}.", field=name[:40])
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        _add(found, {name: value})
    return found


def _no_constant(name: str) -> float:
    raise ValueError(name)  # NaN and the infinities are not valid JSON


def _malformed(fault: str) -> MalformedRequest:
    return MalformedRequest(f"The part `{JSON_PART}` {fault}.", hint=_JSON_HOW, field=JSON_PART)


_TYPES = {"text": "string", "switch": "boolean", "whole number": "integer", "number": "number", "file": "string"}
_PHOTO = (
    "The photo, as a file in a format that GET /v1/about lists. The content decides, not the file name. "
    "Its EXIF orientation is applied. Required unless photo_id is given."
)
_NAME = (
    "Instead of `image`: the photo_id of an earlier response to your key. The service keeps such a photo in memory for "
    "a while. When it is gone (404, photo-unknown), send the photo again as `image`."
)
_OPTIONS = "The same options as one JSON object, if you prefer JSON. Give each option here or as a field, not both."

FACTS = {
    "X-Packshot-Box": "Position of the product in the rotated photo: left,top,right,bottom in px.",
    "X-Packshot-Product": "Position of the product in the picture: left,top,right,bottom in px. Absent with a ZIP.",
    "X-Packshot-Confidence": "Expected quality of the cutout, 0 to 1. Absent if the network gives none.",
    "X-Packshot-Review": "true if a person should check the picture, else false.",
    "X-Packshot-Preset": "passed or failed. With several presets, passed if all are. Absent without a preset.",
    "X-Packshot-Notes": "Number of notes; Accept: application/json returns their text. Absent with a ZIP.",
    "X-Packshot-Photo": "The photo_id for later requests with your key. Absent if the photo is not kept.",
    "X-Packshot-Credits": "Credits charged: 1, or 0 if your key paid for the photo within the last day.",
    "Server-Timing": "Duration of each step.",
}


def packshots_body() -> dict[str, Any]:
    """The form of POST /v1/packshots."""
    image = {**BINARY, "description": _PHOTO}
    photo = {"image": image, PHOTO_ID: {"type": "string", "description": _NAME}}
    # The descriptions say that one of the two is required: client generators do not support `oneOf` in a form.
    return form_body({**photo, **option_fields()}, [], additionalProperties=False)


def option_fields() -> dict[str, Any]:
    """The options as form fields, and all except the files in one JSON part."""
    fields = {name: field_schema(name, option) for name, option in OPTIONS.items()}
    plain = {name: schema for name, schema in fields.items() if OPTIONS[name].kind != "file"}
    beside = {"type": "object", "description": _OPTIONS, "properties": plain, "additionalProperties": False}
    return {**fields, "options": beside}


def checks_body() -> dict[str, Any]:
    """The form of POST /v1/checks."""
    about = "The picture to check, from any source. At most 25 megapixels, unless the operator sets another limit."
    image = {**BINARY, "description": about}
    preset = {"type": "string", "description": "The rules.", "enum": list(preset_names()), "examples": ["amazon"]}
    fields = {"image": image, "preset": preset}
    return form_body(fields, ["image", "preset"], additionalProperties=False)


def field_schema(name: str, option: Option) -> dict[str, Any]:
    """The OpenAPI schema of an option."""
    schema: dict[str, Any] = {"type": _TYPES[option.kind], "description": f"{option.about} Takes {option.accepts}."}
    if name == "preset":
        schema["description"] += f" Available: {listed(preset_names(), 'and')}."
    if option.choices:
        schema["enum"] = list(option.choices)
    if option.kind == "file":
        schema["format"] = "binary"
    elif option.examples:
        schema["examples"] = [_example(option, text) for text in option.examples]
    return schema


def picture_answers() -> dict[str, Any]:
    """The picture responses of POST /v1/packshots. The JSON response is its response model."""
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in FACTS.items()}
    return {
        "description": "The picture. With several presets, a ZIP of their pictures (amazon.jpg, etsy.jpg ... and "
        "packshots.json). With `Accept: application/json`, links to the pictures and their metadata.",
        "content": {
            media_type: {"schema": BINARY} for media_type in (*(row.media_type for row in WRITTEN.values()), ZIP)
        },
        "headers": headers,
    }


def _example(option: Option, text: str) -> object:
    if option.kind == "switch":
        return text == "true"
    return int(text) if option.kind == "whole number" else float(text) if option.kind == "number" else text
