"""The layers around the application: a request's context, the request-smuggling guard, the budget of body bytes."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from packshot.api.errors import MalformedRequest, UploadsFull
from packshot.errors import PackshotError, ShuttingDown
from packshot.service.logs import bind_request
from packshot.service.metrics import METHODS, OTHER
from packshot.service.rate_limit import Window
from packshot.service.telemetry import Telemetry
from packshot.service.tracing import RequestSpan

if TYPE_CHECKING:
    from prometheus_client import Gauge

log = logging.getLogger("packshot.access")

Failure = Callable[[Request, PackshotError], Response]
"""The answer to an error, in the words of the dialect that the request's path belongs to."""

STOPPED_RETRY_S = 2
BUDGET_RETRY_S = 5
QUIET_ROUTES = frozenset({"/healthz", "/readyz"})  # probes come every few seconds and say nothing
RATE_WINDOW = "rate_window"  # in the request's scope once its key is known: what is left of the key's rate limit


class RequestContext:
    """ASGI middleware, the outermost: gives each request its id, answers for our bugs, tells log, metrics and trace.

    The id is made here and never taken from the caller: it must be unique in the logs.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry, failure: Failure, *, log_clients: bool) -> None:
        self.app = app
        self._telemetry = telemetry
        self._failure = failure
        self._log_clients = log_clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["request_id"] = str(uuid.uuid4()).upper()
        with self._telemetry.request(Headers(scope=scope)) as span, bind_request(scope["request_id"], span.trace_id):
            await self._answer(scope, receive, send, span)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, span: RequestSpan) -> None:
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = scope["request_id"]
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
            await self._failure(Request(scope), stopped)(scope, receive, send_with_id)
        except Exception as error:  # the outermost handler: the caller learns the request_id, the log the rest
            log.error("unexpected error", exc_info=error)
            if status:
                raise  # the answer had begun: the server cuts the connection, so that it is not taken for whole
            await self._failure(Request(scope), PackshotError("unexpected"))(scope, receive, send_with_id)
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


def rate_headers(scope: Scope) -> dict[str, str]:
    """The rest of the key's rate limit; empty where there is no limit. X-RateLimit-Reset is in seconds since 1970."""
    window: Window | None = scope.get(RATE_WINDOW)
    if window is None:
        return {}
    values = {"Limit": window.limit, "Remaining": window.remaining, "Reset": window.resets_at}
    return {f"X-RateLimit-{name}": str(value) for name, value in values.items()}


class RequestSmugglingGuard:
    """ASGI middleware. Refuses a request with both Content-Length and Transfer-Encoding, and closes its connection.

    The parser follows RFC 9112, 6.3: Transfer-Encoding wins. A proxy that goes by the other header would take the rest
    for a request of its next client's, so the same paragraph lets servers refuse.
    """

    def __init__(self, app: ASGIApp, failure: Failure) -> None:
        self.app = app
        self._failure = failure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and {b"content-length", b"transfer-encoding"} <= {
            name for name, _ in scope["headers"]
        }:
            error = MalformedRequest("The request has two lengths.", hint="Send Content-Length or chunks, not both.")
            response = self._failure(Request(scope), error)
            response.headers["Connection"] = "close"
            await response(scope, receive, send)
            return
        await self.app(scope, receive, send)


class BodyBudget:
    """ASGI middleware. Bounds the bytes of request bodies that are held at the same time, over all requests.

    It counts the bytes that handlers read, which they do only after they have seen a key, until they answer. A body
    over the budget is refused with 503, as a request over the queue's limit is.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, held: Gauge) -> None:
        self.app = app
        self._max_bytes = max_bytes
        self._held_bytes = 0
        held.set_function(lambda: self._held_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        own_bytes = 0

        async def receive_counted() -> Message:
            nonlocal own_bytes
            message = await receive()
            length = len(message.get("body", b""))
            if self._held_bytes + length > self._max_bytes:
                raise UploadsFull(
                    "The service holds as many uploads as it can.",
                    retry_after_s=BUDGET_RETRY_S,
                    hint=f"Send it again in {BUDGET_RETRY_S} s.",
                )
            own_bytes += length
            self._held_bytes += length
            return message

        try:
            await self.app(scope, receive_counted, send)
        finally:
            self._held_bytes -= own_bytes
