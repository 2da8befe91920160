"""The HTTP server: uvicorn with idle deadlines, a limit on connections, and a drain at shutdown."""

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

# A slow client must read asyncio's write buffer (48 KB between the watermarks) in this many times the idle deadline.
READ_PATIENCE = 6
# Descriptors for other files than connections: the database, results, files that libraries open.
RESERVE = 256
LONGEST_BACKLOG = 2048
# Turns of asyncio's loop from accept() until the oldest connection is closed: accept, create the transport,
# `connection_made`, `connection_lost`. Each turn accepts backlog + 1 connections.
TURNS_UNTIL_CLOSED = 4
MOST_DESCRIPTORS = 65536
# Bytes that are read and dropped after a bad request. A client that sends more may get a reset instead of the answer.
MOST_DROPPED_BYTES = 1024 * 1024


def raise_descriptor_limit() -> None:
    """Raise the descriptor limit as far as the system allows. The usual 1,024 only protects programs with select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run_in(context: Context, function: Callable[..., T], *arguments: Any) -> T:
    """Call a function in a copy of a context. A copy can be entered even while the context itself is active."""
    return context.copy().run(function, *arguments)


class ConnectionLimit:
    """Limits the number of connections: one too many closes the connection that has been idle longest.

    Without the limit, accept() fails with EMFILE. asyncio then retries once per backlog entry, logs each failure, and
    repeats this every second. With 64 descriptors, 200 idle connections blocked the whole service for 48 s.
    """

    def __init__(self, descriptors: int) -> None:
        """descriptors: files that the process may have open. `backlog` is the connections that a loop turn accepts."""
        self.backlog = max(3, min(LONGEST_BACKLOG, descriptors // 32))
        self.limit = descriptors - TURNS_UNTIL_CLOSED * (self.backlog + 1) - min(RESERVE, descriptors // 4)
        self._waiting: dict[DeadlineProtocol, None] = {}  # in the order in which they began to wait

    @classmethod
    def of_this_process(cls) -> ConnectionLimit:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls(1_000_000 if soft == resource.RLIM_INFINITY else soft)

    def waits(self, connection: DeadlineProtocol) -> None:
        """Mark a connection as idle: it has no request in progress."""
        self._waiting.pop(connection, None)
        self._waiting[connection] = None

    def works(self, connection: DeadlineProtocol) -> None:
        """Mark a connection as busy or closed."""
        self._waiting.pop(connection, None)

    def keep(self, open_: int) -> None:
        """Enforce the limit. Called with the number of open connections after a new, idle one was added."""
        if open_ > self.limit:
            oldest = next(iter(self._waiting))
            self.works(oldest)
            oldest.transport.abort()


class _Transport:
    """A connection's transport. close() calls the protocol's `close`; close_now() closes the transport itself.

    All methods run in the connection's context. asyncio runs a callback in the context that registered it. Without
    this class, reading that a request's task resumes would continue under that request's id.
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
    """Passes only unambiguous bytes to the parser: a validated head (api/framing.py), then bytes of its body.

    A rejected head reaches the application as a request for its path, with the fault attached. So the error response
    has the dialect's form, a request id and a log line. After a fault the server parses nothing more on the connection.

    Work between requests runs in the context in which the connection was accepted, so its log lines have no request id.
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
        """Process buffered bytes. Called on new data and after each response: the next request may be buffered."""
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
                elif state in {h11.MUST_CLOSE, h11.CLOSED, h11.ERROR}:  # the client announced its last request
                    self._unread.clear()
                else:
                    self.flow.pause_reading()  # until this request is answered
                    return
            except PackshotError as fault:
                self._refuse(fault, head=bytes(self._unread) if state is h11.IDLE else b"")

    def send_400_response(self, msg: str) -> None:
        """Called when the parser rejects bytes that the check of the framing let through."""
        fault = MalformedRequest("The request is not valid HTTP/1.1.", hint="Send a request that follows RFC 9112.")
        self._refuse(fault, head=self._head_given)

    def on_response_complete(self) -> None:
        """Called in the task of the answered request."""
        run_in(self._context, self._go_on)

    def _go_on(self) -> None:
        answered = self._reading
        super().on_response_complete()  # starts the next pipelined request
        if answered.fault is not None:
            self.transport.close()

    def _should_upgrade(self) -> bool:
        """Ignore every offer to upgrade (RFC 9110, 7.8). Java's HTTP client sends one with each request."""
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
        """Let the application answer, and ignore further bytes. head: the bad head; empty if the body is bad."""
        self._deaf = True
        self._unread.clear()
        if head:
            self.conn = h11.Connection(h11.SERVER)
            self._give_head(substitute_for(head))
        self._reading.fault = fault
        if self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.message_event.set()  # wakes a handler that waits for the body: it gets the fault

    def _drop(self, data: bytes) -> None:
        self._dropped_bytes += len(data)
        if self._reading.fault is not None and self._dropped_bytes > MOST_DROPPED_BYTES:
            if self._side.lingers:
                self.transport.abort()
            else:
                self.transport.pause_reading()  # until the answer is there

    def _close(self) -> None:
        """Close only our side while the client still sends. A full close would lose the response (RFC 9112, 9.6).

        The server drops further bytes until the client closes, a deadline passes, or a faulty request sends too many.
        """
        flood = self._dropped_bytes > MOST_DROPPED_BYTES and self._reading.fault is not None
        if flood or (self.conn.their_state is not h11.SEND_BODY and self._reading.fault is None):
            self._side.close_now()
        elif not self.transport.is_closing():
            self._deaf = self._side.lingers = True
            self.transport.resume_reading()
            self.transport.write_eof()


