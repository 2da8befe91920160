"""Types of settings that are written as text: lists, hosts, networks, origins, named places. Each parses and checks.

A validator raises Fault with a message for the operator. Any other ValueError means that the setting's form suffices.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from packshot.service.environment import Fault

_HOST = re.compile(r"\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_PLACE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
# `https://HOST`, with an optional port, or with `*.` for every host below. Apps and extensions have their own schemes.
_ORIGIN = re.compile(
    r"([a-z][a-z0-9+.-]*)://((?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}  # browsers leave these out


def is_loopback_name(host: str) -> bool:
    """Whether a host name or an address always means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"  # any other name may resolve to any address


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(each.strip() for each in value.replace("\n", ",").split(",") if each.strip())


def _once_each(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value))


def _hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    if not all(map(_HOST.fullmatch, value)):
        raise ValueError
    return tuple(each.lower() for each in value)


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_network(each)) for each in value)


def _origins(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each if each == "*" else _origin(each) for each in value)


def _origin(text: str) -> str:
    """An origin as browsers send it: lower case, without a default port. Raises Fault for any other text."""
    if text.lower() == "null":
        raise Fault("any page can have the origin null, in a sandboxed frame; set * to allow every page.")
    found = _ORIGIN.fullmatch(text.lower().removesuffix("/"))
    if found is None:
        raise Fault(f"{text} is no origin. Write scheme://host or scheme://host:port, in ASCII and without a path.")
    scheme, host, port = found.groups()
    if port is None or int(port) == _DEFAULT_PORTS.get(scheme):
        return f"{scheme}://{host}"
    if not 1 <= int(port) <= 65535:
        raise Fault(f"{text} has a port outside 1 to 65535.")
    return f"{scheme}://{host}:{int(port)}"


def _pairs(value: object) -> object:
    found = _split(value)
    if not isinstance(found, tuple):
        return value
    pairs = [each.partition("=") for each in found]
    places = {name.strip(): place.strip() for name, _, place in pairs}
    if len(places) < len(pairs) or not all(places.values()):
        raise ValueError
    return places


def _named(value: dict[str, str]) -> dict[str, str]:
    if not all(map(_PLACE_NAME.fullmatch, value)):
        raise Fault("a name consists of letters, digits, dots, hyphens and underscores.")
    return value


ANY_CASE = BeforeValidator(_lower)
"""For a word: ignores case."""
LISTED = BeforeValidator(_split)
"""For a tuple: splits the text at commas and line ends."""
ONCE_EACH = AfterValidator(_once_each)
"""For a tuple: drops repeated values."""
Hosts = Annotated[tuple[str, ...], LISTED, AfterValidator(_hosts)]
"""Host names. A name that begins with a dot also stands for every name below it."""
Networks = Annotated[tuple[str, ...], LISTED, AfterValidator(_networks)]
Origins = Annotated[tuple[str, ...], LISTED, AfterValidator(_origins)]
"""Origins of web pages as browsers send them, or `*`."""
Places = Annotated[dict[str, str], BeforeValidator(_pairs), AfterValidator(_named)]
"""Places by name, written as `NAME=PLACE`."""
