"""Errors that only a request over HTTP can have, how a dialect answers errors, and the neutral way: RFC 9457."""

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
    """The body is not the multipart form that the contract asks for."""

    slug = "malformed-request"


class MissingParameter(errors.InputError):
    """The request lacks something that it must have."""

    slug = "missing-parameter"


class MissingImage(MissingParameter):
    """The form has no `image` part."""

    slug = "missing-image"


class BodyTooLarge(errors.InputError):
    """The body as a whole is over what any acceptable file needs."""

    slug = "body-too-large"


class HeadTooLarge(errors.InputError):
    """The lines before the body are over what any client needs."""

    slug = "head-too-large"


class UnsupportedEncoding(errors.InputError):
    """The body is compressed, or coded in another way: its Content-Encoding is not read here."""

    slug = "unsupported-encoding"


class BodyTooSlow(errors.CapacityError):
    """The body did not arrive in time."""

    slug = "body-too-slow"


class UploadsFull(errors.QueueFull):
    """The bodies that are held already leave no room for another."""

    slug = "uploads-full"


class UnknownPath(errors.InputError):
    """No such URL."""

    slug = "unknown-path"


class WrongMethod(errors.InputError):
    """The URL exists, but not for this method."""

    slug = "wrong-method"


class NotAcceptable(errors.InputError):
    """The answer has none of the media types that the client takes."""

    slug = "not-acceptable"


class ForeignPage(errors.AccessError):
    """A request without a key that a page of another origin may have sent, or one under a name that is not ours."""

    slug = "foreign-page"


class Row(NamedTuple):
    """A row of a table of errors: the HTTP status, words that all errors of its kind share, and the dialect's code."""

    status: int
    words: str
    code: str = ""


Table = Mapping[type[errors.PackshotError], Row]


class Renamed(NamedTuple):
    """A dialect's own name for an option. takes: completes "Give ..."; without it the error's own hint stays."""

    name: str
    takes: str = ""


def row_of(error: type[errors.PackshotError], table: Table) -> Row:
    """The row of the nearest class in an error's MRO."""
    return next(table[kind] for kind in error.__mro__ if kind in table)


def restated(statuses: Mapping[type[errors.PackshotError], int]) -> Table:
    """The neutral table with other statuses, for a dialect that has no words of its own."""
    neutral = PROBLEM_DETAILS.table
    return {**neutral, **{kind: row_of(kind, neutral)._replace(status=each) for kind, each in statuses.items()}}


