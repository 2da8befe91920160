"""A failing network: a TCP proxy in front of a real server. A test switches its faults on and off at run time."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

_PIECE_BYTES = 64 * 1024
_HEAD_BYTES = 2048  # a longer piece carries a body, and its last byte is the body's


@dataclass(frozen=True)
class Faults:
    """The current faults of the network; they also apply to open connections. up: towards the server."""

    latency_s: float = 0.0
    black_hole: bool = False  # accepts, but forwards nothing
    refuse: bool = False  # resets each connection at the first byte
    cut_up_after_bytes: int | None = None  # per connection; then a reset
    cut_down_after_bytes: int | None = None
    corrupt_up: bool = False  # flips one bit of each large piece
    corrupt_down: bool = False


class FaultProxy:
    """Forwards bytes between a server and the clients of `url`. Set `faults` at any time."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname, parts.port)
        self.faults = Faults()
        self.url = ""

    async def serve(self, ready: threading.Event) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        async with server:
            await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            _reset(writer)
            return
        up, down = self._pass_on(reader, up_writer, up=True), self._pass_on(up_reader, writer, up=False)
        passing = {asyncio.ensure_future(up), asyncio.ensure_future(down)}
        with contextlib.suppress(asyncio.CancelledError):  # the proxy's shutdown; asyncio would log it
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)  # when one side ends, both end
        for each in passing:
            each.cancel()
        await asyncio.gather(*passing, return_exceptions=True)
        _reset(writer)
        up_writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while piece := await reader.read(_PIECE_BYTES):
                while self.faults.black_hole:  # noqa: ASYNC110 - set from another thread
                    await asyncio.sleep(0.01)
                faults = self.faults
                if faults.refuse:
                    return
                await asyncio.sleep(faults.latency_s)
                if len(piece) > _HEAD_BYTES and (faults.corrupt_up if up else faults.corrupt_down):
                    piece = piece[:-1] + bytes([piece[-1] ^ 1])
                limit = faults.cut_up_after_bytes if up else faults.cut_down_after_bytes
                if limit is not None and passed + len(piece) > limit:
                    writer.write(piece[: max(0, limit - passed)])
                    await writer.drain()
                    return
                passed += len(piece)
                writer.write(piece)
                await writer.drain()


@contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """A proxy in front of the server at this URL, in its own thread."""
    proxy, ready = FaultProxy(upstream), threading.Event()
    loop = asyncio.new_event_loop()
    running = loop.create_task(proxy.serve(ready))

    def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(running)
        for task in (left := asyncio.all_tasks(loop)):
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.close()

    thread = threading.Thread(target=run, name="fault proxy")
    thread.start()
    try:
        assert ready.wait(10), "the proxy does not start"
        yield proxy
    finally:
        loop.call_soon_threadsafe(running.cancel)
        thread.join()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a reset, as a crashed host does, not with an orderly close."""
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
