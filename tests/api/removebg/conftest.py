"""Calls the server as clients of the form do."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from tests.kit.images import good
from tests.kit.server import Running

Call = Callable[..., httpx.Response]


@pytest.fixture
def call(running: Running) -> Call:
    """POST a photo as multipart with these fields; with a new key unless `key` is given."""

    def post(
        photo: bytes | None = None, *, key: str | None = None, headers: dict[str, str] | None = None, **fields: str
    ) -> httpx.Response:
        return running.http.post(
            "/v1.0/removebg",
            files={"image_file": ("photo.jpg", photo or good("jpeg"))},
            data=fields,
            headers={"X-Api-Key": key or running.new_key(), **(headers or {})},
        )

    return post
