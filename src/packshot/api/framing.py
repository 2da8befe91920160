"""One request, one end: what two readers of the same bytes could cut in two different places is refused."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from packshot.api.errors import MalformedRequest
from packshot.api.failures import failure


class OneLength:
    """ASGI middleware. Refuses a request with both Content-Length and Transfer-Encoding, and closes its connection.

    The parser follows RFC 9112, 6.3: Transfer-Encoding wins. A proxy that goes by the other header would take the rest
    for a request of its next client's, so the same paragraph lets servers refuse.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and {b"content-length", b"transfer-encoding"} <= {
            name for name, _ in scope["headers"]
        }:
            error = MalformedRequest("The request has two lengths.", hint="Send Content-Length or chunks, not both.")
            response = failure(Request(scope), error)
            response.headers["Connection"] = "close"
            await response(scope, receive, send)
            return
        await self.app(scope, receive, send)
