"""The form of Photoroom's basic plan: POST /v1/segment."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from packshot import errors
from packshot.api.dialect import BINARY, Call, Dialect, Endpoint, form_body
from packshot.api.errors import ErrorForm, Renamed, Row, restated
from packshot.api.http import accepted
from packshot.api.optional.form import (
    BAD_REQUEST,
    FAILURES,
    choice,
    file_answer,
    in_words,
    read_photo,
    refused,
    switch,
)
from packshot.api.output import behind, read_colour, tinted, within
from packshot.api.upload import JSON
from packshot.core.codecs.formats import FORMATS, Header
from packshot.core.options import Options
from packshot.core.recipe import Recipe
from packshot.engine.job import Submission
from packshot.engine.presets import recipe_for
from packshot.engine.result import Result
from packshot.service.build import native_limits

PATH = "/v1/segment"
MEGAPIXELS: Mapping[str, float] = {"preview": 0.25, "medium": 1.5, "hd": 4, "full": 36}
FILES = {"png": "png", "jpg": "jpeg", "webp": "webp"}
_ALSO = {"jpeg": "jpg"}  # aliases that clients send
UNCERTAINTY = "x-uncertainty-score"
UNKNOWN = "-1"
_COLOUR = "3, 4, 6 or 8 hexadecimal digits, such as #ff00ff, or a name of CSS, such as white"
FIELDS: Mapping[str, dict[str, Any]] = {
    "image_file": BINARY | {"description": "The photo."},
    "format": {"type": "string", "enum": list(FILES), "description": "Default: png. jpg is on white."},
    "channels": {"type": "string", "enum": ["rgba", "alpha"], "description": "alpha: the matte as a gray picture."},
    "bg_color": {"type": "string", "description": f"Background colour: {_COLOUR}."},
    "size": {
        "type": "string",
        "enum": list(MEGAPIXELS),
        "description": "Maximum megapixels of the output: 0.25, 1.5, 4 or, by default, 36. Photos are never enlarged.",
    },
    "crop": {"type": "boolean", "description": "Crop the output to the product."},
    "despill": {"type": "boolean", "description": "Validated, but has no effect: despill is always on."},
}


class Order(NamedTuple):
    """A parsed request. finish: converts the file that the options produce to the requested one."""

    options: Options
    max_pixels: int
    file: str
    finish: Callable[[bytes], bytes] | None = None


async def segment(call: Call) -> Response:
    settings = call.service.settings
    photo, texts = await read_photo(call, "image_file", settings.v1_max_file_bytes)
    order = read(texts)
    submission = Submission(photo, partial(_recipe, order), native_limits(settings))
    result = await call.run(call.service.jobs.make_once(call.key, submission, finish=order.finish))
    headers = {UNCERTAINTY: uncertainty(result), "Vary": "Accept"}
    if wants_json(accepted(call.request)):
        body = {"base64img": base64.b64encode(result.data).decode()}
        return JSONResponse(body, headers=headers | {"Cache-Control": "no-store"})
    return file_answer(result.data, FORMATS[order.file].media_type, headers)


def _recipe(order: Order, header: Header) -> Recipe:
    return recipe_for(within(order.options, header.size, order.max_pixels))


def read(texts: Mapping[str, str]) -> Order:
    """Parse the fields of a request. Ignores unknown names. Raises: InvalidOption."""
    texts = {**texts, "format": _ALSO.get(word := texts.get("format", "png").lower(), word)}
    kind = choice(texts, "format", FILES, "png")
    as_matte = choice(texts, "channels", ("rgba", "alpha"), "rgba") == "alpha"
    max_pixels = int(1_000_000 * MEGAPIXELS[choice(texts, "size", MEGAPIXELS, "full")])
    crop, _ = switch(texts, "crop"), switch(texts, "despill")
    colour, tint = _background(texts, on_white=kind == "jpg")
    file = FILES[kind]
    if as_matte:
        return Order(Options.from_fields({"form": "mask", "format": file, "crop": crop}), max_pixels, file)
    made_as = "png" if tint else file
    options = Options.from_fields({"background": colour, "format": made_as, "crop": crop})
    finish = partial(tinted, tint=tint, file_format=file) if tint else None
    return Order(options, max_pixels, file, finish)


def _background(texts: Mapping[str, str], *, on_white: bool) -> tuple[str | None, tuple[int, int, int, int] | None]:
    if "bg_color" not in texts:
        return None, None
    try:
        return behind(read_colour(texts["bg_color"]), on_white=on_white)
    except ValueError as error:
        raise refused("bg_color", texts["bg_color"], _COLOUR) from error


def wants_json(accept: str) -> bool:
    """Whether the client accepts only JSON. Some HTTP libraries send it with `*/*` by default; that does not count."""
    return {part.split(";")[0].strip().lower() for part in accept.split(",")} == {JSON}


def uncertainty(result: Result) -> str:
    """The uncertainty: 0 is certain, 1 uncertain, -1 unknown."""
    return UNKNOWN if result.confidence is None else f"{1 - result.confidence:.4f}"


class Failure(BaseModel):
    """The body of every failure."""

    detail: str = Field(description="The problem and advice.")
    status_code: int = Field(description="The HTTP status.")
    type: str = Field(description="Code of this kind of failure, for programs.", examples=["missing_image"])


def _failure(error: errors.PackshotError, row: Row, request_id: str) -> dict[str, Any]:
    kind = error.slug.replace("-", "_")
    return {"detail": in_words(error, row, request_id), "status_code": row.status, "type": kind}


TABLE = restated({**BAD_REQUEST, errors.MissingKey: 403, errors.UnknownKey: 403})
ERRORS = ErrorForm(TABLE, _failure, Failure, renamed={"background": Renamed("bg_color", _COLOUR)})
_JSON_ANSWER = {"type": "object", "required": ["base64img"], "properties": {"base64img": {"type": "string"}}}
_PICTURE: dict[str, Any] = {
    "description": f"The picture. If `Accept` contains only `{JSON}`, the response is JSON with base64.",
    "content": {FORMATS[name].media_type: {"schema": BINARY} for name in FILES.values()}
    | {JSON: {"schema": _JSON_ANSWER}},
    "headers": {
        UNCERTAINTY: {
            "description": "From 0 (certain) to 1 (uncertain); -1 if unknown.",
            "schema": {"type": "number"},
        }
    },
}
DIALECT = Dialect(
    "Photoroom form",
    prefixes=(PATH,),
    key_headers=("x-api-key",),
    errors=ERRORS,
    endpoints=(
        Endpoint(
            "POST",
            (PATH,),
            segment,
            summary="Remove the background of a photo",
            operation_id="photoroomSegment",
            takes_queue=True,
            failures=tuple(status for status in FAILURES if status not in {401, 413, 422}),
            answers={200: _PICTURE},
            body=partial(form_body, FIELDS, ["image_file"]),
            sample="-F image_file=@photo.jpg -o cutout.png",
        ),
    ),
)
