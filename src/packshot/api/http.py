"""HTTP semantics that endpoints share: media types (Accept), partial downloads (Range), disconnected clients."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

T = TypeVar("T")

_MEDIA_RANGE = re.compile(r"\s*([\w!#$&^.+*-]+)/([\w!#$&^.+*-]+)\s*(;.*)?", re.DOTALL)
_QUALITY = re.compile(r";\s*q\s*=\s*([^;\s]*)", re.IGNORECASE)
_BYTE_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def request_id_of(request: Request) -> str:
    """The id that RequestContext gave to this request: an upper-case UUID."""
    request_id: str = request.scope["request_id"]
    return request_id


def is_below(path: str, prefix: str) -> bool:
    """Whether a path is the prefix itself or is below it."""
    return path == prefix or path.startswith(prefix + "/")


def plain_path(path: str) -> str:
    """The path without double and trailing slashes."""
    return "/" + "/".join(part for part in path.split("/") if part)


def wildcard_pattern(origins: Iterable[str]) -> str | None:
    """A regular expression for origins with a wildcard, such as `https://*.shop.example`; None without such origins."""
    below = [re.escape(origin).replace(r"\*", "[a-z0-9_.-]+") for origin in origins if "://*." in origin]
    return "|".join(below) or None


def is_among(origin: str, origins: Sequence[str]) -> bool:
    """Whether `origins`, in the setting's form, allow this origin."""
    pattern = wildcard_pattern(origins)
    return "*" in origins or origin in origins or bool(pattern and re.fullmatch(pattern, origin))


async def cancelled_when_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Run `work`, and cancel it when the client disconnects. The request's body must have been read.

    Raises
    ------
    ClientDisconnect
        The client disconnected first.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        watching.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def accepted(request: Request) -> str:
    """All Accept headers of a request, joined into one."""
    return ", ".join(request.headers.getlist("accept"))


def preferred(accept: str, offers: Sequence[str]) -> str | None:
    """The offer that an Accept header prefers (RFC 9110, 12.5.1), or None if it accepts none.

    The most specific range that matches an offer sets its quality. Among equal qualities the more specific match wins
    (an HTTP library's "application/json, */*" means JSON), then the earlier offer. An empty header accepts all offers.
    Parts that cannot be parsed are ignored.
    """
    ranges = [found for part in accept.split(",") if (found := _media_range(part))]
    if not ranges:
        return offers[0]
    liked = {offer: _liking(offer, ranges) for offer in offers}
    best = max(offers, key=lambda offer: liked[offer])
    return best if liked[best][0] > 0 else None


def _media_range(part: str) -> tuple[str, str, float] | None:
    """(type, subtype, quality) of one part, or None."""
    found = _MEDIA_RANGE.fullmatch(part)
    if not found:
        return None
    quality = _QUALITY.search(found[3] or "")
    try:
        value = float(quality[1]) if quality else 1.0
    except ValueError:
        return None
    return (found[1].lower(), found[2].lower(), value) if 0 <= value <= 1 else None


def _liking(offer: str, ranges: list[tuple[str, str, float]]) -> tuple[float, int]:
    """(quality, specificity): 2 for the type itself, 1 for image/*, 0 for */*."""
    kind, _, subtype = offer.partition("/")
    said = {
        (2 if sub == subtype else 1 if main == kind else 0): quality
        for main, sub, quality in ranges
        if main in {kind, "*"} and sub in {subtype, "*"} and not (main == "*" and sub != "*")
    }
    exactness = max(said, default=0)
    return said.get(exactness, 0.0), exactness


def requested_range(header: str | None, size_bytes: int) -> range | None:
    """The bytes that a Range header requests; None for all of them, and for headers that are not supported.

    Only a single byte range is supported (RFC 9110, 14.1.2). An empty range means not satisfiable: 416.
    """
    found = _BYTE_RANGE.fullmatch(header.strip()) if header else None
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found[1], found[2]
    if not first:
        return range(max(0, size_bytes - int(last)), size_bytes)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(size_bytes, int(last) + 1) if last else size_bytes)


async def part_of(chunks: AsyncIterator[bytes], span: range) -> AsyncIterator[bytes]:
    """Yield the span. Reads and drops those before it, because the store checks the whole file's digest."""
    offset = 0
    async for chunk in chunks:
        piece = chunk[max(0, span.start - offset) : max(0, span.stop - offset)]
        offset += len(chunk)
        if piece:
            yield piece
