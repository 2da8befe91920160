"""What OpenAPI says of the native API: the table of options as form fields, and the picture as an answer."""

from __future__ import annotations

from typing import Any

from packshot.core.codecs.formats import WRITTEN
from packshot.core.options import OPTIONS, Option
from packshot.engine.presets import preset_names

_TYPES = {"text": "string", "switch": "boolean", "whole number": "integer", "number": "number", "file": "string"}
_BINARY = {"type": "string", "format": "binary"}
_PHOTO = (
    "The photo, as a file of any kind that GET /v1/about lists; the content decides, not the name. "
    "Its EXIF orientation is applied."
)
_OPTIONS = "The same options as one JSON object, where that is easier to write. What is here must not be a field too."

FACTS = {
    "X-Packshot-Box": "Where the product lies in the photo: left,top,right,bottom in px.",
    "X-Packshot-Product": "Where the product lies in the picture: left,top,right,bottom in px.",
    "X-Packshot-Confidence": "0 to 1; absent when the network does not say.",
    "X-Packshot-Review": "true when a human should look at it, else false.",
    "X-Packshot-Preset": "passed or failed; absent without a preset.",
    "X-Packshot-Notes": "How many notes there are; Accept: application/json shows them.",
    "Server-Timing": "How long each step took.",
}


def packshots_body() -> dict[str, Any]:
    """The form of POST /v1/packshots."""
    fields = {name: field_schema(name, option) for name, option in OPTIONS.items()}
    plain = {name: schema for name, schema in fields.items() if OPTIONS[name].kind != "file"}
    beside = {"type": "object", "description": _OPTIONS, "properties": plain, "additionalProperties": False}
    image = {**_BINARY, "description": _PHOTO}
    return _form({"image": image, **fields, "options": beside}, ["image"])


def checks_body() -> dict[str, Any]:
    """The form of POST /v1/checks."""
    image = {**_BINARY, "description": "The picture to judge, made anywhere."}
    return _form({"image": image, "preset": field_schema("preset", OPTIONS["preset"])}, ["image", "preset"])


def field_schema(name: str, option: Option) -> dict[str, Any]:
    """An option as OpenAPI has it."""
    schema: dict[str, Any] = {"type": _TYPES[option.kind], "description": f"{option.about} Takes {option.accepts}."}
    choices = preset_names() if name == "preset" else option.choices
    if choices:
        schema["enum"] = list(choices)
    if option.kind == "file":
        schema["format"] = "binary"
    elif option.examples:
        schema["examples"] = [_example(option, text) for text in option.examples]
    return schema


def picture_answers() -> dict[str, Any]:
    """The answer of POST /v1/packshots that is the picture itself; the JSON one is its response model."""
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in FACTS.items()}
    return {
        "description": "The picture itself, or with `Accept: application/json` its link and what is known of it",
        "content": {row.media_type: {"schema": _BINARY} for row in WRITTEN.values()},
        "headers": headers,
    }


def _form(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema = {"type": "object", "required": required, "properties": properties, "additionalProperties": False}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def _example(option: Option, text: str) -> object:
    if option.kind == "switch":
        return text == "true"
    return int(text) if option.kind == "whole number" else float(text) if option.kind == "number" else text
