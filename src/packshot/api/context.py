"""The outermost layer: gives each request its id, answers for our bugs, and tells log, metrics and trace at the end."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from packshot.api.failures import failure
from packshot.api.keys import rate_headers
from packshot.errors import PackshotError, ShuttingDown
from packshot.service.logs import about_request
from packshot.service.metrics import METHODS, OTHER
from packshot.service.telemetry import Telemetry
from packshot.service.tracing import RequestSpan

log = logging.getLogger("packshot.access")

STOPPED_RETRY_S = 2
QUIET_ROUTES = frozenset({"/healthz", "/readyz"})  # probes come every few seconds and say nothing


class RequestContext:
    """ASGI middleware. The id is made here and never taken from the caller: it must be unique in the logs."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, *, log_clients: bool) -> None:
        self.app = app
        self._telemetry = telemetry
        self._log_clients = log_clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["request_id"] = str(uuid.uuid4()).upper()
        with (
            self._telemetry.request(Headers(scope=scope)) as span,
            about_request(scope["request_id"], span.trace_id),
        ):
            await self._answer(scope, receive, send, span)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, span: RequestSpan) -> None:
        request_id = scope["request_id"]
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers.update(rate_headers(scope))
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except asyncio.CancelledError:  # by the server, when the time of its drain is over
            if status:
                raise
            stopped = ShuttingDown(
                "The service is shutting down.", retry_after_s=STOPPED_RETRY_S, hint="Send it again in a moment."
            )
            self._telemetry.metrics.error(stopped)
            await failure(Request(scope), stopped)(scope, receive, send_with_id)
        except Exception as error:  # the outermost handler: the caller learns the request_id, the log the rest
            log.error("unexpected error", exc_info=error)
            if status:
                raise  # the answer had begun: the server cuts the connection, so that it is not taken for whole
            await failure(Request(scope), PackshotError("unexpected"))(scope, receive, send_with_id)
        finally:
            self._tell(scope, status, time.perf_counter() - started, span)

    def _tell(self, scope: Scope, status: int, took_s: float, span: RequestSpan) -> None:
        route = route_of(scope)
        method = scope["method"] if scope["method"] in METHODS else OTHER
        self._telemetry.metrics.request_ended(route, method, status, took_s)
        span.end(method, route, status, scope["request_id"])
        level = logging.DEBUG if route in QUIET_ROUTES else logging.INFO
        about = {"method": method, "route": route, "status": status, "duration_ms": round(1000 * took_s, 1)}
        if self._log_clients and scope["client"]:
            about["client"] = scope["client"][0]
        log.log(level, "%s %s %d", method, route, status, extra=about)


def route_of(scope: Scope) -> str:
    """The template of the route that a request found, such as "/results/{name}", or OTHER.

    Never the path: it may hold a signature's neighbour, a key that went astray, or a line end.
    """
    return getattr(scope.get("route"), "path", OTHER)
