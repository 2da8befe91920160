"""Running the application: uvicorn with a deadline for request heads and a drain that finishes work in flight."""

from __future__ import annotations

import asyncio
import socket
from types import FrameType
from typing import cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from packshot.api.app import create_app
from packshot.errors import BadSettings
from packshot.service.build import Service
from packshot.service.settings import Settings


class HeadDeadlineProtocol(H11Protocol):
    """Closes connections that have not sent a whole request head in time.

    uvicorn times idle connections only after an answer, so one that never sends, or sends a byte a minute, would
    stay for ever. This also ends the reading away of a body that was refused.
    """

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio sets it only on sockets that name their protocol, and those of socket.create_server do not: without it
        # the body of an answer waits 40 ms for the acknowledgement of its head on a kept connection.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._arm()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._disarm_when_answering()

    def on_response_complete(self) -> None:
        self._arm()
        super().on_response_complete()  # begins the next request, when it came along with this one
        self._disarm_when_answering()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        self._disarm()
        self._head_timer = self.loop.call_later(self.timeout_keep_alive, self._expired)

    def _disarm_when_answering(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._disarm()

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _expired(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


class Server(uvicorn.Server):
    """Tells the service at the first signal, so that readiness fails while the work in flight is finished."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.admission.close()
        super().handle_exit(sig, frame)


def bind(settings: Settings) -> socket.socket:
    """The listening socket, before anything else is made: a port that is taken must not cost a first key.

    Raises
    ------
    BadSettings
        The address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise BadSettings(
            f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}.",
            hint="Choose another port with --port or PACKSHOT_PORT, or stop what uses this one.",
        ) from error


def make_server(service: Service) -> Server:
    """A server for the service's own settings; `.run()` blocks until a signal. It binds, or takes `sockets=[...]`."""
    settings = service.settings
    config = uvicorn.Config(
        create_app(service),
        host=settings.host,
        port=settings.port,
        http=cast("type[asyncio.Protocol]", HeadDeadlineProtocol),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # api/context.py writes the line, with the request's id
        server_header=False,
        # Annotated as whole seconds, but both only reach the event loop's timers, which take fractions.
        timeout_keep_alive=cast("int", settings.idle_timeout_s),
        timeout_graceful_shutdown=cast("int", settings.drain_s),
    )
    return Server(config, service)
