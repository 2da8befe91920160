"""The remove.bg form: POST /v1.0/removebg, GET /v1.0/account, and the form's errors."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from packshot import errors
from packshot.api.dialect import BEARER, BINARY, Call, Dialect, Endpoint
from packshot.api.errors import (
    PROBLEM_DETAILS,
    BodyTooLarge,
    BodyTooSlow,
    ErrorForm,
    HeadTooLarge,
    MalformedRequest,
    MissingImage,
    Row,
    UnknownPath,
    UnsupportedEncoding,
    WrongMethod,
    row_of,
)
from packshot.api.http import accepted
from packshot.api.removebg.fields import FIELDS, RENAMED
from packshot.api.removebg.order import HOW, HOW_BACKGROUND, MEDIA_TYPES, Order, finish, read
from packshot.api.upload import JSON, MULTIPART, OVERHEAD_BYTES, URLENCODED, UploadLimits, read_fields
from packshot.engine.job import Submission
from packshot.engine.presets import recipe_for
from packshot.engine.result import Result
from packshot.service.build import native_limits
from packshot.service.settings import Settings

PATHS = ("/v1.0/removebg", "/v1.0/account")
OCTETS = "application/octet-stream"
FACTS = {
    "X-Width": "Width of the output, in px.",
    "X-Height": "Height of the output, in px.",
    "X-Max-Width": "Width of the photo, in px.",
    "X-Max-Height": "Height of the photo, in px.",
    "X-Foreground-Left": "Left edge of the product in the photo, in the photo's px.",
    "X-Foreground-Top": "Top edge of the product in the photo, in the photo's px.",
    "X-Foreground-Width": "Width of the product in the photo, in the photo's px.",
    "X-Foreground-Height": "Height of the product in the photo, in the photo's px.",
    "X-Credits-Charged": "Always 1, for every size.",
    "X-Type": "The caller's type, else product. Absent with type_level=none.",
}
CREDITS_CHARGED = 1  # this service charges 1 credit per picture, for every size
# The form's documented codes; for errors that it does not document, a code in the same style.
_CODES = {
    MissingImage: (400, "missing_source"),
    MalformedRequest: (400, "invalid_request"),
    errors.EmptyFile: (400, "missing_source"),
    errors.UnreadableImage: (400, "failed_to_read_image"),
    errors.UnsupportedFormat: (400, "invalid_file_type"),
    errors.FileTooLarge: (400, "file_too_large"),
    BodyTooLarge: (400, "file_too_large"),
    errors.ImageTooLarge: (400, "resolution_too_high"),
    errors.ImageTooSmall: (400, "invalid_dimensions"),
    errors.InvalidOption: (400, "invalid_parameter"),
    errors.UrlFailed: (400, "failed_image_download"),
    errors.InputError: (400, "invalid_request"),
    errors.NoForeground: (400, "unknown_foreground"),
    errors.OutOfCredits: (402, "insufficient_credits"),
    errors.AccessError: (403, "auth_failed"),
    errors.BadSignature: (403, "auth_failed"),
    UnknownPath: (404, "not_found"),
    errors.ResultUnknown: (404, "not_found"),
    WrongMethod: (405, "method_not_allowed"),
    errors.ConflictError: (409, "conflict"),
    errors.ResultExpired: (410, "gone"),
    UnsupportedEncoding: (415, "unsupported_encoding"),
    errors.RateLimited: (429, "rate_limit_exceeded"),
    HeadTooLarge: (431, "head_too_large"),
    errors.PackshotError: (500, "internal_error"),
    errors.SetupError: (500, "internal_error"),
    errors.StorageError: (502, "storage_failed"),
    errors.CapacityError: (503, "service_busy"),
    errors.DeadlineExceeded: (504, "timeout"),
    BodyTooSlow: (504, "timeout"),
}
# The titles are the neutral ones, because the form defines none.
TABLE = {kind: Row(status, row_of(kind, PROBLEM_DETAILS.table).words, code) for kind, (status, code) in _CODES.items()}


def upload_limits(settings: Settings) -> UploadLimits:
    """Limits for two pictures. One may be in base64, which takes 4 bytes for 3, plus line breaks."""
    largest = settings.v1_max_file_bytes
    base64_bytes = largest * 7 // 5
    return UploadLimits(
        {"image_file": largest, "image_file_b64": base64_bytes, "bg_image_file": largest},
        settings.body_deadline_s,
        max_fields=64,
        # Urlencoding turns +, / and = into three bytes each: about one base64 character in twenty.
        text_bytes=base64_bytes * 6 // 5 + OVERHEAD_BYTES,
        how=HOW,
    )


async def remove_background(call: Call) -> Response:
    settings = call.service.settings
    order = await asyncio.to_thread(read, await read_fields(call.request, upload_limits(settings)))
    return answer(order, await call.run(_made(call, order)), kind_of_answer(accepted(call.request)))


async def _made(call: Call, order: Order) -> Result:
    """Fetch pictures that are given as URLs, and make the result."""
    limits = native_limits(call.service.settings)
    found: dict[str, bytes] = {}
    for name, url in order.urls.items():
        hint = HOW if name == "image_url" else HOW_BACKGROUND
        found[name] = await call.fetch(url, field=name, hint=hint, max_bytes=call.service.settings.v1_max_file_bytes)
    order = order.with_pictures(found)
    photo = Submission(order.photo, lambda header: recipe_for(order.options_for(header.size)), limits)
    return await call.service.jobs.make_once(call.key, photo, finish=partial(finish, order))


async def account(call: Call) -> Response:
    """The credits of a key in the form's categories: all of them count as payg."""
    total = call.credits_left
    attributes = {
        "credits": {"total": total, "subscription": 0, "payg": total, "enterprise": 0},
        "api": {"free_calls": 0, "sizes": "all"},
    }
    return JSONResponse({"data": {"attributes": attributes}}, headers={"Cache-Control": "no-store"})


