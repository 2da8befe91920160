"""The three kinds of body that the form may come in, as one mapping from field to value: counted and timed alike."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.requests import Request

from packshot.api.errors import MalformedRequest
from packshot.api.removebg.form import HOW
from packshot.api.upload import OVERHEAD_BYTES, UploadLimits, check_length, counted, in_time, read_form
from packshot.service.settings import Settings

MAX_FIELDS = 64
# Between the fields, and in what a field may hold: a data: prefix, an roi. Base64 has none.
MAX_COMMAS = 16 * MAX_FIELDS
_KINDS = "multipart/form-data, application/x-www-form-urlencoded or application/json"


def upload_limits(settings: Settings) -> UploadLimits:
    """Two pictures, one of them perhaps in base64, which takes four bytes for three and a line end now and then."""
    largest = settings.v1_max_file_bytes
    files = {"image_file": largest, "image_file_b64": largest * 7 // 5, "bg_image_file": largest}
    return UploadLimits(files, settings.body_deadline_s, max_fields=MAX_FIELDS)


async def read_fields(request: Request, limits: UploadLimits) -> dict[str, object]:
    """The fields of a request: texts, bytes of files, and of JSON whatever stands there. The first of a name counts.

    Raises
    ------
    MalformedRequest, BodyTooLarge, FileTooLarge, BodyTooSlow, ClientDisconnect
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _from_multipart(request, limits)
    if kind == "application/json":
        return await asyncio.to_thread(_from_json, await _whole(request, limits))
    if kind == "application/x-www-form-urlencoded":
        return await asyncio.to_thread(_from_urlencoded, await _whole(request, limits))
    raise MalformedRequest(f"The Content-Type is {kind[:100]!r}.", hint=f"Send {_KINDS}.")


async def _from_multipart(request: Request, limits: UploadLimits) -> dict[str, object]:
    form = await read_form(request, limits)
    found: dict[str, object] = {}
    try:
        for name, value in form.multi_items():
            if name not in found:
                found[name] = await value.read() if isinstance(value, UploadFile) else value
    finally:
        await form.close()
    return found


async def _whole(request: Request, limits: UploadLimits) -> bytes:
    # Percent signs make three bytes of each +, / and = of base64: one character in twenty.
    max_bytes = limits.file_bytes["image_file_b64"] * 6 // 5 + OVERHEAD_BYTES
    check_length(request, max_bytes)
    async with in_time(limits.deadline_s):
        return b"".join([chunk async for chunk in counted(request, max_bytes)])


def _from_json(body: bytes) -> dict[str, object]:
    if body.count(b",") > MAX_COMMAS:  # before it is read: 80 MB of `{},` become 2 GB of objects
        raise MalformedRequest("The body is JSON of too many values.", hint=HOW)
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest("The body is not JSON.", hint=HOW) from error
    if not isinstance(found, dict):
        raise MalformedRequest(
            "The body is JSON, but no object.", hint='Send an object such as {"image_file_b64": ""}.'
        )
    return found


def _from_urlencoded(body: bytes) -> dict[str, object]:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise MalformedRequest("The form cannot be read.", hint=HOW) from error
    return dict(reversed(pairs))
