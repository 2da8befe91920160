"""Errors of HTTP requests, the form in which a dialect answers errors, and the neutral form: RFC 9457."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from packshot import errors
from packshot.api.http import request_id_of


class MalformedRequest(errors.InputError):
    """The request or its body does not have the required form."""

    slug = "malformed-request"


class MissingParameter(errors.InputError):
    """The request lacks a required parameter."""

    slug = "missing-parameter"


class MissingImage(MissingParameter):
    """The form has no `image` part."""

    slug = "missing-image"


class BodyTooLarge(errors.InputError):
    """The whole body is far larger than any accepted file."""

    slug = "body-too-large"


class HeadTooLarge(errors.InputError):
    """The request head has more lines or bytes than any client needs."""

    slug = "head-too-large"


class UnsupportedEncoding(errors.InputError):
    """The body has an unsupported Content-Encoding, such as gzip."""

    slug = "unsupported-encoding"


class BodyTooSlow(errors.CapacityError):
    """The body did not arrive in time."""

    slug = "body-too-slow"


class UploadsFull(errors.QueueFull):
    """The request bodies in memory leave no room for another one."""

    slug = "uploads-full"


class UnknownPath(errors.InputError):
    """The URL does not exist."""

    slug = "unknown-path"


class WrongMethod(errors.InputError):
    """The URL exists, but not for this method."""

    slug = "wrong-method"


class NotAcceptable(errors.InputError):
    """The service cannot answer in a media type that the client accepts."""

    slug = "not-acceptable"


class ForeignPage(errors.AccessError):
    """A request without a key that a page of another origin may have sent, or whose Host is not the service's."""

    slug = "foreign-page"


class Row(NamedTuple):
    """A row of an error table: the HTTP status, the title of this kind of error, and the dialect's code."""

    status: int
    words: str
    code: str = ""


Table = Mapping[type[errors.PackshotError], Row]


class Renamed(NamedTuple):
    """A dialect's own name for an option. takes: completes "Give ..."; if empty, the error keeps its own hint."""

    name: str
    takes: str = ""


def row_of(error: type[errors.PackshotError], table: Table) -> Row:
    """The row of the nearest class in an error's MRO."""
    return next(table[kind] for kind in error.__mro__ if kind in table)


def restated(statuses: Mapping[type[errors.PackshotError], int]) -> Table:
    """The neutral table with other statuses, for a dialect without its own titles."""
    neutral = PROBLEM_DETAILS.table
    return {**neutral, **{kind: row_of(kind, neutral)._replace(status=each) for kind, each in statuses.items()}}


@dataclass(frozen=True)
class ErrorForm:
    """The form of a dialect's error responses.

    body: builds the JSON from an error, its row and the request's id.
    model: the model of this JSON for OpenAPI.
    media_type: of the response. described_as: the media type in OpenAPI if it differs.
    challenge: the WWW-Authenticate header of a 401.
    renamed: options that the dialect names differently; errors use the dialect's names.
    """

    table: Table
    body: Callable[[errors.PackshotError, Row, str], dict[str, Any]]
    model: type[BaseModel]
    media_type: str = "application/json"
    described_as: str = ""
    challenge: str = ""
    renamed: Mapping[str, Renamed] = field(default_factory=dict)

    def answer(self, request: Request, error: errors.PackshotError) -> Response:
        """The response to an error. It is not cacheable, and has a Retry-After if the error knows one."""
        row, told = self.told(error)
        headers = {"Cache-Control": "no-store"}
        retry_after_s = getattr(error, "retry_after_s", None)
        if retry_after_s is not None:
            headers["Retry-After"] = str(retry_after_s)
        if isinstance(error, UnsupportedEncoding):
            headers["Accept-Encoding"] = "identity"  # RFC 9110, 15.5.16
        if row.status == 401 and self.challenge:
            headers["WWW-Authenticate"] = self.challenge
        return JSONResponse(self.body(told, row, request_id_of(request)), row.status, headers, self.media_type)

    def told(self, error: errors.PackshotError) -> tuple[Row, errors.PackshotError]:
        """The row of an error, and the error as a caller may see it: no details of internal failures (status 500)."""
        row = row_of(type(error), self.table)
        if row.status == 500:
            error = errors.PackshotError(
                "Please retry later. If the problem persists, send this request_id to the operator."
            )
        return row, self._in_own_words(error)

    def _in_own_words(self, error: errors.PackshotError) -> errors.PackshotError:
        """An option's error with the dialect's name for the option.

        Without `takes`, the message stays, and only the option's name at its start changes. Otherwise the message and
        the hint are replaced, because the original may mention other options by their own names.
        """
        option = str(error.fields.get("field", ""))
        if not isinstance(error, errors.InvalidOption) or option not in self.renamed:
            return error
        name, takes = self.renamed[option]
        if not takes:
            message = name + error.message.removeprefix(option)
            return errors.InvalidOption(message, hint=error.hint, **{**error.fields, "field": name})
        return errors.InvalidOption(f"{name} cannot be used.", hint=f"Give {takes}.", field=name, allowed=takes)

    def responses(self, statuses: Iterable[int]) -> dict[int | str, dict[str, Any]]:
        """The OpenAPI responses for failures with these statuses."""
        words: dict[int, dict[str, None]] = {}
        for row in self.table.values():
            words.setdefault(row.status, {})[row.words.rstrip(".")] = None
        found: dict[int | str, dict[str, Any]] = {
            status: {"model": self.model, "description": "; ".join(words[status])} for status in sorted(statuses)
        }
        for status in {429, 503} & found.keys():
            found[status]["description"] += " (if known, Retry-After says when to retry)"
        return found


