"""Reads request bodies into memory, with limits on bytes and time: multipart and urlencoded forms, and JSON."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from packshot.api.errors import BodyTooLarge, BodyTooSlow, MalformedRequest, MissingImage, UnsupportedEncoding
from packshot.errors import EmptyFile, FileTooLarge

Form = list[tuple[str, str | bytes]]
"""(name, value) of each part, in order. A file is an UploadedFile. An empty file input of a page is the text ""."""


class UploadedFile(bytes):
    """The bytes of a file. filename: the name that the client sent, or ""."""

    filename: str = ""


MULTIPART, URLENCODED, JSON = "multipart/form-data", "application/x-www-form-urlencoded", "application/json"
# Room for boundaries, part headers and the short fields next to the files.
OVERHEAD_BYTES = 64 * 1024
BEYOND = 4
"""A body over BEYOND times the limit is rejected as BodyTooLarge. Between one and BEYOND times it is FileTooLarge."""
MAX_FIELD_BYTES = 4 * 1024
MAX_PART_HEAD_BYTES = 8 * 1024
MAX_BOUNDARY_BYTES = 256  # RFC 2046 allows 70
_BLANK_LINE = b"\r\n\r\n"
# Limit for a JSON body: commas between fields and inside values. Base64 contains no comma.
COMMAS_PER_FIELD = 16
HOW = "Send multipart/form-data with the picture as a file in the part `image`."


@dataclass(frozen=True)
class UploadLimits:
    """The limits of a request body.

    file_bytes: names of the file parts, each with its maximum in bytes. They count as files with or without a file
        name.
    deadline_s: maximum time from the first to the last byte of the body.
    max_fields: maximum number of other parts, including files that are empty or as short as a field.
    text_bytes: maximum bytes of an urlencoded or JSON body.
    how: the hint for a body that cannot be read.
    max_files: maximum number of files; 0 means one per name.
    max_bytes: maximum bytes of a multipart body; 0 means enough for one file per name.
    """

    file_bytes: Mapping[str, int]
    deadline_s: float
    max_fields: int = 16
    text_bytes: int = 0
    how: str = HOW
    max_files: int = 0
    max_bytes: int = 0

    @property
    def files(self) -> int:
        """The maximum number of files in a form."""
        return self.max_files or len(self.file_bytes)

    @property
    def form_bytes(self) -> int:
        """The maximum bytes of a multipart body."""
        return self.max_bytes or sum(self.file_bytes.values()) + OVERHEAD_BYTES


async def read_form(request: Request, limits: UploadLimits) -> Form:
    """Read the multipart form of a request: the named files and short fields.

    Raises
    ------
    MalformedRequest, UnsupportedEncoding, BodyTooLarge, FileTooLarge, BodyTooSlow, ClientDisconnect
    """
    kind = request.headers.get("content-type", "")
    if media_type_of(request) != MULTIPART:
        raise MalformedRequest(f"The Content-Type is {kind[:100]!r}.", hint=limits.how)
    _, parameters = parse_options_header(kind)
    boundary = parameters.get(b"boundary", b"")
    if not 1 <= len(boundary) <= MAX_BOUNDARY_BYTES:
        raise MalformedRequest("The Content-Type names no usable boundary.", hint=limits.how)
    body = await _read_body(request, limits.form_bytes, limits)
    charset = parameters.get(b"charset", b"utf-8").decode("latin-1")
    return await asyncio.to_thread(_parts, body, boundary, charset, limits)


async def read_fields(request: Request, limits: UploadLimits) -> dict[str, object]:
    """Read a body of any of the three kinds. Values are texts, bytes of files, or any JSON value.

    Of a repeated name the first value counts; in a multipart form the first value that is not empty.

    Raises
    ------
    MalformedRequest, UnsupportedEncoding, BodyTooLarge, FileTooLarge, BodyTooSlow, ClientDisconnect
    """
    kind = media_type_of(request)
    if kind == MULTIPART:
        fields: dict[str, object] = {}
        for name, value in await read_form(request, limits):
            fields[name] = fields.get(name) or value
        return fields
    if kind not in {URLENCODED, JSON}:
        raise MalformedRequest(
            f"The Content-Type is {kind[:100]!r}.", hint=f"Send {MULTIPART}, {URLENCODED} or {JSON}."
        )
    body = bytes(await _read_body(request, limits.text_bytes, limits))
    return await asyncio.to_thread(_from_json if kind == JSON else _from_urlencoded, body, limits)


def file_in(form: Form, name: str, how: str = HOW) -> bytes:
    """Return the bytes of a required file part. Skips empty parts of this name. how: the hint for a missing file.

    Raises
    ------
    MissingImage, EmptyFile
    """
    values = [value for each, value in form if each == name]
    if values and not any(values):
        raise EmptyFile(f"The part `{name}` is empty.", hint=how, field=name)
    value = next((value for value in values if value), None)
    if not isinstance(value, bytes):
        raise MissingImage(f"The request has no part `{name}`.", hint=how, field=name)
    return value


def _parts(body: bytearray, boundary: bytes, charset: str, limits: UploadLimits) -> Form:
    """Return the parts of a complete form, without its preamble and epilogue (RFC 2046, 5.1.1).

    HTML forms send an empty file input as an empty file, and some clients send each field as a file. Such parts count
    as fields.
    """
    form, files = Form(), 0
    for start, end in _between(body, boundary, limits):
        head_end = body.find(_BLANK_LINE, start, min(end, start + MAX_PART_HEAD_BYTES))
        if head_end < 0:
            raise _malformed("The headers of a part are too long or have no end.", limits)
        said = _disposition(bytes(body[start:head_end]))
        if b"name" not in said:
            raise _malformed("A part has no Content-Disposition with a name.", limits)
        name = _text(said[b"name"], charset)
        content = memoryview(body)[head_end + len(_BLANK_LINE) : end]
        has_file_name, is_expected = b"filename" in said, name in limits.file_bytes
        files += len(content) > (0 if is_expected else MAX_FIELD_BYTES) and (has_file_name or is_expected)
        if files > limits.files:
            raise _malformed(f"There are more than {limits.files} files.", limits)
        if len(form) + 1 - files > limits.max_fields:
            raise _malformed(f"There are more than {limits.max_fields} fields.", limits)
        if has_file_name or is_expected:
            _check_file(name, len(content), limits)
            nobody_filled_it_in = not content and said.get(b"filename") == b""
            form.append((name, "" if nobody_filled_it_in else _file(content, said.get(b"filename", b""), charset)))
            continue
        if len(content) > MAX_FIELD_BYTES:
            raise _malformed(f"The field `{name[:40]}` has more than {MAX_FIELD_BYTES} bytes.", limits)
        form.append((name, _text(bytes(content), charset)))
    return form


def _between(body: bytearray, boundary: bytes, limits: UploadLimits) -> list[tuple[int, int]]:
    """Return (start, end) of each part between the boundaries. Rejects a truncated form."""
    line = rb"--" + re.escape(boundary) + rb"(?:(--)|[ \t]*+(?:\r\n|\Z))"
    next_line = re.compile(rb"\r\n" + line)
    found = re.match(line, body) or next_line.search(body)
    if found is None:
        fault = "does not contain the boundary from the Content-Type" if body else "is empty"
        raise _malformed(f"The form is truncated or not a form: it {fault}.", limits)
    spans: list[tuple[int, int]] = []
    while not found[1]:
        start = found.end()
        found = next_line.search(body, start - 2)  # the CRLF that ends one boundary line may begin the next
        if found is None:
            raise _malformed(f"The form is truncated in part {len(spans) + 1}: the last boundary is missing.", limits)
        spans.append((start, found.start()))
        if len(spans) > limits.files + limits.max_fields:
            raise _malformed("There are too many parts.", limits)
    return spans


def _file(content: memoryview, filename: bytes, charset: str) -> UploadedFile:
    file = UploadedFile(content)
    file.filename = _text(filename, charset)
    return file


def _disposition(head: bytes) -> dict[bytes, bytes]:
    """The parameters of a part's Content-Disposition."""
    fields = [line.partition(b":") for line in head.split(b"\r\n")]
    values = [value for name, _, value in fields if name.strip().lower() == b"content-disposition"]
    return parse_options_header(values[-1])[1] if values else {}


