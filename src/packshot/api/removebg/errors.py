"""The form's error body and its table: each error's HTTP status and code, looked up along the error's MRO."""

from __future__ import annotations

from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from packshot import errors
from packshot.api.answers import INTERNAL_MESSAGE, failure_headers
from packshot.api.errors import BodyTooLarge, BodyTooSlow, MalformedRequest, MissingImage, UnknownPath, WrongMethod
from packshot.api.removebg.browsers import ANY_ORIGIN


class Row(NamedTuple):
    """A row of the table. The codes that the form documents are kept to; where it has none, one in its manner."""

    status: int
    code: str


TABLE: dict[type[errors.PackshotError], Row] = {
    MissingImage: Row(400, "missing_source"),
    MalformedRequest: Row(400, "invalid_request"),
    errors.EmptyFile: Row(400, "missing_source"),
    errors.UnreadableImage: Row(400, "failed_to_read_image"),
    errors.UnsupportedFormat: Row(400, "invalid_file_type"),
    errors.FileTooLarge: Row(400, "file_too_large"),
    BodyTooLarge: Row(400, "file_too_large"),
    errors.ImageTooLarge: Row(400, "resolution_too_high"),
    errors.ImageTooSmall: Row(400, "invalid_dimensions"),
    errors.InvalidOption: Row(400, "invalid_parameter"),
    errors.InputError: Row(400, "invalid_request"),
    errors.NoForeground: Row(400, "unknown_foreground"),
    errors.OutOfCredits: Row(402, "insufficient_credits"),
    errors.AccessError: Row(403, "auth_failed"),
    errors.BadSignature: Row(403, "auth_failed"),
    UnknownPath: Row(404, "not_found"),
    errors.ResultUnknown: Row(404, "not_found"),
    WrongMethod: Row(405, "method_not_allowed"),
    errors.ConflictError: Row(409, "conflict"),
    errors.ResultExpired: Row(410, "gone"),
    errors.RateLimited: Row(429, "rate_limit_exceeded"),
    errors.PackshotError: Row(500, "internal_error"),
    errors.SetupError: Row(500, "internal_error"),
    errors.StorageError: Row(502, "storage_failed"),
    errors.CapacityError: Row(503, "service_busy"),
    errors.DeadlineExceeded: Row(504, "timeout"),
    BodyTooSlow: Row(504, "timeout"),
}
# The names under which the line knows what the form calls otherwise.
_FIELDS = {
    "background": "bg_color",
    "background_picture": "bg_image_file",
    "margin": "crop_margin",
    "fill": "scale",
    "shadow": "shadow_type",
    "max_px": "size",
}


def row_of(error: errors.PackshotError) -> Row:
    """The row of the nearest class in the error's MRO; an option's error has the form's name of the option in it."""
    row = next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)
    if not isinstance(error, errors.InvalidOption):
        return row
    field = str(error.fields.get("field", "parameter"))
    return Row(row.status, str(error.fields.get("code", f"invalid_{_FIELDS.get(field, field)}")))


def failure(request: Request, error: errors.PackshotError) -> Response:
    """The answer to an error under /v1.0."""
    row = row_of(error)
    ours = row.status == 500  # of a fault that is ours the caller learns nothing
    body = {"title": "The service failed." if ours else error.message, "code": row.code}
    detail = INTERNAL_MESSAGE if ours else error.hint
    content = {"errors": [body | ({"detail": detail} if detail else {})]}
    return JSONResponse(content, row.status, headers=failure_headers(error) | ANY_ORIGIN)
