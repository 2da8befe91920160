"""Calls of the native API, and the checks that each of its responses must pass."""

from __future__ import annotations

from typing import Any

import httpx

from packshot.api.errors import Problem
from packshot.api.native.models import Packshot
from tests.kit.images import good
from tests.kit.server import Running

PACKSHOTS, CHECKS, ABOUT = "/v1/packshots", "/v1/checks", "/v1/about"
JSON = "application/json"


def send(
    running: Running,
    photo: bytes | None = None,
    *,
    path: str = PACKSHOTS,
    key: str | None = None,
    accept: str = "*/*",
    files: dict[str, bytes] | None = None,
    headers: dict[str, str] | None = None,
    **fields: str,
) -> httpx.Response:
    """POST a photo, or the field photo_id, with these options; with a new key unless `key` is given."""
    bearer = {"authorization": f"Bearer {key or running.new_key()}"}
    image: dict[str, Any] = {"image": ("photo.jpg", good("jpeg") if photo is None else photo)}
    if photo is None and "photo_id" in fields:
        image = {"photo_id": (None, fields.pop("photo_id"))}  # a part: otherwise httpx would not send multipart
    return running.http.post(
        path,
        files={**image, **(files or {})},
        data=fields,
        headers={**bearer, "accept": accept, **(headers or {})},
    )


def described(response: httpx.Response) -> dict[str, Any]:
    """Check a JSON response and return its content."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == JSON
    assert response.headers["cache-control"] == "no-store"
    body: dict[str, Any] = response.json()
    Packshot.model_validate(body)
    assert body["request_id"] == response.headers["x-request-id"]
    return body


def problem(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """Check a failure for this status and slug, and return its members."""
    body: dict[str, Any] = response.json()
    assert (response.status_code, body.get("slug")) == (status, slug), response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    Problem.model_validate(body)
    assert body["status"] == status
    assert body["type"] == f"/docs#error-{slug}"
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["title"]
    assert body["detail"]
    return body
