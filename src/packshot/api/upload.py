"""Reading one uploaded file and a few fields from a multipart body: counted, timed, never spilled to disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from packshot.api.errors import BodyTooLarge, BodyTooSlow, MalformedRequest

# Boundaries, part headers and the few short fields beside the file.
OVERHEAD_BYTES = 64 * 1024
MAX_FIELDS = 16
MAX_FIELD_BYTES = 4 * 1024
FILE_PART = b"image"
HOW = "Send multipart/form-data with the picture as a file in the part `image`."


@dataclass(frozen=True)
class UploadLimits:
    """max_file_bytes: of the file itself; deadline_s: from the first to the last byte of the body."""

    max_file_bytes: int
    deadline_s: float

    @property
    def max_body_bytes(self) -> int:
        return self.max_file_bytes + OVERHEAD_BYTES


class _Parser(MultiPartParser):
    """Keeps files in memory, and takes the picture's part for a file whether or not the client gave it a file name."""

    # The body cap bounds memory, so nothing needs to roll over to a disk that a container may not have.
    spool_max_size = 1 << 31

    def on_headers_finished(self) -> None:
        # Without a file name (generated clients, curl's `image=<photo.jpg`) Starlette decodes the bytes as text.
        part = self._current_part
        _, options = parse_options_header(part.content_disposition)
        if options.get(b"name") == FILE_PART and b"filename" not in options:
            part.content_disposition = (part.content_disposition or b"") + b'; filename="photo"'
        super().on_headers_finished()


async def read_form(request: Request, limits: UploadLimits) -> FormData:
    """Read the multipart form of a request: at most one file and a few short fields.

    Raises
    ------
    MalformedRequest, BodyTooLarge, BodyTooSlow, ClientDisconnect
    """
    check_head(request, limits)
    parser = _Parser(
        request.headers,
        _counted(request, limits.max_body_bytes),
        max_files=1,
        max_fields=MAX_FIELDS,
        max_part_size=MAX_FIELD_BYTES,
    )
    try:
        async with asyncio.timeout(limits.deadline_s):
            return await parser.parse()
    except MultiPartException as error:
        raise MalformedRequest(f"The multipart body cannot be read: {error.message}", hint=HOW) from error
    except TimeoutError as error:
        raise BodyTooSlow(
            f"The body did not arrive within {limits.deadline_s:g} seconds.", hint="Check the connection and try again."
        ) from error


def check_head(request: Request, limits: UploadLimits) -> None:
    """Refuse by Content-Type and Content-Length, before a byte of the body is read."""
    content_type = request.headers.get("content-type", "")
    if content_type.split(";")[0].strip().lower() != "multipart/form-data":
        raise MalformedRequest(f"The Content-Type is {content_type[:100]!r}.", hint=HOW)
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > limits.max_body_bytes:
        raise _too_large(limits.max_body_bytes)


async def _counted(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
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
