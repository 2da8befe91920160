"""The HTTP application: create_app(service) puts routes, error answers and the request's context together."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from packshot import __version__
from packshot.api import docs, health, results
from packshot.api.ailab import credits as ailab_credits
from packshot.api.ailab import routes as ailab
from packshot.api.context import RequestContext
from packshot.api.errors import MalformedRequest, UnknownPath, WrongMethod
from packshot.api.failures import failure
from packshot.api.framing import OneLength
from packshot.api.native import routes as native
from packshot.api.native.schema import relabel
from packshot.api.page import routes as page
from packshot.api.removebg import routes as removebg
from packshot.api.upload_room import UploadRoom
from packshot.errors import PackshotError
from packshot.service.build import Service
from packshot.service.metrics import Metrics

log = logging.getLogger(__name__)

DESCRIPTION = "Product photos in, packshots out. The drop-in contract is served under every door that its clients use."


def create_app(service: Service) -> FastAPI:
    """The application over the parts of a service. Its lifespan warms the network and drains the queue."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = FastAPI(
        title="packshot",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,  # FastAPI's page loads scripts from elsewhere; ours works offline
        redoc_url=None,
    )
    app.include_router(ailab.router(service))
    app.include_router(ailab_credits.router(service))
    app.include_router(native.router(service, ailab.KEY_HEADERS))
    app.include_router(removebg.router(service))
    app.include_router(results.router(service))
    app.include_router(health.router(service))
    app.include_router(docs.router(app, service.settings.base_url))
    app.include_router(page.router(service))
    app.add_exception_handler(PackshotError, partial(_packshot_error, service.telemetry.metrics))
    app.add_exception_handler(HTTPException, partial(_http_error, service.telemetry.metrics))
    app.add_exception_handler(ClientDisconnect, _client_gone)
    metrics = service.telemetry.metrics
    app.add_middleware(UploadRoom, max_bytes=service.settings.upload_memory_bytes, held=metrics.uploads_bytes)
    app.add_middleware(OneLength)
    app.add_middleware(RequestContext, telemetry=service.telemetry, log_clients=service.settings.log_clients)
    describe = app.openapi
    app.openapi = lambda: relabel(describe())  # type: ignore[method-assign]
    return app


async def _packshot_error(metrics: Metrics, request: Request, error: Exception) -> Response:
    assert isinstance(error, PackshotError)  # noqa: S101 - registered for it
    metrics.error(error)
    response = failure(request, error)
    if response.status_code >= 500:
        log.warning("%s: %s", error.slug, error, exc_info=error.__cause__)
    return response


async def _http_error(metrics: Metrics, request: Request, error: Exception) -> Response:
    """What the framework itself refuses: unknown paths and wrong methods."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    known: PackshotError
    if error.status_code == 404:
        known = UnknownPath(f"There is nothing at {request.url.path[:200]}.", hint="See /docs for what there is.")
    elif error.status_code == 405:
        known = WrongMethod(f"{request.method} is not allowed at {request.url.path[:200]}.", hint="See /docs.")
    else:
        known = MalformedRequest(str(error.detail), hint="See /docs for what is expected.")
    metrics.error(known)
    response = failure(request, known)
    response.headers.update(error.headers or {})
    return response


async def _client_gone(request: Request, _: Exception) -> Response:
    log.info("client left before the answer")
    return Response(status_code=400)  # nobody reads it
