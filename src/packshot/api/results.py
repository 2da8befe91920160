"""Serves results under signed URLs: checks the signature, then the expiry, then existence.

No other public URLs serve pictures.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from packshot.api.dialect import Call, Dialect, Endpoint
from packshot.api.http import part_of, requested_range
from packshot.core.codecs.formats import WRITTEN
from packshot.service.results import content_disposition, media_type_of
from packshot.storage.base import StoredFile

# A result is made from untrusted bytes: browsers must not run, sniff or frame it, or leak its URL.
_FIXED_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
}
# Lifetime of a URL of the bucket itself: the time that a client may take until it begins to download.
REDIRECT_S = 300
_PICTURES: dict[str, Any] = {row.media_type: {} for row in WRITTEN.values()}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": _PICTURES, "description": "The picture"},
    206: {"content": _PICTURES, "description": "The bytes that the Range header requests"},
    307: {"description": "The picture is at this URL of the bucket, for a few minutes"},
    416: {"description": "The requested range is outside the result"},
}
PREFIX = "/results"


async def download(call: Call) -> Response:
    request, service = call.request, call.service
    name = str(request.path_params["name"])
    expires, signature = (request.query_params.get(field, "") for field in ("expires", "signature"))
    service.signer.verify(name, expires, signature)
    remaining_s = max(0, int(expires) - int(service.now()))
    if service.settings.results_delivery == "redirect" and request.method == "GET":  # a presigned URL allows one method
        address = await service.store.link(name, min(REDIRECT_S, max(1, remaining_s)))
        if address is not None:
            return RedirectResponse(address, headers=_FIXED_HEADERS | {"Cache-Control": "no-store"})
    media_type = media_type_of(name)
    stored = await service.store.open(name)
    headers = _FIXED_HEADERS | {
        "Content-Length": str(stored.size_bytes),
        "Accept-Ranges": "bytes",
        "ETag": f'"{name.partition(".")[0]}"',  # the content of an id never changes
        "Content-Disposition": content_disposition(media_type),
        "Cache-Control": f"private, max-age={remaining_s}, immutable",
    }
    if request.method == "HEAD":
        return Response(media_type=media_type, headers=headers)
    return _body(stored, media_type, headers, request)


def _body(stored: StoredFile, media_type: str, headers: dict[str, str], request: Request) -> Response:
    """The whole result, or the requested range if the client's If-Range matches."""
    same = request.headers.get("if-range", headers["ETag"]) == headers["ETag"]
    span = requested_range(request.headers.get("range"), stored.size_bytes) if same else None
    if span is None:
        return StreamingResponse(stored.chunks, media_type=media_type, headers=headers)
    if not span:
        return Response(status_code=416, headers=_FIXED_HEADERS | {"Content-Range": f"bytes */{stored.size_bytes}"})
    headers |= {
        "Content-Length": str(len(span)),
        "Content-Range": f"bytes {span.start}-{span.stop - 1}/{stored.size_bytes}",
    }
    return StreamingResponse(part_of(stored.chunks, span), 206, media_type=media_type, headers=headers)


def endpoints(prefix: str, operation_suffix: str = "") -> tuple[Endpoint, ...]:
    """GET and HEAD endpoints of PREFIX/ID.EXT, for a dialect with its own result URLs."""
    parameters = [("name", "path", True), ("expires", "query", False), ("signature", "query", False)]
    return tuple(
        Endpoint(
            method,
            (f"{prefix}/{{name}}",),
            download,
            summary=summary,
            operation_id=f"{method.lower()}Result{operation_suffix}",
            needs_key=False,
            failures=(400, 403, 404, 405, 410, 500, 502),
            answers=_ANSWERS,
            parameters=tuple(
                {"name": name, "in": place, "required": required, "schema": {"type": "string"}}
                for name, place, required in parameters
            ),
        )
        for method, summary in (("GET", "Download a result"), ("HEAD", "Headers of a result"))
    )


NEUTRAL = Dialect("Results", endpoints(PREFIX))
