"""Errors as problem details (RFC 9457): one table of statuses and titles, looked up along the error's MRO."""

from __future__ import annotations

from math import isfinite
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from packshot import errors
from packshot.api.answers import INTERNAL_MESSAGE, failure_headers, request_id_of
from packshot.api.errors import BodyTooLarge, BodyTooSlow, NotAcceptable, UnknownPath, WrongMethod

MEDIA_TYPE = "application/problem+json"


class Kind(NamedTuple):
    """A row of the table. The title is the same for every problem of its kind; the error itself fills the detail."""

    status: int
    title: str


TABLE: dict[type[errors.PackshotError], Kind] = {
    errors.InputError: Kind(400, "The request cannot be used"),
    errors.EmptyFile: Kind(400, "The file is empty"),
    errors.UnreadableImage: Kind(400, "The file cannot be decoded"),
    errors.AccessError: Kind(403, "Access is denied"),
    errors.MissingKey: Kind(401, "No API key"),
    errors.UnknownKey: Kind(401, "Unknown API key"),
    errors.OutOfCredits: Kind(402, "The credits are used up"),
    errors.LockedKey: Kind(403, "The API key is locked"),
    errors.BadSignature: Kind(403, "The link is not genuine"),
    UnknownPath: Kind(404, "Nothing is there"),
    errors.ResultUnknown: Kind(404, "There is no such result"),
    WrongMethod: Kind(405, "The method is not allowed"),
    NotAcceptable: Kind(406, "None of the accepted media types can be answered"),
    errors.ConflictError: Kind(409, "The request conflicts with another"),
    errors.ResultExpired: Kind(410, "The result is past its life"),
    errors.FileTooLarge: Kind(413, "The file has too many bytes"),
    BodyTooLarge: Kind(413, "The request has too many bytes"),
    errors.UnsupportedFormat: Kind(415, "The file is of a kind that is not read here"),
    errors.ImageTooLarge: Kind(422, "The picture has too many pixels"),
    errors.ImageTooSmall: Kind(422, "The picture has too few pixels"),
    errors.InvalidOption: Kind(422, "An option cannot be used"),
    errors.NoForeground: Kind(422, "Nothing stands out in the picture"),
    errors.RateLimited: Kind(429, "Too many requests"),
    errors.PackshotError: Kind(500, "The service failed"),
    errors.SetupError: Kind(500, "The service failed"),
    errors.StorageError: Kind(502, "The place that keeps results failed"),
    errors.CapacityError: Kind(503, "The service is busy"),
    errors.DatabaseUnavailable: Kind(503, "The accounts cannot be reached"),
    errors.DeadlineExceeded: Kind(504, "The work was not done in time"),
    BodyTooSlow: Kind(504, "The request did not arrive in time"),
}


def kind_of(error: type[errors.PackshotError]) -> Kind:
    """The row of the nearest class in an error's MRO."""
    return next(TABLE[kind] for kind in error.__mro__ if kind in TABLE)


def failure(request: Request, error: errors.PackshotError) -> Response:
    """The answer to an error under /v1."""
    kind = kind_of(type(error))
    headers = failure_headers(error)
    if kind.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(_members(request, error, kind), kind.status, headers, media_type=MEDIA_TYPE)


def _members(request: Request, error: errors.PackshotError, kind: Kind) -> dict[str, Any]:
    ours = kind.status == 500  # of a fault that is ours the caller learns nothing
    slug = errors.PackshotError.slug if ours else error.slug
    own = {
        "type": f"/docs#error-{slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": INTERNAL_MESSAGE if ours else _plain(error.message),
        "slug": slug,
        "hint": "" if ours else _plain(error.hint),
        "request_id": request_id_of(request),
    }
    more = {} if ours else {name: _plain(value) for name, value in error.fields.items() if name not in own}
    return own | more


def _plain(value: object) -> object:
    """A figure of an error as JSON can hold it; what came from outside may be any text or number."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, tuple | list | set | frozenset):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
        return value
    return str(value)
