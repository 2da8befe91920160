"""Where a request's API key stands."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request


def key_of(request: Request, headers: Iterable[str]) -> str | None:
    """The key in the first of these headers that says something, or None."""
    return next((request.headers[name] for name in headers if request.headers.get(name)), None)


def bearer_key(request: Request) -> str | None:
    """The key in `Authorization: Bearer KEY`, or None."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None
