"""The HTTP server: uvicorn with deadlines for what it waits for, a bound on connections, and a drain at the end."""

from __future__ import annotations

import asyncio
import resource
import socket
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from packshot.api.app import create_app
from packshot.service.build import Service
from packshot.service.environment import cannot_listen
from packshot.service.settings import Settings

# A stalled reader must take what is buffered between asyncio's marks, 48 KB, in this many times the idle deadline.
READ_PATIENCE = 6
# Files that are open beside connections: the database, results, what libraries open.
RESERVE = 256
LONGEST_BACKLOG = 2048
# Turns of asyncio's loop from accept() to the close of the connection that gives way: accepted, its transport made,
# `connection_made`, `connection_lost`. Each turn accepts as many as the backlog is long, and one more.
TURNS_UNTIL_CLOSED = 4
MOST_DESCRIPTORS = 65536


def raise_descriptor_limit() -> None:
    """Take as many descriptors as the system grants: the usual 1,024 are there for programs that call select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class ConnectionLimit:
    """How many connections fit, and which one gives way when one more comes: the one that has waited longest.

    Without it the system refuses the one more (EMFILE). asyncio then tries as often as the backlog is long, logs each
    time and does the same a second later: 200 idle connections at 64 descriptors held up the whole service for 48 s.
    """

    def __init__(self, descriptors: int) -> None:
        """`descriptors` is how many files the process may have open. `backlog`: how many a turn of the loop accepts."""
        self.backlog = max(3, min(LONGEST_BACKLOG, descriptors // 32))
        self.limit = descriptors - TURNS_UNTIL_CLOSED * (self.backlog + 1) - min(RESERVE, descriptors // 4)
        self._waiting: dict[DeadlineProtocol, None] = {}  # in the order in which they began to wait

    @classmethod
    def of_this_process(cls) -> ConnectionLimit:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls(1_000_000 if soft == resource.RLIM_INFINITY else soft)

    def waits(self, connection: DeadlineProtocol) -> None:
        """It has no request in work."""
        self._waiting.pop(connection, None)
        self._waiting[connection] = None

    def works(self, connection: DeadlineProtocol) -> None:
        """It has one, or is gone."""
        self._waiting.pop(connection, None)

    def keep(self, open_: int) -> None:
        """Called with the number of connections when one has come, and waits."""
        if open_ > self.limit:
            oldest = next(iter(self._waiting))
            self.works(oldest)
            oldest.transport.abort()


class DeadlineProtocol(H11Protocol):
    """Closes connections that have not sent a whole request head in time, or do not read their answer.

    uvicorn times idle connections only after an answer, so one that never sends, or sends a byte a minute, would
    stay for ever; so would one that asks for a result and takes a byte a minute of it. This also ends the reading away
    of a body that was refused.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _read_timer: asyncio.TimerHandle | None = None

    def __init__(self, limit: ConnectionLimit, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._connection_limit = limit

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio sets it only on sockets that name their protocol, and those of socket.create_server do not: without it
        # the body of an answer waits 40 ms for the acknowledgement of its head on a kept connection.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._arm()
        self._connection_limit.keep(len(self.connections))

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._disarm_when_answering()

    def on_response_complete(self) -> None:
        self._arm()
        super().on_response_complete()  # begins the next request, when it came along with this one
        self._disarm_when_answering()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._disarm_reading()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._disarm_reading()
        self._read_timer = self.loop.call_later(READ_PATIENCE * self.timeout_keep_alive, self.transport.abort)

    def resume_writing(self) -> None:
        self._disarm_reading()
        super().resume_writing()

    def _arm(self) -> None:
        self._disarm()
        self._connection_limit.waits(self)
        self._head_timer = self.loop.call_later(self.timeout_keep_alive, self._expired)

    def _disarm_when_answering(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._disarm()

    def _disarm(self) -> None:
        self._connection_limit.works(self)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _disarm_reading(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _expired(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()  # which waits for what is still to be read
            self._head_timer = self.loop.call_later(READ_PATIENCE * self.timeout_keep_alive, self.transport.abort)


class Server(uvicorn.Server):
    """Tells the service at the first signal, so that readiness fails while the work in flight is finished."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.admission.close()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; what a turn of the loop does not accept waits in the system's queue, which has room for a burst."""
        await super().startup(sockets)
        for listener in (each for server in self.servers for each in server.sockets):
            with socket.fromfd(listener.fileno(), listener.family, listener.type) as same:
                same.listen(LONGEST_BACKLOG)


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
        raise cannot_listen(error, settings.host, settings.port, host_setting="host", port_setting="port") from error


def make_server(service: Service) -> Server:
    """A server for the service's own settings; `.run()` blocks until a signal. It binds, or takes `sockets=[...]`."""
    settings, limit = service.settings, ConnectionLimit.of_this_process()
    config = uvicorn.Config(
        create_app(service),
        host=settings.host,
        port=settings.port,
        http=cast("type[asyncio.Protocol]", partial(DeadlineProtocol, limit)),
        backlog=limit.backlog,
        loop="asyncio",  # the one that is tested; uvloop would be taken where something else has installed it
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # api/middleware.py writes the line, with the request's id
        server_header=False,
        # Annotated as whole seconds, but both only reach the event loop's timers, which take fractions.
        timeout_keep_alive=cast("int", settings.idle_timeout_s),
        timeout_graceful_shutdown=cast("int", settings.drain_s),
    )
    return Server(config, service)
