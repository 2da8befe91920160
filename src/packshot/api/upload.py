"""Reading uploaded files and a few fields from a multipart body: counted, timed, never spilled to disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from packshot.api.errors import BodyTooLarge, BodyTooSlow, MalformedRequest, MissingImage
from packshot.errors import EmptyFile, FileTooLarge

# Boundaries, part headers and the few short fields beside the files.
OVERHEAD_BYTES = 64 * 1024
MAX_FIELD_BYTES = 4 * 1024
HOW = "Send multipart/form-data with the picture as a file in the part `image`."


@dataclass(frozen=True)
class UploadLimits:
    """What a form may hold.

    file_bytes: the parts that are files, and the most bytes of each. They are taken for files whether or not the
        client gave them a file name. max_fields: other parts. deadline_s: from the first to the last byte of the body.
    """

    file_bytes: Mapping[str, int]
    deadline_s: float
    max_fields: int = 16

    @property
    def max_body_bytes(self) -> int:
        return sum(self.file_bytes.values()) + OVERHEAD_BYTES


class _Parser(MultiPartParser):
    """Keeps files in memory, and knows them by their part's name."""

    # The body cap bounds memory, so nothing needs to roll over to a disk that a container may not have.
    spool_max_size = 1 << 31

    def __init__(self, request: Request, limits: UploadLimits) -> None:
        super().__init__(
            request.headers,
            counted(request, limits.max_body_bytes),
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


async def read_form(request: Request, limits: UploadLimits) -> FormData:
    """Read the multipart form of a request: the named files and some short fields.

    Raises
    ------
    MalformedRequest, BodyTooLarge, FileTooLarge, BodyTooSlow, ClientDisconnect
    """
    check_head(request, limits)
    try:
        async with in_time(limits.deadline_s):
            form = await _Parser(request, limits).parse()
    except MultiPartException as error:
        raise MalformedRequest(f"The multipart body cannot be read: {error.message}", hint=HOW) from error
    except UnicodeError as error:  # Starlette knows of UnicodeDecodeError; some codecs, such as punycode, raise others
        raise MalformedRequest("The form is not in the charset that it names.", hint="Send it in UTF-8.") from error
    for name, part in form.multi_items():
        if isinstance(part, UploadFile) and (part.size or 0) > limits.file_bytes.get(name, limits.max_body_bytes):
            await form.close()
            raise _file_too_large(name, part.size or 0, limits.file_bytes[name])
    return form


async def read_file(form: FormData, name: str, hint: str = HOW) -> bytes:
    """The bytes of a file part that must be there.

    Raises
    ------
    MissingImage, EmptyFile
    """
    part = form.get(name)
    if not isinstance(part, UploadFile):
        raise MissingImage(f"The request has no part `{name}`.", hint=hint, field=name)
    data = await part.read()
    if not data:
        raise EmptyFile(f"The part `{name}` is empty.", hint=hint, field=name)
    return data


def check_head(request: Request, limits: UploadLimits) -> None:
    """Refuse by Content-Type and Content-Length, before a byte of the body is read."""
    content_type = request.headers.get("content-type", "")
    if content_type.split(";")[0].strip().lower() != "multipart/form-data":
        raise MalformedRequest(f"The Content-Type is {content_type[:100]!r}.", hint=HOW)
    check_length(request, limits.max_body_bytes)


def check_length(request: Request, max_bytes: int) -> None:
    """Refuse a body that says of itself that it is too large. Raises BodyTooLarge."""
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > max_bytes:
        raise _too_large(max_bytes)


@asynccontextmanager
async def in_time(deadline_s: float) -> AsyncIterator[None]:
    """A deadline for a body that is read inside. Raises BodyTooSlow."""
    try:
        async with asyncio.timeout(deadline_s):
            yield
    except TimeoutError as error:
        raise BodyTooSlow(
            f"The body did not arrive within {deadline_s:g} seconds.", hint="Check the connection and try again."
        ) from error


async def counted(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
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


def _file_too_large(name: str, bytes_: int, max_bytes: int) -> FileTooLarge:
    return FileTooLarge(
        f"The part `{name}` has {bytes_:,} bytes; at most {max_bytes:,} are accepted.",
        hint="Save it as a JPEG, or scale it down.",
        field=name,
        bytes=bytes_,
        max_bytes=max_bytes,
    )