@dataclass(frozen=True)
class ErrorForm:
    """How a dialect answers errors.

    body: the JSON of an error, from its row and the request's id. model: the same for OpenAPI, under the media type
    described_as, where that is not media_type. challenge: the WWW-Authenticate of a 401.
    renamed: the options that the dialect calls otherwise; errors about them come in its words.
    """

    table: Table
    body: Callable[[errors.PackshotError, Row, str], dict[str, Any]]
    model: type[BaseModel]
    media_type: str = "application/json"
    described_as: str = ""
    challenge: str = ""
    renamed: Mapping[str, Renamed] = field(default_factory=dict)

    def answer(self, request: Request, error: errors.PackshotError) -> Response:
        """The answer to an error. No cache keeps it, and it says when to come again where that is known."""
        row, told = self.told(error)
        headers = {"Cache-Control": "no-store"}
        retry_after_s = getattr(error, "retry_after_s", None)
        if retry_after_s is not None:
            headers["Retry-After"] = str(retry_after_s)
        if isinstance(error, UnsupportedEncoding):
            headers["Accept-Encoding"] = "identity"  # what would do (RFC 9110, 15.5.16)
        if row.status == 401 and self.challenge:
            headers["WWW-Authenticate"] = self.challenge
        return JSONResponse(self.body(told, row, request_id_of(request)), row.status, headers, self.media_type)

    def told(self, error: errors.PackshotError) -> tuple[Row, errors.PackshotError]:
        """The row of an error, and as much of it as a caller may know: of a fault that is ours, nothing."""
        row = row_of(type(error), self.table)
        if row.status == 500:
            error = errors.PackshotError(
                "Please send the request again later; if it goes on, tell the operator this request_id."
            )
        return row, self._in_own_words(error)

    def _in_own_words(self, error: errors.PackshotError) -> errors.PackshotError:
        """An option's error as the dialect's field has it.

        Where the hint stays, so does the message, which begins with the option's name. Other messages may give a reason
        in the names and values of further options.
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
        """What OpenAPI says of failures of these statuses."""
        words: dict[int, dict[str, None]] = {}
        for row in self.table.values():
            words.setdefault(row.status, {})[row.words.rstrip(".")] = None
        found: dict[int | str, dict[str, Any]] = {
            status: {"model": self.model, "description": "; ".join(words[status])} for status in sorted(statuses)
        }
        for status in {429, 503} & found.keys():
            found[status]["description"] += " (Retry-After says when to come again, where that is known)"
        return found


class Problem(BaseModel):
    """Problem details (RFC 9457). Some have more members, such as `field` and `allowed` for an option."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Where this kind of problem is explained.", examples=["/docs#error-invalid-option"])
    title: str = Field(description="The same for every problem of its status and kind.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened to this request.")
    slug: str = Field(description="The kind of problem, for programs: it stays the same.", examples=["invalid-option"])
    hint: str = Field(description="What to do about it.")
    request_id: str = Field(description="Names this request in the operator's logs.")


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
    """A figure of an error as JSON can hold it; what came from outside may be any text or number."""
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
        errors.UrlFailed: Row(400, "The URL gives no picture"),
        errors.AccessError: Row(403, "Access is denied"),
        errors.MissingKey: Row(401, "No API key"),
        errors.UnknownKey: Row(401, "Unknown API key"),
        errors.OutOfCredits: Row(402, "The credits are used up"),
        errors.LockedKey: Row(403, "The API key is locked"),
        errors.BadSignature: Row(403, "The link is not genuine"),
        UnknownPath: Row(404, "Nothing is there"),
        errors.ResultUnknown: Row(404, "There is no such result"),
        errors.PhotoUnknown: Row(404, "The photo is not kept here"),
        WrongMethod: Row(405, "The method is not allowed"),
        NotAcceptable: Row(406, "None of the accepted media types can be answered"),
        errors.ConflictError: Row(409, "The request conflicts with another"),
        errors.ResultExpired: Row(410, "The result is past its life"),
        errors.FileTooLarge: Row(413, "The file has too many bytes"),
        BodyTooLarge: Row(413, "The request has too many bytes"),
        errors.UnsupportedFormat: Row(415, "The file is of a kind that is not read here"),
        UnsupportedEncoding: Row(415, "The Content-Encoding is not read here"),
        errors.ImageTooLarge: Row(422, "The picture has too many pixels"),
        errors.ImageTooSmall: Row(422, "The picture has too few pixels"),
        errors.InvalidOption: Row(422, "An option cannot be used"),
        errors.NoForeground: Row(422, "Nothing stands out in the picture"),
        errors.RateLimited: Row(429, "Too many requests"),
        HeadTooLarge: Row(431, "The head of the request is too large"),
        errors.PackshotError: Row(500, "The service failed"),
        errors.SetupError: Row(500, "The service failed"),
        errors.StorageError: Row(502, "The place that keeps results failed"),
        errors.CapacityError: Row(503, "The service is busy"),
        errors.DatabaseUnavailable: Row(503, "The accounts cannot be reached"),
        errors.DeadlineExceeded: Row(504, "The work was not done in time"),
        BodyTooSlow: Row(504, "The request did not arrive in time"),
    },
    body=_problem,
    model=Problem,
    media_type="application/problem+json",
    challenge="Bearer",
)
"""The neutral form: of the native API, and of every path that is in no vendor's dialect."""