def _text(data: bytes, charset: str) -> str:
    """Decode text; latin-1 if the charset is unknown or does not fit. Raises MalformedRequest for other codec errors.

    The punycode codec, for example, raises a plain ValueError.
    """
    try:
        return data.decode(charset)
    except (UnicodeDecodeError, LookupError):
        return data.decode("latin-1")
    except ValueError as error:
        raise MalformedRequest("The form does not match its declared charset.", hint="Send it in UTF-8.") from error


def _malformed(fault: str, limits: UploadLimits) -> MalformedRequest:
    return MalformedRequest(f"The multipart body cannot be read. {fault}", hint=limits.how)


def _check_file(name: str, size: int, limits: UploadLimits) -> None:
    """Raises FileTooLarge."""
    most = limits.file_bytes.get(name, limits.form_bytes)
    if size > most:
        raise FileTooLarge(
            f"The part `{name}` has {size:,} bytes; at most {most:,} are accepted.",
            hint="Save it as a JPEG, or scale it down.",
            field=name,
            bytes=size,
            max_bytes=most,
        )


def _from_json(body: bytes, limits: UploadLimits) -> dict[str, object]:
    if body.count(b",") > COMMAS_PER_FIELD * limits.max_fields:  # before parsing: 80 MB of `{},` would take 2 GB
        raise MalformedRequest("The JSON body has too many values.", hint=limits.how)
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest("The body is not JSON.", hint=limits.how) from error
    if not isinstance(found, dict):
        raise MalformedRequest("The JSON body is not an object.", hint=limits.how)
    return found


