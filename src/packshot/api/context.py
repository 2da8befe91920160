"""The outermost layer: gives each request its id and writes one line about it when it is answered."""

from __future__ import annotations

import logging
import time
import uuid

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
        finally:
            if scope["path"] not in QUIET_PATHS:
                took_ms = 1000 * (time.perf_counter() - started)
                log.info("%s %s %s %d %.0f ms", request_id, scope["method"], scope["path"], status, took_ms)
