"""One connection of a client: deadlines for what uvicorn waits for without end, and a bound on how many there are."""

from __future__ import annotations

import asyncio
import resource
import socket
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

# A stalled reader must take what is buffered between asyncio's marks, 48 KB, in this many times the idle deadline.
READ_PATIENCE = 6
# Files that are open beside connections: the database, results, what libraries open.
RESERVE = 256
LONGEST_BACKLOG = 2048
MOST_DESCRIPTORS = 65536


def raise_descriptor_limit() -> None:
    """Take as many descriptors as the system grants: the usual 1,024 are there for programs that call select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Room:
    """How many connections fit, and which one gives way when one more comes: the one that has waited longest.

    Without it the system refuses the one more (EMFILE). asyncio then tries as often as the backlog is long, logs each
    time and does the same a second later: 200 idle connections at 64 descriptors held up the whole service for 48 s.
    """

    def __init__(self, descriptors: int) -> None:
        """`descriptors` is how many files the process may have open."""
        self.backlog = max(1, min(LONGEST_BACKLOG, descriptors // 8))  # as many are accepted before any is closed
        self.limit = descriptors - self.backlog - min(RESERVE, descriptors // 4)
        self._waiting: dict[DeadlineProtocol, None] = {}  # in the order in which they began to wait

    @classmethod
    def of_this_process(cls) -> Room:
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

    def __init__(self, room: Room, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._room = room

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio sets it only on sockets that name their protocol, and those of socket.create_server do not: without it
        # the body of an answer waits 40 ms for the acknowledgement of its head on a kept connection.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._arm()
        self._room.keep(len(self.connections))

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
        self._room.waits(self)
        self._head_timer = self.loop.call_later(self.timeout_keep_alive, self._expired)

    def _disarm_when_answering(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._disarm()

    def _disarm(self) -> None:
        self._room.works(self)
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
