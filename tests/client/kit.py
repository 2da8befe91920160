"""Both clients behind one interface, and responses as the service gives them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from typing import Any

import httpx

from packshot.client import AsyncClient, Client
from tests.kit.scripted import Script, answers, says

KEY = "pk_test_secret"
PICTURE = b"the bytes of a picture"
# Reading all authorities per connection would take half of the tests' time, and no connection here is encrypted.
UNUSED = SSLContext(PROTOCOL_TLS_CLIENT)
Call = Callable[..., Any]


def waiting(
    url: str, method: str, *args: Any, patience: dict[str, Any] | None = None, key: str = KEY, **options: Any
) -> Any:
    """One call of Client."""
    with httpx.Client(verify=UNUSED) as http, Client(url, key, http=http, **(patience or {})) as client:
        return getattr(client, method)(*args, **options)


def on_asyncio(
    url: str, method: str, *args: Any, patience: dict[str, Any] | None = None, key: str = KEY, **options: Any
) -> Any:
    """The same call of AsyncClient."""

    async def call() -> Any:
        async with (
            httpx.AsyncClient(verify=UNUSED) as http,
            AsyncClient(url, key, http=http, **(patience or {})) as client,
        ):
            return await getattr(client, method)(*args, **options)

    return asyncio.run(call())


REPORT = {
    "name": "amazon",
    "title": "Amazon, main image",
    "passed": False,
    "checks": [
        {"rule": "fill", "passed": False, "measured": 0.71, "asked": 0.85, "message": "The product fills 71 %."},
        {"rule": "background", "passed": True, "measured": "white", "asked": "white", "message": "It is white."},
    ],
}


def made(url: str, **other: object) -> dict[str, object]:
    """The response of POST /v1/packshots to a client that accepts JSON."""
    return {
        "request_id": "5F4DBB66",
        "url": url,
        "expires_at": "2026-03-02T12:00:00Z",
        "media_type": "image/jpeg",
        "width": 2000,
        "height": 1500,
        "bytes": len(PICTURE),
        "photo": {"width": 640, "height": 480},
        "box": {"left": 10, "top": 20, "right": 110, "bottom": 220},
        "product": {"left": 150, "top": 0, "right": 1850, "bottom": 1500},
        "confidence": 0.93,
        "review": False,
        "notes": ["The product is small."],
        "note_facts": [{"code": "too-small", "asked": 1000}],
        "preset": REPORT,
        "timings_ms": {"decode": 3.5},
        **other,
    }


def signed(base: str) -> str:
    return f"{base}/results/abc.jpg?expires=1&signature=x"


def serves(base: str = "https://public.example.com") -> list[Script]:
    """The two responses that make a packshot."""
    return [says(made(signed(base))), answers(200, PICTURE, Content_Type="image/jpeg")]
