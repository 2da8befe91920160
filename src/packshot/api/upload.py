"""Reading the bodies of requests, counted and timed, in memory: multipart and urlencoded forms, and JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl

from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from packshot.api.errors import BodyTooLarge, BodyTooSlow, MalformedRequest, MissingImage
from packshot.errors import EmptyFile, FileTooLarge

Form = list[tuple[str, str | bytes]]
"""The parts of a form in their order: a file is bytes. A file input that nobody filled in is the text ""."""

MULTIPART, URLENCODED, JSON = "multipart/form-data", "application/x-www-form-urlencoded", "application/json"
# Boundaries, part headers and the few short fields beside the files.
OVERHEAD_BYTES = 64 * 1024
MAX_FIELD_BYTES = 4 * 1024
# Of a JSON body: between the fields, and in what a field may hold. Base64 has none.
COMMAS_PER_FIELD = 16
HOW = "Send multipart/form-data with the picture as a file in the part `image`."


@dataclass(frozen=True)
class UploadLimits:
    """The parts that a body may hold.

    file_bytes: the parts that are files, and the most bytes of each. They are taken for files whether or not the
        client gave them a file name. max_fields: other parts. deadline_s: from the first to the last byte of the body.
    text_bytes: the most bytes of a body that is urlencoded or JSON. how: what to do, for a body that cannot be read.
    """

    file_bytes: Mapping[str, int]
    deadline_s: float
    max_fields: int = 16
    text_bytes: int = 0
    how: str = HOW

    @property
    def form_bytes(self) -> int:
        """The most bytes of a multipart body."""
        return sum(self.file_bytes.values()) + OVERHEAD_BYTES


async def read_form(request: Request, limits: UploadLimits) -> Form:
    """Read the multipart form of a request: the named files and some short fields.

    Raises
    ------
    MalformedRequest, BodyTooLarge, FileTooLarge, BodyTooSlow, ClientDisconnect
    """
    if _media_type(request) != MULTIPART:
        raise MalformedRequest(
            f"The Content-Type is {request.headers.get('content-type', '')[:100]!r}.", hint=limits.how
        )
    _check_length(request, limits.form_bytes)
    try:
        async with _in_time(limits.deadline_s):
            form = await _Parser(request, limits).parse()
    except MultiPartException as error:
        raise MalformedRequest(f"The multipart body cannot be read: {error.message}", hint=limits.how) from error
    except UnicodeError as error:  # Starlette knows of UnicodeDecodeError; some codecs, such as punycode, raise others
        raise MalformedRequest("The form is not in the charset that it names.", hint="Send it in UTF-8.") from error
    try:
        return [(name, await _value(name, part, limits)) for name, part in form.multi_items()]
    finally:
        await form.close()


async def read_fields(request: Request, limits: UploadLimits) -> dict[str, object]:
    """Read a body of any of the three kinds: texts, bytes of files, and any value of JSON. The first of a name counts.

    Raises
    ------
    MalformedRequest, BodyTooLarge, FileTooLarge, BodyTooSlow, ClientDisconnect
    """
    kind = _media_type(request)
    if kind == MULTIPART:
        return dict(reversed(await read_form(request, limits)))
    if kind not in {URLENCODED, JSON}:
        raise MalformedRequest(
            f"The Content-Type is {kind[:100]!r}.", hint=f"Send {MULTIPART}, {URLENCODED} or {JSON}."
        )
    _check_length(request, limits.text_bytes)
    async with _in_time(limits.deadline_s):
        body = b"".join([chunk async for chunk in _counted(request, limits.text_bytes)])
    return await asyncio.to_thread(_from_json if kind == JSON else _from_urlencoded, body, limits)


def file_in(form: Form, name: str) -> bytes:
    """The bytes of a file part that must be there.

    Raises
    ------
    MissingImage, EmptyFile
    """
    value = next((value for each, value in form if each == name), None)
    if value is not None and not value:
        raise EmptyFile(f"The part `{name}` is empty.", hint=HOW, field=name)
    if not isinstance(value, bytes):
        raise MissingImage(f"The request has no part `{name}`.", hint=HOW, field=name)
    return value


class _Parser(MultiPartParser):
    """Keeps files in memory, and knows them by their part's name."""

    # The body cap bounds memory, so nothing needs to roll over to a disk that a container may not have.
    spool_max_size = 1 << 31

    def __init__(self, request: Request, limits: UploadLimits) -> None:
        super().__init__(
            request.headers,
            _counted(request, limits.form_bytes),
            max_files=len(limits.file_bytes),
            max_fields=limits.max_fields,
            max_part_size=MAX_FIELD_BYTES,
        )
        self._files = {name.encode() for name in limits.file_bytes}

    def on_headers_finished(self) -> None:
        # Without a file name (generated clients, curl's `image=<photo.jpg`) Starlette decodes the bytes as text.
        part = self._current_part
        _, options = parse_options_header(part.content_disposition)
        if options.get(b"name") in self._files and b"filename" not in options:
            part.content_disposition = (part.content_disposition or b"") + b'; filename="photo"'
        super().on_headers_finished()


async def _value(name: str, part: UploadFile | str, limits: UploadLimits) -> str | bytes:
    if isinstance(part, str):
        return part
    size, most = part.size or 0, limits.file_bytes.get(name, limits.form_bytes)
    if size > most:
        raise FileTooLarge(
            f"The part `{name}` has {size:,} bytes; at most {most:,} are accepted.",
            hint="Save it as a JPEG, or scale it down.",
            field=name,
            bytes=size,
            max_bytes=most,
        )
    return await part.read() if part.filename or size else ""


def _from_json(body: bytes, limits: UploadLimits) -> dict[str, object]:
    if body.count(b",") > COMMAS_PER_FIELD * limits.max_fields:  # before it is read: 80 MB of `{},` become 2 GB
        raise MalformedRequest("The body is JSON of too many values.", hint=limits.how)
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest("The body is not JSON.", hint=limits.how) from error
    if not isinstance(found, dict):
        raise MalformedRequest("The body is JSON, but no object.", hint=limits.how)
    return found


def _from_urlencoded(body: bytes, limits: UploadLimits) -> dict[str, object]:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=limits.max_fields)
    except ValueError as error:
        raise MalformedRequest("The form cannot be read.", hint=limits.how) from error
    return dict(reversed(pairs))


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def _check_length(request: Request, max_bytes: int) -> None:
    """Refuse a body that says of itself that it is too large, before a byte of it is read. Raises BodyTooLarge."""
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > max_bytes:
        raise _too_large(max_bytes)


@asynccontextmanager
async def _in_time(deadline_s: float) -> AsyncIterator[None]:
    """A deadline for a body that is read inside. Raises BodyTooSlow."""
    try:
        async with asyncio.timeout(deadline_s):
            yield
    except TimeoutError as error:
        raise BodyTooSlow(
            f"The body did not arrive within {deadline_s:g} seconds.", hint="Check the connection and try again."
        ) from error


async def _counted(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    """The body as it comes; raises BodyTooLarge at the first byte too many."""
    # Content-Length can be absent (chunked): what counts is what came.
    seen = 0
    async for chunk in request.stream():
        seen += len(chunk)
        if seen > max_bytes:
            raise _too_large(max_bytes)
        yield chunk


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"The request is over {max_bytes:,} bytes, more than any accepted file needs.",
        hint="Save the picture as a JPEG of quality 90, or make it smaller.",
        max_bytes=max_bytes,
    )
