"""The shop, as both programs see it: products with pictures in order, and five things that can be done with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

TRIES = 6


class ShopError(Exception):
    """The shop refuses something, or cannot be understood. status: of its answer, or 0."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Picture:
    """id: the shop's own, as text. url: where its file is."""

    id: str
    url: str
    alt: str = ""
    name: str = ""


@dataclass(frozen=True)
class Product:
    """pictures: in the order in which the shop shows them."""

    id: str
    title: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Made:
    """A packshot: the bytes of its file, which is to have this name."""

    data: bytes
    media_type: str
    file_name: str


class Shop(Protocol):
    """replaces_content: whether a picture keeps its id and changes wherever it is shown."""

    replaces_content: bool

    def products(self) -> Iterator[Product]:
        """All products."""
        ...

    def find(self, product_id: str) -> Product | None:
        """A product as it is now; None where it is gone."""
        ...

    def output_format(self, picture: Picture) -> str | None:
        """The format that the new picture must have; None for the preset's. Raises ShopError where there is none."""
        ...

    def upload(self, picture: Picture, made: Made) -> str:
        """Bring a packshot to the shop. No product shows it yet. The answer is the shop's word for it."""
        ...

    def write(self, product: Product, new: Mapping[str, str]) -> None:
        """Show uploads in place of pictures. new: from a picture's id to what `upload` answered."""
        ...

    def restore(self, before: Product, originals: Mapping[str, Path]) -> None:
        """Show the pictures as they were. originals: the files of those that were replaced, by the picture's id."""
        ...

    def discard(self, upload: str) -> None:
        """Take back an upload that no product shows; one that is gone already, too."""
        ...


class Http:
    """Requests to a shop. Where it says that they are too many, they are sent again when it says.

    client: without credentials, since it goes to other servers too; each request to the shop brings them.
    """

    def __init__(self, client: httpx.Client, pause: Callable[[float], None] = time.sleep) -> None:
        self._client, self.pause = client, pause

    def send(self, method: str, url: str, **more: Any) -> httpx.Response:
        """Raises: ShopError for an answer that is none of success; httpx.TransportError without an answer."""
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
        """A picture's file, which may lie on another server: no credentials go with it."""
        return self.send("GET", url, follow_redirects=True).content


def _wait_s(response: httpx.Response, number: int) -> float:
    """As the shop says; else 1, 2, 4 ... seconds."""
    try:
        return float(response.headers["retry-after"])
    except (KeyError, ValueError):
        return float(2**number)
