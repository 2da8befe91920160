"""Running the application: uvicorn with a deadline for request heads and a drain that finishes work in flight."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from types import FrameType
from typing import cast

import uvicorn

from packshot.api.app import create_app
from packshot.api.connection import DeadlineProtocol, Room
from packshot.service.build import Service
from packshot.service.listening import cannot_listen
from packshot.service.settings import Settings


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
        where = (settings.host, settings.port)
        raise cannot_listen(error, *where, host_setting="host", port_setting="port") from error


def make_server(service: Service) -> Server:
    """A server for the service's own settings; `.run()` blocks until a signal. It binds, or takes `sockets=[...]`."""
    settings, room = service.settings, Room.of_this_process()
    config = uvicorn.Config(
        create_app(service),
        host=settings.host,
        port=settings.port,
        http=cast("type[asyncio.Protocol]", partial(DeadlineProtocol, room)),
        backlog=room.backlog,
        loop="asyncio",  # the one that is tested; uvloop would be taken where something else has installed it
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
