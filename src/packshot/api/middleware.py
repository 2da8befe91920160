"""The middleware around the application.

Request context, canonical paths, CORS, the error barrier, the request smuggling guard, and the body byte budget.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from packshot.api.errors import UploadsFull
from packshot.api.framing import READING, Reading
from packshot.api.http import is_below, plain_path, wildcard_pattern
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
"""Builds the response to an error, in the form of the dialect that the request's path belongs to."""

STOPPED_RETRY_S = 2
BUDGET_RETRY_S = 5
QUIET_ROUTES = frozenset({"/healthz", "/readyz"})  # probes come every few seconds: logged at DEBUG only
_AUTHORITY = re.compile(rb"https?://[^/]*+", re.IGNORECASE)
# A preflight may list header names, up to MOST_HEADER_NAMES_BYTES: more than any page needs.
_HEADER_NAME = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
MOST_HEADER_NAMES_BYTES = 2048
PREFLIGHT_MAX_AGE_S = 86400  # Firefox caches a preflight that long; Chromium caps it at 2 hours, Safari at 10 minutes
HELD = "held_bytes"  # key in the request's scope: its HeldBytes
RATE_WINDOW = "rate_window"  # key in the request's scope, after authentication: the state of the key's rate limit


class RequestContext:
    """ASGI middleware: gives each request an id, and reports its response to log, metrics and trace.

    The id is generated here and never taken from the caller, because it must be unique in the logs.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry, *, log_clients: bool) -> None:
        self.app = app
        self._telemetry = telemetry
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
    """The template of the route that a request matched, such as "/results/{name}", or OTHER.

    Never the path: it may contain a result's name, a misplaced key or a line break.
    """
    return getattr(scope.get("route"), "path", OTHER)


def rate_headers(scope: Scope) -> dict[str, str]:
    """Headers with the state of the key's rate limit; empty without a limit. Reset is in seconds since 1970."""
    window: Window | None = scope.get(RATE_WINDOW)
    if window is None:
        return {}
    values = {"Limit": window.limit, "Remaining": window.remaining, "Reset": window.resets_at}
    return {f"X-RateLimit-{name}": str(value) for name, value in values.items()}


class CanonicalTarget:
    """ASGI middleware, the outermost: normalises a request's path.

    - A target in absolute form (`POST http://host/v1/packshots`; RFC 9112, 3.2.2) becomes its path.
    - At and below the prefixes, double and trailing slashes are removed if the path without them is served. Clients
      produce them when they join a base URL and a path. A redirect would not help: few clients follow one with a POST.
    """

    def __init__(self, app: ASGIApp, prefixes: Sequence[str], is_served: Callable[[Scope], bool]) -> None:
        self.app = app
        self._prefixes = prefixes
        self._is_served = is_served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, **self._meant(scope)}
        await self.app(scope, receive, send)

    def _meant(self, scope: Scope) -> Scope:
        path, raw_path = scope["path"], scope.get("raw_path") or b""
        absolute = _AUTHORITY.match(raw_path)
        if absolute:
            raw_path = raw_path[absolute.end() :] or b"/"
            path = unquote(raw_path.decode("ascii"))
        plain = plain_path(path)
        if plain != path and any(is_below(plain, prefix) for prefix in self._prefixes):
            path = plain if self._is_served({**scope, "path": plain}) else path
        return {"path": path, "raw_path": raw_path}


