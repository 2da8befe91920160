"""The common interface of both shops: products with pictures in order, and operations on them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

TRIES = 6


class ShopError(Exception):
    """The shop rejected a request, or its response is invalid. status: of the response, or 0."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Picture:
    """id: the shop's own, as text. url: address of its file."""

    id: str
    url: str
    alt: str = ""
    name: str = ""


@dataclass(frozen=True)
class Product:
    """pictures: in the shop's display order."""

    id: str
    title: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Made:
    """A packshot: the bytes of its file, and the file's name."""

    data: bytes
    media_type: str
    file_name: str


class Shop(Protocol):
    """replaces_content: whether a picture keeps its id and changes in every place that shows it."""

    replaces_content: bool

    def products(self) -> Iterator[Product]:
        """All products."""
        ...

    def find(self, product_id: str) -> Product | None:
        """The product's current state; None if it no longer exists."""
        ...

    def output_format(self, picture: Picture) -> str | None:
        """The required format of the new picture; None for the preset's. Raises ShopError for an unsupported format."""
        ...

    def upload(self, picture: Picture, made: Made) -> str:
        """Upload a packshot, which no product shows yet. Returns the shop's identifier for the upload."""
        ...

    def write(self, product: Product, new: Mapping[str, str]) -> None:
        """Show uploads in place of pictures. new: from a picture's id to the result of `upload`."""
        ...

    def restore(self, before: Product, originals: Mapping[str, Path]) -> None:
        """Show the original pictures again. originals: the files of replaced pictures, by the picture's id."""
        ...

    def discard(self, upload: str) -> None:
        """Delete an upload that no product shows; also accepts an upload that no longer exists."""
        ...


class Http:
    """Requests to a shop. Waits and retries after "too many requests", as the shop says.

    client: without credentials, since it also talks to other servers; each request to the shop adds them.
    """

    def __init__(self, client: httpx.Client, pause: Callable[[float], None] = time.sleep) -> None:
        self._client, self.pause = client, pause

    def send(self, method: str, url: str, **more: Any) -> httpx.Response:
        """Raises: ShopError for a response without success; httpx.TransportError without a response."""
        for number in range(TRIES):
            response = self._client.request(method, url, **more)
            if response.status_code != 429 and not (response.status_code == 503 and "retry-after" in response.headers):
                break
            self.pause(_wait_s(response, number))
        if response.is_error:
            said = f"{method} {response.url.path} answered {response.status_code}: {response.text[:300]}"
            raise ShopError(said, response.status_code)
        return response

    def download(self, url: str) -> bytes:
        """A picture's file, possibly from another server, so without credentials."""
        return self.send("GET", url, follow_redirects=True).content


def _wait_s(response: httpx.Response, number: int) -> float:
    """The shop's pause; otherwise 1, 2, 4 ... seconds."""
    try:
        return float(response.headers["retry-after"])
    except (KeyError, ValueError):
        return float(2**number)
