"""Shared code of the forms in this folder: reading a photo with short texts, statuses, the text of an error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starlette.responses import Response

from packshot import errors
from packshot.api.dialect import Call
from packshot.api.errors import BodyTooLarge, Row
from packshot.api.upload import UploadLimits, file_in, read_form
from packshot.core.options import listed
from packshot.errors import InvalidOption, PackshotError

BAD_REQUEST = dict.fromkeys(
    (
        errors.FileTooLarge,
        BodyTooLarge,
        errors.UnsupportedFormat,
        errors.ImageTooLarge,
        errors.ImageTooSmall,
        errors.InvalidOption,
        errors.NoForeground,
    ),
    400,
)
"""Statuses for a service that answers 400 to all problems with a photo or a field."""
FAILURES = (400, 401, 402, 403, 404, 405, 413, 415, 422, 429, 500, 503, 504)
_YES = frozenset({"true", "1", "yes", "on", "t", "y"})
_NO = frozenset({"false", "0", "no", "off", "f", "n"})


async def read_photo(call: Call, part: str, max_bytes: int) -> tuple[bytes, dict[str, str]]:
    """Read a multipart form: the file in `part`, and the texts by name.

    Ignores empty texts; of repeated names the first counts. Texts may have a file name.

    Raises: MissingImage, EmptyFile, and all errors of read_form.
    """
    how = f"Send multipart/form-data with the photo as a file in the part `{part}`."
    limits = UploadLimits({part: max_bytes}, call.service.settings.body_deadline_s, how=how)
    form = await read_form(call.request, limits)
    photo = file_in(form, part, how)
    texts = {
        name: value.decode(errors="replace") if isinstance(value, bytes) else value
        for name, value in reversed(form)
        if name != part
    }
    return photo, said(texts.items())


def said(texts: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The non-empty texts, without surrounding spaces."""
    return {name: text for name, value in texts if (text := value.strip())}


def refused(field: str, text: str, allowed: str) -> InvalidOption:
    """The error for a field's value. allowed: completes "Give ..."."""
    return InvalidOption(f"{field} is {text[:60]!r}.", hint=f"Give {allowed}.", field=field, allowed=allowed)


def choice(texts: Mapping[str, str], field: str, allowed: Iterable[str], default: str) -> str:
    """Parse one of the allowed words, in any case. Returns it in lower case."""
    word = texts.get(field, default).lower()
    if word not in allowed:
        raise refused(field, texts[field], listed(allowed))
    return word


def switch(texts: Mapping[str, str], field: str) -> bool:
    """Parse a boolean in any of its usual spellings; false by default."""
    word = texts.get(field, "false").lower()
    if word not in _YES | _NO:
        raise refused(field, texts[field], "true or false")
    return word in _YES


def in_words(error: PackshotError, row: Row, request_id: str) -> str:
    """An error as one text: the problem and advice. For internal failures, only the request id."""
    if row.status == 500:
        return f"{row.words}. Please retry later. If it persists, send the operator this request id: {request_id}."
    return str(error)


def file_answer(data: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """The response with the picture itself."""
    fixed = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(data, media_type=media_type, headers=fixed | dict(headers or {}))
