"""The form of the native API: as OpenAPI describes it, and as a request brings it. A Submission comes out."""

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
    """A photo, the options that are files, and the others as fields or in one JSON part."""
    files = dict.fromkeys(("image", *FILE_OPTIONS), settings.v1_max_file_bytes)
    return UploadLimits({**files, JSON_PART: JSON_BYTES}, settings.body_deadline_s, max_fields=len(OPTIONS) + 8)


@dataclass(frozen=True)
class Order:
    """A photo and what is to be made of it. image: the photo's file; or photo_id: the name of one that came before."""

    image: bytes
    photo_id: str
    options: Options


async def read_order(request: Request, settings: Settings) -> Order:
    """The form of a packshot: a photo, or the name of one, and options.

    Raises
    ------
    InvalidOption
        An option is unknown, was given twice, or has a value that it does not take.
    MalformedRequest
        A photo came beside the name of one.
    MissingImage, EmptyFile, and everything that read_form raises.
    """
    form = await read_form(request, upload_limits(settings))
    names = [value for name, value in form if name == PHOTO_ID and value]
    form = [(name, value) for name, value in form if name != PHOTO_ID]
    if not names:
        return Order(file_in(form, "image"), "", options_in(form))
    if len(names) > 1 or not isinstance(names[0], str):
        raise MalformedRequest("`photo_id` is one text.", hint="Send the photo_id of an answer.", field=PHOTO_ID)
    if any(value for name, value in form if name == "image"):
        raise MalformedRequest(
            "There are both `image` and `photo_id`.",
            hint="Send the photo, or name one that came before.",
            field=PHOTO_ID,
        )
    return Order(b"", names[0], options_in(form))


async def read_picture(request: Request, settings: Settings) -> tuple[bytes, Options]:
    """The picture and the options of a form.

    Raises
    ------
    InvalidOption
        An option is unknown, was given twice, or has a value that it does not take.
    MissingImage, EmptyFile, and everything that read_form raises.
    """
    form = await read_form(request, upload_limits(settings))
    return file_in(form, "image"), options_in(form)


async def read_check(request: Request, settings: Settings) -> Submission:
    """A finished picture, with the preset to judge it by.

    Raises
    ------
    InvalidOption
        There is no such preset, none was named, or another option came.
    MissingImage, EmptyFile, and everything that read_picture raises.
    """
    picture, options = await read_picture(request, settings)
    others = [name for name in options.given() if name != "preset"]
    if others:
        raise InvalidOption(
            f"{others[0]} changes pictures, and this one is only looked at.", hint="Leave it out.", field=others[0]
        )
    if options.preset is None:
        raise InvalidOption(
            "No preset was named.", hint="Say whose rules to check.", field="preset", allowed=preset_names()
        )
    return Submission(picture, recipe_for(options), check_limits(settings))


def options_in(form: Form) -> Options:
    """The options that a form names, as fields or in its JSON part. Raises InvalidOption, MalformedRequest."""
    return Options.from_fields(_given(form))


def _given(form: Form) -> dict[str, object]:
    """Every option that the form names, as text, as JSON has it, or as bytes. An empty field counts as not said."""
    given: dict[str, object] = {}
    for name, value in form:
        if name == JSON_PART:
            _add(given, _object(value))
        elif name != "image":
            _add(given, {name: _value(name, value)})
    if [name for name, _ in form].count("image") > 1:
        raise MalformedRequest("There are two parts `image`.", hint="Send one photo in each request.", field="image")
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
        raise _malformed("is JSON, but no object")
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
    raise ValueError(name)  # NaN and the infinities are no JSON


def _malformed(fault: str) -> MalformedRequest:
    return MalformedRequest(f"The part `{JSON_PART}` {fault}.", hint=_JSON_HOW, field=JSON_PART)


