"""How many bytes of request bodies are held at the same time, over all requests: what bounds the memory of uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from packshot.api.errors import UploadsFull

if TYPE_CHECKING:
    from prometheus_client import Gauge

RETRY_AFTER_S = 5


class UploadRoom:
    """ASGI middleware. Counts what handlers read, which they do only after they have seen a key, until they answer.

    A body too many is refused with 503, as a request too many for the queue is.
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
                    retry_after_s=RETRY_AFTER_S,
                    hint=f"Send it again in {RETRY_AFTER_S} s.",
                )
            own_bytes += length
            self._held_bytes += length
            return message

        try:
            await self.app(scope, receive_counted, send)
        finally:
            self._held_bytes -= own_bytes
