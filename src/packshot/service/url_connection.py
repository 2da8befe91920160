"""One HTTP request to checked addresses, through httpcore, which packshot[url] installs.

httpcore gets its connections from a network backend. The backend here resolves no names: it connects to the addresses
given to it. TLS still checks the certificate against the name in the URL.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from packshot import __version__

if TYPE_CHECKING:
    from packshot.service.url_target import Address, Target

MAX_HEAD_BYTES = 32 * 1024
"""Limit for everything before the body, interim responses included. The service's own callers have the same limit."""
_FOR_PICTURES: Mapping[str, str] = {"Accept": "image/*, */*;q=0.1"}
_FAULTS = (httpcore.NetworkError, httpcore.ProtocolError)


def trusted() -> ssl.SSLContext:
    """A TLS context that trusts certifi's certificate authorities, or those of SSL_CERT_FILE."""
    return httpx.create_ssl_context()


@asynccontextmanager
async def answer(
    target: Target,
    addresses: Sequence[Address],
    tls: ssl.SSLContext,
    patience_s: float,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] = _FOR_PICTURES,
) -> AsyncIterator[httpcore.Response]:
    """Send a GET, or a POST if `body` is set. Yields the response with its head read; its body is a stream.

    Connects to the first of the addresses that accepts. patience_s: seconds for connecting, shared by the addresses.

    Each request has its own pool: no proxy, no environment variable, no cookie, and no connection of another name.

    Raises
    ------
    ConnectionError
        With a message that completes "The URL ..."; also while the body is read.
    TimeoutError
    """
    backend = _CheckedBackend(addresses, patience_s / len(addresses))
    url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.target)
    head: dict[str, str] = {
        "Host": target.authority,
        "User-Agent": f"packshot/{__version__}",
        "Accept-Encoding": "identity",
        "Connection": "close",
        **headers,
    }
    if body is not None:
        head["Content-Length"] = str(len(body))
    method = "GET" if body is None else "POST"
    try:
        async with httpcore.AsyncConnectionPool(ssl_context=tls, network_backend=backend) as pool:
            response = await pool.handle_async_request(
                httpcore.Request(method, url, headers=list(head.items()), content=body)
            )
            backend.head_has_come()
            try:
                yield response
            finally:
                await response.aclose()
    except httpcore.TimeoutException as error:
        raise TimeoutError from error
    except _FAULTS as error:
        raise ConnectionError(_why(error)) from error


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to one of the given addresses and ignores the requested name."""

    def __init__(self, addresses: Sequence[Address], connect_s: float) -> None:
        self._addresses = addresses
        self._connect_s = connect_s
        self._system = httpcore.AnyIOBackend()
        self._streams: list[_HeadLimit] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        *others, last = map(str, self._addresses)
        for address in others:
            try:
                return await self._open(address, port, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._open(last, port, local_address, socket_options)

    async def _open(
        self, address: str, port: int, local_address: str | None, socket_options: Iterable[Any] | None
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._system.connect_tcp(address, port, self._connect_s, local_address, socket_options)
        return _HeadLimit(stream, self._streams)

    def head_has_come(self) -> None:
        """Lift the limit of the head. The reader of the body counts its own bytes."""
        for stream in self._streams:
            stream.left_bytes = None


class _HeadLimit(httpcore.AsyncNetworkStream):
    """A connection that limits the bytes of the head. `left_bytes` None lifts the limit.

    A server may send endless interim responses (1xx), and each costs the event loop time.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream, all_streams: list[_HeadLimit]) -> None:
        self._stream = stream
        self._all_streams = all_streams
        self.left_bytes: int | None = MAX_HEAD_BYTES
        all_streams.append(self)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        if self.left_bytes is None:
            return await self._stream.read(max_bytes, timeout)
        if not self.left_bytes:
            raise httpcore.ReadError("the head is too long")
        data = await self._stream.read(min(max_bytes, self.left_bytes), timeout)
        self.left_bytes -= len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        return _HeadLimit(await self._stream.start_tls(ssl_context, server_hostname, timeout), self._all_streams)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _why(error: BaseException) -> str:
    """A reason that reveals nothing of the server's response."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "leads to a server whose certificate is not valid for its name"
        cause = cause.__cause__ or cause.__context__
    return "leads to a server that cannot be reached, or that breaks the HTTP protocol"
