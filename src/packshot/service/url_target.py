"""Parses callers' URLs strictly, and knows which addresses are public.

No other parser of the URL, in the DNS or in a library, may see another host than the guard has checked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import quote

Address = IPv4Address | IPv6Address

MAX_URL_CHARACTERS = 4096
PORTS = {"https": 443, "http": 80}

_AUTHORITY = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")
_TARGET = re.compile(r"[!-\[\]-~]*")  # visible ASCII except the backslash
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# Some resolvers read names with a numeric last label as IPv4 addresses: 127.1, 2130706433, 0x7f.1.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}")

# Addresses outside the public internet, from IANA's registries of special-purpose addresses. Listed in full, because
# the standard library's idea of global addresses changes between releases.
_NOT_PUBLIC_4 = tuple(
    IPv4Network(each)
    for each in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local; cloud metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocols
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved; broadcast
    )
)
# Outside this network are loopback, private, link-local and multicast addresses, and most addresses that embed an IPv4
# address: mapped, compatible, NAT64.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    IPv6Network(each)
    for each in (
        "2001::/23",  # protocols: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which embeds an IPv4 address
        "3fff::/20",  # documentation
    )
)
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})  # before an IPv4 address, in the lower half


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet and embeds no other address."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    if address.scope_id is not None or address not in _GLOBAL_UNICAST:
        return False
    isatap = (int(address) >> 32) & 0xFFFFFFFF in _ISATAP
    return not isatap and not any(address in network for network in _NOT_PUBLIC_6)


@dataclass(frozen=True)
class Target:
    """A parsed URL. host: a name or an address, in lower case. target: path and query, percent-encoded."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def address(self) -> Address | None:
        """The host if it is an address, else None."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    @property
    def has_usual_port(self) -> bool:
        return self.port == PORTS[self.scheme]

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.has_usual_port else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def read_url(url: str, schemes: Sequence[str]) -> Target:
    """Parse a URL in its usual spelling and drop its fragment. Rejects every ambiguous URL.

    Raises
    ------
    ValueError
        The message completes "The URL ...".
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise ValueError(f"has {len(url):,} characters; the limit is {MAX_URL_CHARACTERS:,}")
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if scheme.startswith("data:"):
        raise ValueError("is a data: URL; send its content as a file, or in base64")
    if not separator or scheme not in schemes:
        raise ValueError(f"does not begin with {' or '.join(f'{each}://' for each in schemes)}")
    rest = rest.partition("#")[0]
    authority = re.split("[/?]", rest, maxsplit=1)[0]
    if "@" in authority:
        raise ValueError("contains a user name or a password")
    found = _AUTHORITY.fullmatch(authority.lower()) if authority.isascii() else None
    if found is None:
        raise ValueError("has an invalid host; write a name with non-ASCII characters in its xn-- form")
    port = int(found[2] or PORTS[scheme])
    if not 1 <= port <= 65535:
        raise ValueError("has a port outside 1 to 65535")
    target = "".join(each if each.isascii() else quote(each, errors="replace") for each in rest[len(authority) :])
    if not _TARGET.fullmatch(target):
        raise ValueError("has characters that must be percent-encoded, such as spaces")
    return Target(scheme, _host(found[1]), port, target if target.startswith("/") else f"/{target}")


def _host(host: str) -> str:
    """A name or an address in canonical spelling. Raises ValueError."""
    try:
        if host.startswith("["):
            return str(IPv6Address(host[1:-1]))
        if _DECIMAL.fullmatch(host):
            return str(IPv4Address(host))
    except ValueError:
        raise ValueError("has an invalid address as its host") from None
    if len(host) > 253 or not _NAME.fullmatch(host) or _NUMBER.fullmatch(host.rpartition(".")[2]):
        raise ValueError("has a host that is neither a name nor an address in its usual spelling")
    return host
