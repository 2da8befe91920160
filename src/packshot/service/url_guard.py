"""The guard for callers' URLs: decides which the service may open, and at which addresses.

A caller's URL makes this machine connect to an address (server-side request forgery). So the guard parses the URL
strictly and resolves its name once. Every address of the name must be public. The connection goes to a checked address,
so no second DNS lookup can lead elsewhere.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from ipaddress import ip_address, ip_network

from packshot.errors import BadSettings, UrlRefused
from packshot.service.url_target import Address, Target, is_public, read_url

MAX_ADDRESSES = 64  # of one name; large sites have a dozen
TRIED_ADDRESSES = 3
_SCHEMES: dict[str, tuple[str, ...]] = {"off": (), "https": ("https",), "http": ("https", "http")}


class UrlGuard:
    """The operator's rules for URLs of one purpose.

    schemes: allowed schemes; empty if the operator has not turned the purpose on. tls: trusted certificate authorities.
    lookups: separate threads, because a name server that does not answer holds one for half a minute.
    """

    def __init__(self, allowed: str, hosts: Sequence[str], networks: Sequence[str], threads: int, setting: str) -> None:
        """allowed: off, https or http. setting: the name of the variable with this value.

        Raises BadSettings if `allowed` is not off and packshot[url] is not installed.
        """
        self.schemes = _SCHEMES[allowed]
        self.setting = setting
        self.hosts = tuple(hosts)
        self.networks = tuple(map(ip_network, networks))
        self.tls = _trusted(setting) if self.schemes else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody
        self.lookups = ThreadPoolExecutor(threads, thread_name_prefix="lookup")

    def close(self) -> None:
        """Release the threads. Abandons one that waits for a name server."""
        self.lookups.shutdown(wait=False)

    def read(self, url: str) -> Target:
        """Parse a URL, without a DNS lookup.

        Raises
        ------
        ValueError
            The message completes "The URL ...".
        """
        return read_url(url, self.schemes)

    def check(self, target: Target) -> None:
        """Raise ValueError unless the operator allows the host. The message completes "The URL ..."."""
        if self.hosts and not any(_is_listed(target.host, each) for each in self.hosts):
            raise ValueError("has a host that is not among those that this service opens")

    def check_text(self, url: str, *, field: str, hint: str) -> None:
        """Check the text of a URL, without a DNS lookup. Raises UrlRefused if it may not be opened."""
        try:
            self.check(self.read(url))
        except ValueError as error:
            raise UrlRefused(f"The URL in {field} {error}.", hint=hint, field=field) from error

    def check_on(self, *, field: str, why: str, hint: str) -> None:
        """Raise UrlRefused, with `why` and `hint`, unless the operator has turned this purpose on."""
        if not self.schemes:
            raise UrlRefused(f"{field} cannot be used: {why}.", hint=f"{hint} with {self.setting}.", field=field)

    def look_up(self, target: Target) -> Future[list[Address]]:
        """Look up all addresses of the host. The future ends even when its caller has stopped waiting."""
        known = target.address
        if known is None:
            return self.lookups.submit(_resolve, target.host, target.port)
        found: Future[list[Address]] = Future()
        found.set_result([known])
        return found

    async def addresses(self, target: Target, lookup: Future[list[Address]]) -> Sequence[Address]:
        """The first addresses to connect to, after a check of all addresses of the host.

        Raises
        ------
        ValueError
            The message completes "The URL ...".
        """
        found = await asyncio.wrap_future(lookup)
        if not 0 < len(found) <= MAX_ADDRESSES or not all(self._may_open(each, target) for each in found):
            raise ValueError("cannot be opened; it must lead to a public address and the usual port of http or https")
        return found[:TRIED_ADDRESSES]

    def _may_open(self, address: Address, target: Target) -> bool:
        if any(address in network for network in self.networks):
            return True
        return target.has_usual_port and is_public(address)


def _is_listed(host: str, entry: str) -> bool:
    """Whether an entry of the operator's list is the host, or, like .example.com, a domain above the host."""
    return host == entry.removeprefix(".") or (entry.startswith(".") and host.endswith(entry))


def _resolve(host: str, port: int) -> list[Address]:
    """Every address of a name, in the system's order of preference; empty for an unknown name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(ip_address(str(address[0])) for *_, address in found))


def _trusted(setting: str) -> ssl.SSLContext:
    try:
        from packshot.service.url_connection import trusted  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise BadSettings(f"{setting} needs httpx.", hint="Install packshot[url].") from error
    return trusted()