def kind_of_answer(accept: str) -> Literal["picture", "bytes", "json"]:
    """The kind of response that a client accepts: the picture, the picture as application/octet-stream, or JSON.

    Some HTTP libraries send "application/json, */*" by default, and their programs then save the picture. So every
    client that accepts a file gets one.
    """
    kinds = {part.split(";")[0].strip() for part in accept.lower().split(",")}
    if any(kind in {"*/*", MEDIA_TYPES["zip"]} or kind.startswith("image/") for kind in kinds):
        return "picture"
    return "bytes" if OCTETS in kinds else "json" if JSON in kinds else "picture"


def answer(order: Order, result: Result, kind: Literal["picture", "bytes", "json"]) -> Response:
    """The response: the picture or the zip itself, or JSON with its base64."""
    headers = facts(order, result) | {"Cache-Control": "no-store", "Vary": "Accept"}
    if kind != "json":
        headers["X-Content-Type-Options"] = "nosniff"
        return Response(result.data, media_type=OCTETS if kind == "bytes" else MEDIA_TYPES[order.file], headers=headers)
    left, top, right, bottom = result.box
    found = {"foreground_left": left, "foreground_top": top}
    found |= {"foreground_width": right - left, "foreground_height": bottom - top}
    return JSONResponse({"data": {"result_b64": base64.b64encode(result.data).decode(), **found}}, headers=headers)


def facts(order: Order, result: Result) -> dict[str, str]:
    """The metadata of a result as headers. The X-Foreground values are in px of the photo."""
    box = result.box
    figures = {
        "X-Width": result.size.width,
        "X-Height": result.size.height,
        "X-Max-Width": result.photo_size.width,
        "X-Max-Height": result.photo_size.height,
        "X-Foreground-Top": box.top,
        "X-Foreground-Left": box.left,
        "X-Foreground-Width": box.size.width,
        "X-Foreground-Height": box.size.height,
        "X-Credits-Charged": CREDITS_CHARGED,
    }
    kind = {} if order.kind is None else {"X-Type": order.kind}
    return {name: str(value) for name, value in figures.items()} | kind


