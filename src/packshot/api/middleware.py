"""The layers around the application: a request's context, pages of other origins, the answers to faults of ours, the
request-smuggling guard, the budget of body bytes."""

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
"""The answer to an error, in the words of the dialect that the request's path belongs to."""

STOPPED_RETRY_S = 2
BUDGET_RETRY_S = 5
QUIET_ROUTES = frozenset({"/healthz", "/readyz"})  # probes come every few seconds and say nothing
_AUTHORITY = re.compile(rb"https?://[^/]*+", re.IGNORECASE)
# A preflight may ask for names of headers, in no more bytes than any page needs.
_HEADER_NAME = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
MOST_HEADER_NAMES_BYTES = 2048
PREFLIGHT_MAX_AGE_S = 86400  # Firefox keeps a preflight that long; Chromium keeps it 2 hours, Safari 10 minutes
HELD = "held_bytes"  # in the request's scope: its HeldBytes
RATE_WINDOW = "rate_window"  # in the request's scope once its key is known: what is left of the key's rate limit


class RequestContext:
    """ASGI middleware, the outermost: gives each request its id, tells log, metrics and trace of its answer.

    The id is made here and never taken from the caller: it must be unique in the logs.
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


class CanonicalTarget:
    """ASGI middleware, around all others: gives a request the path that its target means.

    A target in absolute form (`POST http://host/v1/packshots`; RFC 9112, 3.2.2) means the path in it. Slashes that are
    doubled or at the end mean nothing at and below the prefixes, where the path without them is served:
    clients put a base URL and a path together. They are not redirected, for few clients follow a redirect with a POST.
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
    """ASGI middleware. Lets the pages of these origins read every answer, and answers every preflight (CORS).

    `*` stands for all origins, `https://*.shop.example` for every host below that one; without origins no answer
    changes. A browser sends no cookie and no login along: the key in the request decides, and the origin only says
    which page may see what comes of it.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_origin_regex=wildcard_pattern(origins),
            allow_methods=("GET", "HEAD", "POST"),
            allow_headers=("*",),
            # Every header of an answer is meant for its caller. A list would lag behind the dialects.
            expose_headers=("*",),
            max_age=PREFLIGHT_MAX_AGE_S,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Names the headers that the page asks for, whatever its origin: upload widgets add headers of their own."""
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
    """ASGI middleware. Answers for our bugs, and for work that is cut off when the service stops."""

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
        except asyncio.CancelledError:  # by the server, when the time of its drain is over
            if begun:
                raise
            stopped = ShuttingDown(
                "The service is shutting down.", retry_after_s=STOPPED_RETRY_S, hint="Send it again in a moment."
            )
            self._telemetry.metrics.error(stopped)
            await self._failure(Request(scope), stopped)(scope, receive, send)
        except Exception as error:  # the outermost handler: the caller learns the request_id, the log the rest
            log.error("unexpected error", exc_info=error)
            if begun:
                raise  # the answer had begun: the server cuts the connection, so that it is not taken for whole
            await self._failure(Request(scope), PackshotError("unexpected"))(scope, receive, send)


class RequestSmugglingGuard:
    """ASGI middleware. Answers what the server found wrong with the bytes of a request (api/framing.py), and closes.

    Two readers of such bytes may see another request each: the parser here and a proxy before it. Nothing that comes
    after them on the connection is read.
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
    """The bytes that one request holds, within the budget of all: of its body, and those that it brings itself."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._bytes = 0

    def reserve(self, length: int) -> None:
        """Count bytes before they are held. Raises UploadsFull."""
        self._budget.take(length)
        self._bytes += length

    def answered(self) -> None:
        """The answer is out: give the bytes back."""
        self._budget.give_back(self._bytes)
        self._bytes = 0


class BodyBudget:
    """ASGI middleware. Bounds the bytes of request bodies that are held at the same time, over all requests.

    It counts the bytes that handlers read, which they do only after they have seen a key, until they answer; those
    that they bring from elsewhere they reserve. Bytes over the budget are refused with 503, as a request over the
    queue's limit is.
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
                "The service holds as many uploads as it can.",
                retry_after_s=BUDGET_RETRY_S,
                hint=f"Send it again in {BUDGET_RETRY_S} s.",
            )
        self._held_bytes += length

    def give_back(self, length: int) -> None:
        self._held_bytes -= length