def _from_urlencoded(body: bytes, limits: UploadLimits) -> dict[str, object]:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=limits.max_fields)
    except ValueError as error:
        raise MalformedRequest("The form cannot be read.", hint=limits.how) from error
    return dict(reversed(pairs))


def media_type_of(request: Request) -> str:
    """The media type of a body, in lower case and without parameters."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


async def _read_body(request: Request, max_bytes: int, limits: UploadLimits) -> bytearray:
    """Read the whole body, and count its bytes. Rejects it unread if its headers break a limit.

    Raises
    ------
    UnsupportedEncoding, FileTooLarge, BodyTooLarge, BodyTooSlow
    """
    codings = ", ".join(request.headers.getlist("content-encoding"))
    if any(coding.strip().lower() not in {"", "identity"} for coding in codings.split(",")):
        raise UnsupportedEncoding(
            f"The Content-Encoding is {codings[:100]!r}; only `identity` is supported.",
            hint="Send the body uncompressed, without a Content-Encoding.",
            field="Content-Encoding",
            allowed=("identity",),
        )
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > max_bytes:
        raise _too_large(int(length), max_bytes, limits)
    body = bytearray()  # a list would take 50 bytes for a piece of two bytes
    try:
        async with asyncio.timeout(limits.deadline_s):
            async for chunk in request.stream():
                if len(body) + len(chunk) > max_bytes:  # chunked bodies have no Content-Length
                    raise _too_large(len(body) + len(chunk), max_bytes, limits)
                body += chunk
    except TimeoutError as error:
        raise BodyTooSlow(
            f"The body did not arrive within {limits.deadline_s:g} seconds.",
            hint="Check your connection and try again.",
        ) from error
    return body


def _too_large(length: int, max_bytes: int, limits: UploadLimits) -> BodyTooLarge | FileTooLarge:
    """The error for a body over `max_bytes`. Up to BEYOND times it, a file is the cause, because fields are short."""
    hint = "Save the picture as a JPEG of quality 90, or make it smaller."
    if length > BEYOND * max_bytes:
        return BodyTooLarge(
            f"The request has {length:,} bytes, far more than any accepted file needs.",
            hint=hint,
            bytes=length,
            max_bytes=max_bytes,
        )
    most = max(limits.file_bytes.values())
    field = {"field": next(iter(limits.file_bytes))} if len(limits.file_bytes) == 1 else {}
    return FileTooLarge(
        f"The request has {length:,} bytes or more; a file in it may have {most:,}.",
        hint=hint,
        bytes=length,
        max_bytes=most,
        **field,
    )
