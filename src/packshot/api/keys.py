"""Where a request's API key stands, and what is left of its rate limit."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.types import Scope

from packshot.errors import RateLimited
from packshot.service.rate_limit import Window

if TYPE_CHECKING:
    from packshot.service.accounts import KeyInfo
    from packshot.service.build import Service

_WINDOW = "rate_window"  # in the request's scope, for the headers of whatever answer it gets


async def admit(service: Service, request: Request, key: str | None) -> KeyInfo:
    """Whose key this is, after its rate limit; the answer will tell what is left of that.

    Raises
    ------
    MissingKey, UnknownKey, LockedKey, RateLimited, DatabaseUnavailable, LimiterUnavailable
    """
    try:
        info, request.scope[_WINDOW] = await service.admit(key)
    except RateLimited as error:
        request.scope[_WINDOW] = Window(int(str(error.fields["limit"])), 0, int(str(error.fields["resets_at"])))
        raise
    return info


def rate_headers(scope: Scope) -> dict[str, str]:
    """What is left of the key's limit, under both names in use; nothing where there is none.

    RateLimit-Reset counts seconds from now, X-RateLimit-Reset since 1970.
    """
    window: Window | None = scope.get(_WINDOW)
    if window is None:
        return {}
    counts = {"Limit": str(window.limit), "Remaining": str(window.remaining)}
    headers = {f"{prefix}RateLimit-{name}": count for prefix in ("", "X-") for name, count in counts.items()}
    wait_s = max(0, int(window.resets_at - time.time()))
    return headers | {"RateLimit-Reset": str(wait_s), "X-RateLimit-Reset": str(window.resets_at)}


def key_of(request: Request, headers: Iterable[str]) -> str | None:
    """The key in the first of these headers that says something, or None."""
    return next((request.headers[name] for name in headers if request.headers.get(name)), None)


def bearer_key(request: Request) -> str | None:
    """The key in `Authorization: Bearer KEY`, or None."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None
