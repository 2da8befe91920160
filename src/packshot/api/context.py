"""The outermost layer: gives each request its id, answers for our bugs, and writes one line when all is done."""

from __future__ import annotations

import logging
import time
import uuid

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from packshot.api.failures import failure
from packshot.errors import PackshotError

log = logging.getLogger("packshot.access")

QUIET_PATHS = frozenset({"/healthz", "/readyz"})  # probes come every few seconds and say nothing


class RequestContext:
    """ASGI middleware. The id is made here and never taken from the caller: it must be unique in the logs."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = scope["request_id"] = str(uuid.uuid4()).upper()
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception as error:  # the outermost handler: the caller learns the request_id, the log the rest
            log.error("%s unexpected error", request_id, exc_info=error)
            if status:
                raise  # the answer had begun: the server cuts the connection, so that it is not taken for whole
            await failure(Request(scope), PackshotError("unexpected"))(scope, receive, send_with_id)
        finally:
            if scope["path"] not in QUIET_PATHS:
                took_ms = 1000 * (time.perf_counter() - started)
                log.info("%s %s %s %d %.0f ms", request_id, scope["method"], scope["path"], status, took_ms)