class Problem(BaseModel):
    """Problem details (RFC 9457). Some have further members, such as `field` and `allowed` for an option."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Link to the explanation of this kind.", examples=["/docs#error-invalid-option"])
    title: str = Field(description="Title of this kind of problem; the same in every response.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="Explanation of this occurrence.")
    slug: str = Field(description="Stable code of this kind of problem, for programs.", examples=["invalid-option"])
    hint: str = Field(description="Advice on how to fix it.")
    request_id: str = Field(description="Identifies this request in the operator's logs.")


def _problem(error: errors.PackshotError, row: Row, request_id: str) -> dict[str, Any]:
    own = {
        "type": f"/docs#error-{error.slug}",
        "title": row.words,
        "status": row.status,
        "detail": _plain(error.message),
        "slug": error.slug,
        "hint": _plain(error.hint),
        "request_id": request_id,
    }
    return own | {name: _plain(value) for name, value in error.fields.items() if name not in own}


def _plain(value: object) -> object:
    """An error's field as a valid JSON value. Values from outside may be invalid Unicode, NaN or infinite."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, tuple | list | set | frozenset):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
        return value
    return str(value)


PROBLEM_DETAILS = ErrorForm(
    table={
        errors.InputError: Row(400, "The request cannot be used"),
        errors.EmptyFile: Row(400, "The file is empty"),
        errors.UnreadableImage: Row(400, "The file cannot be decoded"),
        errors.UrlFailed: Row(400, "The URL does not lead to a picture"),
        errors.AccessError: Row(403, "Access is denied"),
        errors.MissingKey: Row(401, "No API key"),
        errors.UnknownKey: Row(401, "Unknown API key"),
        errors.OutOfCredits: Row(402, "The credits are used up"),
        errors.LockedKey: Row(403, "The API key is locked"),
        errors.BadSignature: Row(403, "The link's signature is not valid"),
        UnknownPath: Row(404, "This path does not exist"),
        errors.ResultUnknown: Row(404, "The result does not exist"),
        errors.PhotoUnknown: Row(404, "The photo is not available"),
        WrongMethod: Row(405, "The method is not allowed"),
        NotAcceptable: Row(406, "The accepted media types are not available"),
        errors.ConflictError: Row(409, "The request conflicts with another"),
        errors.ResultExpired: Row(410, "The result has expired"),
        errors.FileTooLarge: Row(413, "The file is too large"),
        BodyTooLarge: Row(413, "The request is too large"),
        errors.UnsupportedFormat: Row(415, "The file format is not supported"),
        UnsupportedEncoding: Row(415, "The Content-Encoding is not supported"),
        errors.ImageTooLarge: Row(422, "The picture has too many pixels"),
        errors.ImageTooSmall: Row(422, "The picture has too few pixels"),
        errors.InvalidOption: Row(422, "An option is not valid"),
        errors.NoForeground: Row(422, "No product was found in the picture"),
        errors.RateLimited: Row(429, "Too many requests"),
        HeadTooLarge: Row(431, "The head of the request is too large"),
        errors.PackshotError: Row(500, "The service failed"),
        errors.SetupError: Row(500, "The service failed"),
        errors.StorageError: Row(502, "The result store failed"),
        errors.CapacityError: Row(503, "The service is busy"),
        errors.DatabaseUnavailable: Row(503, "The accounts cannot be reached"),
        errors.DeadlineExceeded: Row(504, "The work was not finished in time"),
        BodyTooSlow: Row(504, "The request did not arrive in time"),
    },
    body=_problem,
    model=Problem,
    media_type="application/problem+json",
    challenge="Bearer",
)
"""The neutral form, used by the native API and by all paths outside the vendors' dialects."""
