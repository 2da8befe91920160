"""The HTTP server: uvicorn with deadlines for what it waits for, a bound on connections, and a drain at the end."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from types import FrameType
from typing import Any, TypeVar, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from packshot.api.app import create_app
from packshot.api.errors import MalformedRequest
from packshot.api.framing import READING, Body, Head, Reading, SizedBody, substitute_for, take_head
from packshot.errors import PackshotError
from packshot.service.build import Service
from packshot.service.environment import cannot_listen
from packshot.service.settings import Settings

T = TypeVar("T")

# A stalled reader must take what is buffered between asyncio's marks, 48 KB, in this many times the idle deadline.
READ_PATIENCE = 6
# Files that are open beside connections: the database, results, what libraries open.
RESERVE = 256
LONGEST_BACKLOG = 2048
# Turns of asyncio's loop from accept() to the close of the connection that gives way: accepted, its transport made,
# `connection_made`, `connection_lost`. Each turn accepts as many as the backlog is long, and one more.
TURNS_UNTIL_CLOSED = 4
MOST_DESCRIPTORS = 65536
# After a request at fault: whoever sends no more than that gets the answer. Others may, or meet a reset.
MOST_DROPPED_BYTES = 1024 * 1024


def raise_descriptor_limit() -> None:
    """Take as many descriptors as the system grants: the usual 1,024 are there for programs that call select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run_in(context: Context, function: Callable[..., T], *arguments: Any) -> T:
    """Call a function in a copy of a context, which works within the context itself too."""
    return context.copy().run(function, *arguments)


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


class _Transport:
    """A connection's transport. close() is the protocol's own, close_now() what it was.

    All of it runs in the connection's context: asyncio calls back in the context of the call that asked for it, so
    the reading that a request's task resumes would go on in the name of that request.
    """

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None], context: Context) -> None:
        self._transport = transport
        self._context = context
        self.close = close
        self.lingers = False  # our side is closed, the client's is not

    def close_now(self) -> None:
        run_in(self._context, self._transport.close)

    def __getattr__(self, name: str) -> Any:
        return partial(run_in, self._context, getattr(self._transport, name))

    def is_closing(self) -> bool:
        return self.lingers or self._transport.is_closing()