class CrossOrigin(CORSMiddleware):
    """ASGI middleware for CORS. Lets pages of these origins read every response, and answers every preflight.

    `*` allows all origins, `https://*.shop.example` every host below shop.example. Without origins no response
    changes. Browsers send no cookies or logins here: the key in the request grants access. The origin only decides
    which page may read the response.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_origin_regex=wildcard_pattern(origins),
            allow_methods=("GET", "HEAD", "POST"),
            allow_headers=("*",),
            # Callers may read every header of a response. A list would have to follow each change of a dialect.
            expose_headers=("*",),
            max_age=PREFLIGHT_MAX_AGE_S,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Allow the headers that the page requests, for every origin: upload widgets add their own headers."""
        headers = dict(self.preflight_headers)
        asked = ",".join(request_headers.getlist("access-control-request-headers"))[: MOST_HEADER_NAMES_BYTES + 1]
        names = [name.strip() for name in asked.split(",")]
        if len(asked) <= MOST_HEADER_NAMES_BYTES and all(map(_HEADER_NAME.fullmatch, names)):
            headers["Access-Control-Allow-Headers"] = ", ".join(names)
        origin = request_headers["origin"]
        if self.preflight_explicit_allow_origin and self.is_allowed_origin(origin):
            headers["Access-Control-Allow-Origin"] = origin
        return Response(status_code=204, headers=headers)

    async def simple_response(self, scope: Scope, receive: Receive, send: Send, request_headers: Headers) -> None:
        if self.allow_origins:
            await super().simple_response(scope, receive, send, request_headers)
        else:
            await self.app(scope, receive, send)


class ErrorBarrier:
    """ASGI middleware. Answers unexpected exceptions, and requests that the shutdown cancels."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, failure: Failure) -> None:
        self.app = app
        self._telemetry = telemetry
        self._failure = failure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except asyncio.CancelledError:  # by the server, when its drain time is over
            if begun:
                raise
            stopped = ShuttingDown(
                "The service is shutting down.", retry_after_s=STOPPED_RETRY_S, hint="Retry in a few seconds."
            )
            self._telemetry.metrics.error(stopped)
            await self._failure(Request(scope), stopped)(scope, receive, send)
        except Exception as error:  # the outermost handler: the caller gets the request_id, the log gets the details
            log.error("unexpected error", exc_info=error)
            if begun:
                raise  # the response had begun: the server drops the connection, so that it does not look complete
            await self._failure(Request(scope), PackshotError("unexpected"))(scope, receive, send)


class RequestSmugglingGuard:
    """ASGI middleware. Rejects requests with an ambiguous length or head (api/framing.py), and closes the connection.

    A proxy and the parser here may split such bytes into different requests. So the server reads nothing that follows
    them on the connection.
    """

    def __init__(self, app: ASGIApp, failure: Failure) -> None:
        self.app = app
        self._failure = failure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reading: Reading | None = scope.get(READING)
        if reading is None:
            await self.app(scope, receive, send)
            return

        async def receive_sound() -> Message:
            message = await receive()
            if reading.fault is not None:
                raise reading.fault
            return message

        async def send_and_close(message: Message) -> None:
            if message["type"] == "http.response.start" and reading.fault is not None:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        if reading.fault is None:
            await self.app(scope, receive_sound, send_and_close)
        else:
            await self._failure(Request(scope), reading.fault)(scope, receive, send_and_close)


class HeldBytes:
    """Counts the bytes that one request holds, within the common budget: its body, and pictures that it fetches."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._bytes = 0

    def reserve(self, length: int) -> None:
        """Count bytes before they are loaded. Raises UploadsFull."""
        self._budget.take(length)
        self._bytes += length

    def answered(self) -> None:
        """Release the bytes after the response."""
        self._budget.give_back(self._bytes)
        self._bytes = 0


class BodyBudget:
    """ASGI middleware. Limits the bytes of request bodies that are in memory at the same time, over all requests.

    A body counts from reading until the response. Handlers read it only after they have checked the key. They reserve
    bytes from other sources themselves. Over the budget the response is 503, as for a full queue.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, held: Gauge) -> None:
        self.app = app
        self._max_bytes = max_bytes
        self._held_bytes = 0
        held.set_function(lambda: self._held_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        held = scope[HELD] = HeldBytes(self)

        async def receive_counted() -> Message:
            message = await receive()
            held.reserve(len(message.get("body", b"")))
            return message

        try:
            await self.app(scope, receive_counted, send)
        finally:
            held.answered()

    def take(self, length: int) -> None:
        """Raises UploadsFull."""
        if self._held_bytes + length > self._max_bytes:
            raise UploadsFull(
                "The service has no memory left for more uploads at the moment.",
                retry_after_s=BUDGET_RETRY_S,
                hint=f"Send the request again in {BUDGET_RETRY_S} s.",
            )
        self._held_bytes += length

    def give_back(self, length: int) -> None:
        self._held_bytes -= length