class DeadlineProtocol(GuardedProtocol):
    """Closes connections that do not send a whole request head in time, or do not read their response.

    uvicorn starts its idle timeout only after a response. Without these timers, a client that sends or reads one byte a
    minute would stay connected for ever. The timers also end the dropping of a rejected body.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _read_timer: asyncio.TimerHandle | None = None

    def __init__(self, limit: ConnectionLimit, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._connection_limit = limit

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio sets TCP_NODELAY only on sockets with an explicit protocol number; socket.create_server gives none.
        # Without the flag, on a kept-alive connection the body waits 40 ms for the acknowledgement of the head.
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
            self._side.close_now()  # waits until the client has read the buffer
            self._head_timer = self.loop.call_later(READ_PATIENCE * self.timeout_keep_alive, self.transport.abort)


class Server(uvicorn.Server):
    """Stops admission at the first signal: readiness fails while the service finishes running work."""

    def __init__(self, config: uvicorn.Config, service: Service, on_ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._service = service
        self._on_ready = on_ready

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.admission.close()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, with a long kernel queue: connections of a burst wait there until the loop accepts them."""
        await super().startup(sockets)
        for listener in (each for server in self.servers for each in server.sockets):
            with socket.fromfd(listener.fileno(), listener.family, listener.type) as same:
                same.listen(LONGEST_BACKLOG)
        if self.started:
            self._on_ready()


def bind(settings: Settings) -> socket.socket:
    """Return the listening socket. Called before a first key is created: a busy port must not waste one.

    Raises
    ------
    BadSettings
        The service cannot listen on the address.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise cannot_listen(error, settings.host, settings.port, host_setting="host", port_setting="port") from error


def make_server(service: Service, on_ready: Callable[[], object] = lambda: None) -> Server:
    """Build a server from the service's settings. `.run()` binds, or takes `sockets=[...]`, and blocks until a signal.

    on_ready: called when the server accepts requests; must not block.
    """
    settings, limit = service.settings, ConnectionLimit.of_this_process()
    config = uvicorn.Config(
        create_app(service),
        host=settings.host,
        port=settings.port,
        http=cast("type[asyncio.Protocol]", partial(DeadlineProtocol, limit)),
        backlog=limit.backlog,
        loop="asyncio",  # the tested loop; uvicorn would otherwise pick uvloop if it is installed
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # api/middleware.py writes the access log, with request ids
        server_header=False,
        # uvicorn annotates both as int, but only passes them to event loop timers, which accept fractions.
        timeout_keep_alive=cast("int", settings.idle_timeout_s),
        timeout_graceful_shutdown=cast("int", settings.drain_s),
    )
    return Server(config, service, on_ready)
