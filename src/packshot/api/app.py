"""The HTTP application: create_app(service) assembles dialects, probes, error handlers and middleware."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match
from starlette.types import Scope

from packshot import __version__
from packshot.api import dialect, docs, results
from packshot.api.ailab import routes as ailab
from packshot.api.dialect import Call, Dialect, Endpoint
from packshot.api.errors import PROBLEM_DETAILS, MalformedRequest, UnknownPath, WrongMethod
from packshot.api.http import is_below, plain_path
from packshot.api.middleware import (
    BodyBudget,
    CanonicalTarget,
    CrossOrigin,
    ErrorBarrier,
    Failure,
    RequestContext,
    RequestSmugglingGuard,
)
from packshot.api.native import jobs
from packshot.api.native import routes as native
from packshot.api.optional import clipdrop, photoroom, rembg
from packshot.api.page import routes as page
from packshot.api.removebg import routes as removebg
from packshot.api.review import service as review
from packshot.api.review.service import open_reviews
from packshot.errors import PackshotError
from packshot.service.build import Service
from packshot.service.environment import variable_of
from packshot.service.metrics import Metrics

log = logging.getLogger(__name__)

DESCRIPTION = "Product photos in, packshots out. Serves the drop-in contract under every path that its clients use."


class Health(BaseModel):
    """The response of a successful probe."""

    status: str = "ok"
    version: str = __version__


async def healthz(_: Call) -> Response:
    """The process is alive."""
    return JSONResponse(Health().model_dump())


async def readyz(call: Call) -> Response:
    """The service can serve the next request."""
    await call.service.check_ready()
    return await healthz(call)


PROBES = Dialect(
    "Probes",
    (
        Endpoint("GET", ("/healthz",), healthz, "Is the process alive?", "healthz", needs_key=False, model=Health),
        Endpoint(
            "GET",
            ("/readyz",),
            readyz,
            "Can the service serve the next request?",
            "readyz",
            needs_key=False,
            failures=(502, 503),
            model=Health,
        ),
    ),
)

DIALECTS = (ailab.DIALECT, native.DIALECT, removebg.DIALECT)
NEUTRAL = (results.NEUTRAL, PROBES)

OPTIONAL = {"rembg": rembg.DIALECT, "photoroom": photoroom.DIALECT, "clipdrop": clipdrop.DIALECT}
"""Dialects that are served only if the setting `dialects` names them."""


def create_app(service: Service) -> FastAPI:
    """The application for a service. Its lifespan warms up the network and drains the queue."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = FastAPI(
        title="packshot",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        # Relative to the URL of this document, for a proxy that serves it under a prefix.
        servers=[{"url": service.settings.public_base_url or "."}],
        redirect_slashes=False,
        docs_url=None,  # FastAPI's page loads scripts from a CDN; ours works offline
        redoc_url=None,
    )
    service.worker.describe = partial(jobs.event, service)
    reviews = open_reviews(service.settings)
    dialects = (*DIALECTS, *(OPTIONAL[name] for name in service.settings.dialects))
    failure = partial(dialect.failure, dialects)
    dialect.mount(app, service, (*dialects, *NEUTRAL, *([review.dialect(reviews)] if reviews else ())))
    app.include_router(docs.router(app))
    app.include_router(page.router(service))
    if reviews:
        app.include_router(review.router())
    telemetry, settings = service.telemetry, service.settings
    app.add_exception_handler(PackshotError, partial(_packshot_error, telemetry.metrics, failure))
    app.add_exception_handler(HTTPException, partial(_http_error, telemetry.metrics, failure))
    app.add_exception_handler(ClientDisconnect, _client_gone)
    app.add_middleware(BodyBudget, max_bytes=settings.upload_memory_bytes, held=telemetry.metrics.uploads_bytes)
    app.add_middleware(RequestSmugglingGuard, failure=failure)
    app.add_middleware(ErrorBarrier, telemetry=telemetry, failure=failure)
    app.add_middleware(CrossOrigin, origins=settings.cors_origins)
    app.add_middleware(RequestContext, telemetry=telemetry, log_clients=settings.log_clients)
    prefixes = [results.PREFIX, *(prefix for each in DIALECTS for prefix in each.prefixes)]
    app.add_middleware(CanonicalTarget, prefixes=prefixes, is_served=partial(_is_served, app))
    describe = app.openapi
    app.openapi = lambda: _with_media_types(describe(), dialects)  # type: ignore[method-assign]
    return app


def _with_media_types(document: dict[str, Any], dialects: Iterable[Dialect]) -> dict[str, Any]:
    """Correct the media types of errors: FastAPI writes every model under application/json."""
    forms = [PROBLEM_DETAILS, *(each.errors for each in dialects)]
    types = {f"#/components/schemas/{form.model.__name__}": form.described_as or form.media_type for form in forms}
    for operations in document["paths"].values():
        for operation in operations.values():
            for answer in operation["responses"].values():
                found = answer.get("content", {}).get("application/json", {})
                if kind := types.get(found.get("schema", {}).get("$ref", "")):
                    answer["content"] = {kind: found}
    return document


async def _packshot_error(metrics: Metrics, failure: Failure, request: Request, error: Exception) -> Response:
    assert isinstance(error, PackshotError)  # noqa: S101 - registered for it
    metrics.error(error)
    response = failure(request, error)
    if response.status_code >= 500:
        log.warning("%s: %s", error.slug, error, exc_info=error.__cause__)
    return response


async def _http_error(metrics: Metrics, failure: Failure, request: Request, error: Exception) -> Response:
    """The response to errors of the framework itself: unknown paths and wrong methods."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    known: PackshotError
    path, headers = str(request.scope["path"])[:200], dict(error.headers or {})
    if error.status_code == 404:
        known = UnknownPath(f"The path {path} does not exist.", hint=_where_else(path))
    elif error.status_code == 405:
        known = WrongMethod(f"{request.method} is not allowed at {path}.", hint="See /docs for its methods.")
        headers["Allow"] = ", ".join(_allowed(request, headers.get("Allow", "")))
    else:
        known = MalformedRequest(str(error.detail), hint="See /docs for the expected form.")
    metrics.error(known)
    response = failure(request, known)
    response.headers.update(headers)
    return response


def _where_else(path: str) -> str:
    """The hint for an unknown path. It may belong to a dialect that is turned off."""
    for name, each in OPTIONAL.items():
        if any(is_below(plain_path(path), prefix) for prefix in each.prefixes):
            return f"The operator can turn it on: {variable_of('dialects')}={name}."
    return "See /docs for all paths."


def _allowed(request: Request, first: str) -> list[str]:
    """The methods of all routes that match the path. first: the methods of the first route."""
    fitting = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    methods = {method for route in fitting for method in getattr(route, "methods", None) or ()}
    return sorted(methods.union(first.split(", ")) - {""})


def _is_served(app: FastAPI, scope: Scope) -> bool:
    return any(route.matches(scope)[0] is Match.FULL for route in app.routes)


async def _client_gone(request: Request, _: Exception) -> Response:
    log.info("client disconnected before the response")
    return Response(status_code=400)  # never sent: the client is gone
