"""The fuzz targets: bytes in; out comes an honest result, or an exception, which is a finding."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from starlette.requests import Request
from starlette.types import Message

from packshot.api.ailab import routes as ailab
from packshot.api.ailab.cutouts import PRODUCT
from packshot.api.app import DIALECTS
from packshot.api.dialect import failure
from packshot.api.native import form as native
from packshot.api.removebg import order as removebg
from packshot.api.removebg.routes import upload_limits
from packshot.api.upload import file_in, read_fields, read_form
from packshot.core.codecs import LIBRARY_LIMITS, Limits, decode, probe
from packshot.errors import InputError, PackshotError
from packshot.service.settings import Settings
from tests.fuzz import bounds, forms, mutate, seeds, shapes

# A million pixels keep an input fast and the memory bound tight: a decoder that believes another size exceeds it at
# once.
LIMITS = Limits(max_side_px=1999, max_pixels=1_000_000)
MEMORY_BYTES = 192 << 20
"""Memory that one input may take above the process's earlier level. A decoded picture of LIMITS is 4 MB. The most
expensive honest case, a TIFF of 16-bit planes, briefly holds ten copies.
"""
SECONDS = 2.0
"""Processor time of one input. Real ones of this size take 5 ms."""
PROBE_SECONDS, PROBE_MEMORY_BYTES, PROBE_MEMORY_FACTOR = 0.5, 64 << 20, 4
"""The bounds for a header. The service reads it before it takes a slot, so other requests wait meanwhile. Real headers
take under 5 ms and no memory. The memory bound grows only with the input's own length, by the factor.
"""

_SETTINGS = Settings.model_validate({"max_file_bytes": 1 << 20, "v1_max_file_bytes": 1 << 20, "body_deadline_s": 5.0})
_REMOVEBG = upload_limits(_SETTINGS)
_AILAB = ailab.upload_limits(PRODUCT, _SETTINGS)


@dataclass(frozen=True)
class Target:
    """seeds: inputs by name. mutate: turns one input into another. check: returns if all is well. longest: an input's
    length limit, in bytes. seconds, memory_bytes, memory_factor: its bounds; memory is memory_bytes + memory_factor *
    its length.
    """

    seeds: Mapping[str, Callable[[], bytes]]
    mutate: Callable[[bytes, Random], bytes]
    check: Callable[[bytes], None]
    longest: int = 40_000
    seconds: float = SECONDS
    memory_bytes: int = MEMORY_BYTES
    memory_factor: int = 0

    def run(self, data: bytes) -> bounds.Cost:
        """Check one input and return its cost. Raises the exceptions of `check`."""
        return bounds.measured(lambda: self.check(data))

    def hold(self, cost: bounds.Cost, data: bytes) -> None:
        """Raises BoundBroken if the cost exceeds a bound."""
        bounds.hold(cost, self.seconds, self.memory_bytes + self.memory_factor * len(data))


def check_decode(data: bytes) -> None:
    """Requires a picture within the limits, or an InputError with a message."""
    try:
        picture = decode(data, LIMITS)
    except InputError as error:
        assert error.message
        return
    height, width = picture.rgb.shape[:2]
    assert picture.rgb.shape == (height, width, 3)
    assert max(height, width) <= 1999
    assert picture.alpha is None or picture.alpha.shape == (height, width)
    assert picture.exif is None or len(picture.exif) < 60_000


def check_probe(data: bytes) -> None:
    """Requires a header within the limits, or an InputError with a message."""
    try:
        header = probe(data, LIBRARY_LIMITS)
    except InputError as error:
        assert error.message
        return
    assert min(header.size) >= LIBRARY_LIMITS.min_side_px
    assert header.size.width * header.size.height <= LIBRARY_LIMITS.max_pixels


def check_form(data: bytes) -> None:
    """Requires an order, or a PackshotError that the dialect can report.

    The first byte chooses the dialect, the Content-Type, and how the body splits into chunks.
    """
    if not data:
        return
    request = _request(*forms.read_head(data))
    try:
        asyncio.run(_read(request))
    except PackshotError as error:
        answer = failure(DIALECTS, request, error)
        assert 400 <= answer.status_code < 500, answer.status_code
        assert len(bytes(answer.body)) < 20_000


async def _read(request: Request) -> None:
    path = request.url.path
    if path.startswith("/v1.0/"):
        removebg.read(await read_fields(request, _REMOVEBG))
    elif path.startswith("/v1/"):
        await native.read_order(request, _SETTINGS)
    else:
        file_in(await read_form(request, _AILAB), "image")


def _request(path: str, content_type: str, chunks: list[bytes]) -> Request:
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    left = iter(messages)

    async def receive() -> Message:
        return next(left)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "server": ("127.0.0.1", 8000),
        "scheme": "http",
        "request_id": "00000000-0000-0000-0000-000000000000",
        "headers": [(b"content-type", content_type.encode("latin-1"))],
    }
    return Request(scope, receive)


TARGETS: Mapping[str, Target] = {
    "decode": Target(seeds.SEEDS, mutate.mutate, check_decode),
    "probe": Target(
        {**seeds.SEEDS, **shapes.SEEDS},
        shapes.mutate,
        check_probe,
        shapes.LONGEST,
        PROBE_SECONDS,
        PROBE_MEMORY_BYTES,
        PROBE_MEMORY_FACTOR,
    ),
    "form": Target(forms.SEEDS, forms.mutate, check_form),
}