_TYPES = {"text": "string", "switch": "boolean", "whole number": "integer", "number": "number", "file": "string"}
_PHOTO = (
    "The photo, as a file of any kind that GET /v1/about lists; the content decides, not the name. "
    "Its EXIF orientation is applied. Needed unless photo_id names one."
)
_NAME = (
    "In place of `image`: the photo_id that an earlier answer gave to your key. Such a photo is kept in memory for a "
    "while; when it is gone (404, photo-unknown), send it again as `image`."
)
_OPTIONS = "The same options as one JSON object, where that is easier to write. What is here must not be a field too."

FACTS = {
    "X-Packshot-Box": "Where the product lies in the photo, turned as asked: left,top,right,bottom in px.",
    "X-Packshot-Product": "Where the product lies in the picture: left,top,right,bottom in px. Absent with a ZIP.",
    "X-Packshot-Confidence": "0 to 1; absent when the network does not say.",
    "X-Packshot-Review": "true when a human should look at it, else false.",
    "X-Packshot-Preset": "passed or failed; of several presets passed where all are; absent without a preset.",
    "X-Packshot-Notes": "How many notes there are; Accept: application/json shows them. Absent with a ZIP.",
    "X-Packshot-Photo": "Names the photo for later requests of your key (photo_id); absent when it is not kept.",
    "X-Packshot-Credits": "What this request cost: 1, or 0 where your key had paid for the photo within the last day.",
    "Server-Timing": "How long each step took.",
}


def packshots_body() -> dict[str, Any]:
    """The form of POST /v1/packshots."""
    image = {**BINARY, "description": _PHOTO}
    photo = {"image": image, PHOTO_ID: {"type": "string", "description": _NAME}}
    # That one of the two must come is said in words: generators of clients make nothing of a form with `oneOf`.
    return form_body({**photo, **option_fields()}, [], additionalProperties=False)


def option_fields() -> dict[str, Any]:
    """The options as fields of a form, and all but the files in one JSON part."""
    fields = {name: field_schema(name, option) for name, option in OPTIONS.items()}
    plain = {name: schema for name, schema in fields.items() if OPTIONS[name].kind != "file"}
    beside = {"type": "object", "description": _OPTIONS, "properties": plain, "additionalProperties": False}
    return {**fields, "options": beside}


def checks_body() -> dict[str, Any]:
    """The form of POST /v1/checks."""
    about = "The picture to judge, made anywhere; of 25 megapixels at most, unless the operator sets another limit."
    image = {**BINARY, "description": about}
    preset = {"type": "string", "description": "Whose rules.", "enum": list(preset_names()), "examples": ["amazon"]}
    fields = {"image": image, "preset": preset}
    return form_body(fields, ["image", "preset"], additionalProperties=False)


def field_schema(name: str, option: Option) -> dict[str, Any]:
    """An option as OpenAPI has it."""
    schema: dict[str, Any] = {"type": _TYPES[option.kind], "description": f"{option.about} Takes {option.accepts}."}
    if name == "preset":
        schema["description"] += f" There are {listed(preset_names(), 'and')}."
    if option.choices:
        schema["enum"] = list(option.choices)
    if option.kind == "file":
        schema["format"] = "binary"
    elif option.examples:
        schema["examples"] = [_example(option, text) for text in option.examples]
    return schema


def picture_answers() -> dict[str, Any]:
    """The answers of POST /v1/packshots that are pictures; the JSON one is its response model."""
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in FACTS.items()}
    return {
        "description": "The picture itself, or a ZIP of the pictures of several presets (amazon.jpg, etsy.jpg ... and "
        "packshots.json); or with `Accept: application/json` their links and what is known of them",
        "content": {
            media_type: {"schema": BINARY} for media_type in (*(row.media_type for row in WRITTEN.values()), ZIP)
        },
        "headers": headers,
    }


def _example(option: Option, text: str) -> object:
    if option.kind == "switch":
        return text == "true"
    return int(text) if option.kind == "whole number" else float(text) if option.kind == "number" else text
