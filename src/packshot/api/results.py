"""Downloading results: signature, then expiry, then existence. The only public URLs that serve pictures."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from packshot.api.ailab.envelope import Envelope
from packshot.service.build import Service

# A result is the product of a stranger's bytes: nothing in it may run, sniff, frame or leak where it came from.
_FIXED_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Access-Control-Allow-Origin": "*",
    "Referrer-Policy": "no-referrer",
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {}, "image/jpeg": {}}, "description": "The picture"},
    403: {"model": Envelope, "description": "The signature is wrong or missing"},
    404: {"model": Envelope, "description": "There is no such result"},
    410: {"model": Envelope, "description": "The result is past its life"},
    502: {"model": Envelope, "description": "The place that keeps results failed"},
    "default": {"model": Envelope, "description": "Any other fault"},
}


def router(service: Service) -> APIRouter:
    """GET and HEAD of /results/ID.EXT over the parts of a service."""
    routes = APIRouter(tags=["Results"])

    async def download(request: Request, name: str, expires: str = "", signature: str = "") -> Response:
        service.signer.verify(name, expires, signature)
        stored = await service.store.open(name.partition(".")[0])
        remaining_s = max(0, int(expires) - int(service.now()))
        headers = _FIXED_HEADERS | {
            "Content-Length": str(stored.size_bytes),
            "Content-Disposition": f'inline; filename="packshot.{name.rpartition(".")[2]}"',
            "Cache-Control": f"private, max-age={remaining_s}, immutable",
        }
        if request.method == "HEAD":
            return Response(media_type=stored.content_type, headers=headers)
        return StreamingResponse(stored.chunks, media_type=stored.content_type, headers=headers)

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
