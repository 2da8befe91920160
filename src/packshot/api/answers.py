"""What the answers of all dialects have in common: the request's id, the headers of a failure, and what it may say."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from packshot.errors import PackshotError

Failure = Callable[[Request, PackshotError], Response]
"""A dialect's answer to an error."""

# What a caller may know of a fault that is ours: nothing but the request_id beside it.
INTERNAL_MESSAGE = "Please send the request again later; if it goes on, tell the operator this request_id."


def request_id_of(request: Request) -> str:
    """The id that the outermost middleware gave to this request: an upper-case UUID."""
    request_id: str = request.scope["request_id"]
    return request_id


def failure_headers(error: PackshotError) -> dict[str, str]:
    """Failures are not kept by caches, and say when to come again where that is known."""
    headers = {"Cache-Control": "no-store"}
    retry_after_s = getattr(error, "retry_after_s", None)
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    return headers