class GuardedProtocol(H11Protocol):
    """Hands the parser what is one thing only: a head that was looked at (api/framing.py), then bytes of its body.

    A head that is refused reaches the application as a request for its path, with the fault beside it: its answer has
    the dialect's form, an id and a line in the log. After a fault the connection is read no more.

    The server's own work between requests carries no request's id in the log: it runs in the context in which the
    connection was accepted.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._unread = bytearray()
        self._body: Body = SizedBody(0)
        self._reading = Reading()
        self._head_given = b""  # while the parser has it
        self._deaf = False
        self._dropped_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._context = copy_context()
        self._side = _Transport(transport, self._close, self._context)
        super().connection_made(cast("asyncio.Transport", self._side))

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._drop(data)
            return
        self._unset_keepalive_if_required()
        self._unread += data
        self.handle_events()

    def handle_events(self) -> None:
        """Called with what came, and when an answer is complete: the next request may be here already."""
        while self._unread and not self._deaf:
            state = self.conn.their_state
            try:
                if state is h11.IDLE:
                    head = take_head(self._unread)
                    if head is None:
                        return
                    self._give_head(head)
                elif state is h11.SEND_BODY:
                    piece = self._body.take(self._unread)
                    if not piece:
                        return
                    self.conn.receive_data(piece)
                    super().handle_events()
                elif state in {h11.MUST_CLOSE, h11.CLOSED, h11.ERROR}:  # it said that it would send no more
                    self._unread.clear()
                else:
                    self.flow.pause_reading()  # until this request is answered
                    return
            except PackshotError as fault:
                self._refuse(fault, head=bytes(self._unread) if state is h11.IDLE else b"")

    def send_400_response(self, msg: str) -> None:
        """Called where the parser is stricter than the look at the bytes was."""
        fault = MalformedRequest("The request is not one of HTTP/1.1.", hint="Send it as RFC 9112 has it.")
        self._refuse(fault, head=self._head_given)

    def on_response_complete(self) -> None:
        """Called in the task of the request that is answered."""
        run_in(self._context, self._go_on)

    def _go_on(self) -> None:
        answered = self._reading
        super().on_response_complete()  # begins the next request, when it came along with this one
        if answered.fault is not None:
            self.transport.close()

    def _should_upgrade(self) -> bool:
        """An offer of another protocol, as Java's client makes with each request, may be ignored (RFC 9110, 7.8)."""
        return False

    def shutdown(self) -> None:
        if self._side.lingers:
            self.transport.abort()
        else:
            super().shutdown()

    def _give_head(self, head: Head) -> None:
        self._body, self._reading, self._head_given = head.body, Reading(), head.data
        self.conn.receive_data(head.data)
        super().handle_events()
        self._head_given = b""
        # The task of the request has not run yet.
        cast("dict[str, Any]", self.scope)[READING] = self._reading

    def _refuse(self, fault: PackshotError, head: bytes) -> None:
        """Let the application answer, and be deaf to the rest. `head` where that is at fault, empty where a body is."""
        self._deaf = True
        self._unread.clear()
        if head:
            self.conn = h11.Connection(h11.SERVER)
            self._give_head(substitute_for(head))
        self._reading.fault = fault
        if self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.message_event.set()  # a handler that waits for the body meets the fault

    def _drop(self, data: bytes) -> None:
        self._dropped_bytes += len(data)
        if self._reading.fault is not None and self._dropped_bytes > MOST_DROPPED_BYTES:
            if self._side.lingers:
                self.transport.abort()
            else:
                self.transport.pause_reading()  # until the answer is there

    def _close(self) -> None:
        """Close our side first where the client still sends: closed at once, it would lose the answer (RFC 9112, 9.6).

        The rest is read and dropped until the client closes, or a deadline passes, or it is a flood after a fault.
        """
        flood = self._dropped_bytes > MOST_DROPPED_BYTES and self._reading.fault is not None
        if flood or (self.conn.their_state is not h11.SEND_BODY and self._reading.fault is None):
            self._side.close_now()
        elif not self.transport.is_closing():
            self._deaf = self._side.lingers = True
            self.transport.resume_reading()
            self.transport.write_eof()


class DeadlineProtocol(GuardedProtocol):
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

    def _go_on(self) -> None:
        self._arm()
        super()._go_on()
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
        if self._side.lingers:
            self.transport.abort()
        elif not self.transport.is_closing():
            self._side.close_now()  # which waits for what is still to be read
            self._head_timer = self.loop.call_later(READ_PATIENCE * self.timeout_keep_alive, self.transport.abort)


class Server(uvicorn.Server):
    """Tells the service at the first signal, so that readiness fails while the work in flight is finished."""

    def __init__(self, config: uvicorn.Config, service: Service, on_ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._service = service
        self._on_ready = on_ready

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.admission.close()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; what a turn of the loop does not accept waits in the system's queue, which has room for a burst."""
        await super().startup(sockets)
        for listener in (each for server in self.servers for each in server.sockets):
            with socket.fromfd(listener.fileno(), listener.family, listener.type) as same:
                same.listen(LONGEST_BACKLOG)
        if self.started:
            self._on_ready()


def bind(settings: Settings) -> socket.socket:
    """The listening socket, before anything else is made: a port that is taken must not cost a key.

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


def make_server(service: Service, on_ready: Callable[[], object] = lambda: None) -> Server:
    """A server for the service's own settings; `.run()` blocks until a signal. It binds, or takes `sockets=[...]`.

    on_ready: called once it answers; it must not block.
    """
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
    return Server(config, service, on_ready)
