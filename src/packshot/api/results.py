"""Downloading results: signature, then expiry, then existence. The only public URLs that serve pictures."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from packshot.api.ailab.envelope import Envelope
from packshot.api.ranges import part, wanted
from packshot.service.build import Service
from packshot.service.storage import StoredResult

# A result is the product of a stranger's bytes: nothing in it may run, sniff, frame or leak where it came from.
_FIXED_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Access-Control-Allow-Origin": "*",
    "Referrer-Policy": "no-referrer",
}
# How long an address of the bucket itself works: as long as a client may take until it begins to download.
REDIRECT_S = 300
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {}, "image/jpeg": {}}, "description": "The picture"},
    206: {"content": {"image/png": {}, "image/jpeg": {}}, "description": "The bytes that a Range header asks for"},
    307: {"description": "The picture is at this address of the bucket, for some minutes"},
    403: {"model": Envelope, "description": "The signature is wrong or missing"},
    404: {"model": Envelope, "description": "There is no such result"},
    410: {"model": Envelope, "description": "The result is past its life"},
    416: {"description": "The result has no such bytes"},
    502: {"model": Envelope, "description": "The place that keeps results failed"},
    "default": {"model": Envelope, "description": "Any other fault"},
}


def router(service: Service) -> APIRouter:
    """GET and HEAD of /results/ID.EXT over the parts of a service."""
    routes = APIRouter(tags=["Results"])
    redirects = service.settings.results_delivery == "redirect"

    async def download(request: Request, name: str, expires: str = "", signature: str = "") -> Response:
        service.signer.verify(name, expires, signature)
        result_id = name.partition(".")[0]
        remaining_s = max(0, int(expires) - int(service.now()))
        if redirects and request.method == "GET":  # a signed address is for one method
            address = await service.store.link(result_id, min(REDIRECT_S, max(1, remaining_s)))
            if address is not None:
                return RedirectResponse(address, headers=_FIXED_HEADERS | {"Cache-Control": "no-store"})
        stored = await service.store.open(result_id)
        headers = _FIXED_HEADERS | {
            "Content-Length": str(stored.size_bytes),
            "Accept-Ranges": "bytes",
            "ETag": f'"{result_id}"',  # what is behind an id never changes
            "Content-Disposition": f'inline; filename="packshot.{name.rpartition(".")[2]}"',
            "Cache-Control": f"private, max-age={remaining_s}, immutable",
        }
        if request.method == "HEAD":
            return Response(media_type=stored.content_type, headers=headers)
        return _body(stored, headers, request)

    for method in ("GET", "HEAD"):
        routes.add_api_route(
            "/results/{name}",
            download,
            methods=[method],
            summary="Download a result" if method == "GET" else "Headers of a result",
            operation_id=f"{method.lower()}Result",
            response_class=Response,
            responses=_RESPONSES,
        )
    return routes


def _body(stored: StoredResult, headers: dict[str, str], request: Request) -> Response:
    """All of a result, or the part that is asked for, unless the client's own part is of something else."""
    same = request.headers.get("if-range", headers["ETag"]) == headers["ETag"]
    span = wanted(request.headers.get("range"), stored.size_bytes) if same else None
    if span is None:
        return StreamingResponse(stored.chunks, media_type=stored.content_type, headers=headers)
    if not span:
        return Response(status_code=416, headers=_FIXED_HEADERS | {"Content-Range": f"bytes */{stored.size_bytes}"})
    headers |= {
        "Content-Length": str(len(span)),
        "Content-Range": f"bytes {span.start}-{span.stop - 1}/{stored.size_bytes}",
    }
    return StreamingResponse(part(stored.chunks, span), 206, media_type=stored.content_type, headers=headers)