class FormError(BaseModel):
    """An error: the problem (`title`), advice (`detail`), and a code for programs."""

    title: str
    code: str
    detail: str = ""


class FormErrors(BaseModel):
    """The body of every failure."""

    errors: list[FormError]


def code_of(error: errors.PackshotError) -> str:
    """The error's code: from its row, or for an option invalid_FIELD with the form's name of the option."""
    if isinstance(error, errors.UrlFailed) and error.fields.get("field") == "bg_image_url":
        return "failed_bg_download"
    if not isinstance(error, errors.InvalidOption):
        return row_of(type(error), TABLE).code
    return str(error.fields.get("code", f"invalid_{error.fields.get('field', 'parameter')}"))


def _failure(error: errors.PackshotError, row: Row, request_id: str) -> dict[str, Any]:
    title, detail = error.message, error.hint
    if row.status == 500:  # internal failures: callers get only the request id
        title = f"{row.words}."
        detail = f"Please retry later. If the problem persists, send the operator this request id: {request_id}."
    return {"errors": [{"title": title, "code": code_of(error)} | ({"detail": detail} if detail else {})]}


# OpenAPI describes errors as */*, because the Accept header does not change them. Some client generators request only
# JSON if an operation has a JSON response, and would then get the picture in base64.
ERRORS = ErrorForm(TABLE, _failure, FormErrors, described_as="*/*", renamed=RENAMED)


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _described(name: str) -> dict[str, Any]:
    """A field for OpenAPI."""
    field = FIELDS[name]
    if field.kind == "binary":
        return BINARY | {"description": field.about}
    choices = {"enum": list(field.choices)} if field.choices else {}
    return {"type": "boolean" if field.kind == "boolean" else "string", **choices, "description": field.about}


def _body() -> Mapping[str, Any]:
    """The OpenAPI body, described as a multipart form only.

    Client generators use the first kind of body that they support, and the other kinds cannot contain files.
    """
    about = f"{URLENCODED} and {JSON} with the same fields also work; use image_file_b64 instead of files."
    schema = {"type": "object", "properties": {name: _described(name) for name in FIELDS}}
    return {"required": True, "description": about, "content": {MULTIPART: {"schema": schema}}}


_NUMBER, _TEXT = {"type": "number"}, {"type": "string"}
_PICTURE: dict[str, Any] = {
    "description": "The picture or the zip. If `Accept` contains only `application/json`, the response is JSON: "
    '`{"data": {"result_b64": ..., "foreground_left": ..., "foreground_top": ..., "foreground_width": ..., '
    '"foreground_height": ...}}`',
    "content": {kind: {"schema": BINARY} for kind in (*MEDIA_TYPES.values(), OCTETS)},
    "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in FACTS.items()},
}
_CREDITS = _object(total=_NUMBER, subscription=_NUMBER, payg=_NUMBER, enterprise=_NUMBER)
_ACCOUNT = _object(
    data=_object(attributes=_object(credits=_CREDITS, api=_object(free_calls={"type": "integer"}, sizes=_TEXT)))
)
DIALECT = Dialect(
    "remove.bg form",
    prefixes=("/v1.0",),
    key_headers=("x-api-key", BEARER),
    errors=ERRORS,
    endpoints=(
        Endpoint(
            "POST",
            PATHS[:1],
            remove_background,
            summary="Remove the background of a photo",
            operation_id="removebg",
            takes_queue=True,
            failures=(400, 402, 403, 405, 415, 429, 500, 503, 504),
            answers={200: _PICTURE},
            body=_body,
            sample="-F image_file=@photo.jpg",
        ),
        Endpoint(
            "GET",
            PATHS[1:],
            account,
            summary="The credits of a key",
            operation_id="removebgAccount",
            failures=(403, 405, 429, 500, 503),
            answers={200: {"content": {JSON: {"schema": _ACCOUNT}}}},
        ),
    ),
)
