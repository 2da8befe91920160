"""Two services with the optional forms, and a fixture that sends a client library's request byte by byte."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Iterator

import httpx
import numpy as np
import pytest
from PIL import Image

from packshot.service.accounts import Accounts
from packshot.service.database import Database
from packshot.service.settings import Settings
from packshot.service.state import State
from tests.kit.server import PATIENCE_S, Running, received, serving

Replay = Callable[..., httpx.Response]


@pytest.fixture(scope="session")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that also opens URLs of this machine."""
    settings = {"dialects": "rembg, photoroom, clipdrop", "url_input": "http", "url_input_networks": "127.0.0.0/8"}
    with serving(tmp_path_factory.mktemp("forms"), workers=1, **settings) as running:
        yield running


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service behind a proxy, with a key for requests without one, and with small limits."""
    folder = tmp_path_factory.mktemp("elsewhere")
    public = "https://cutouts.example/x"
    database = Database(State(Settings.model_validate({"state_dir": folder, "public_base_url": public})).database)
    key_id = Accounts(database).create("without a key").id
    database.close()
    settings = {"dialects": "rembg, clipdrop", "keyless_key": key_id, "cors_origins": "https://shop.example"}
    limits = {"v1_max_file_bytes": 50_000, "v1_max_pixels": 50_000}
    with serving(folder, workers=1, public_base_url=public, **settings, **limits) as running:
        yield running


@pytest.fixture
def replay(forms: Running) -> Replay:
    """Send a head's lines and a body unchanged, except that {host} and {length} are filled in."""

    def send(head: str, body: bytes = b"") -> httpx.Response:
        host = "{}:{}".format(*forms.address)
        lines = head.strip().replace("{host}", host).replace("{length}", str(len(body))).splitlines()
        with socket.create_connection(forms.address, timeout=PATIENCE_S) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            return received(connection)

    return send


def form(boundary: str, *parts: tuple[str, str | bytes]) -> bytes:
    """The body of a form; each part has its head's lines and its content."""
    found = b""
    for head, content in parts:
        lines = head.replace("\n", "\r\n")
        data = content.encode() if isinstance(content, str) else content
        found += f"--{boundary}\r\n{lines}\r\n\r\n".encode() + data + b"\r\n"
    return found + f"--{boundary}--\r\n".encode()


def chunked(body: bytes, size: int = 1000) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces) + b"0\r\n\r\n"


def opened(answer: httpx.Response, kind: str = "PNG") -> Image.Image:
    """The picture in a response, which must be a success."""
    assert answer.status_code == 200, answer.text
    picture = Image.open(io.BytesIO(answer.content))
    picture.load()
    assert picture.format == kind
    assert answer.headers["content-type"] == f"image/{kind.lower()}"
    return picture


def corner(picture: Image.Image) -> tuple[int, ...]:
    """The top left pixel, where a photo of the kit shows its ground."""
    return tuple(int(each) for each in np.atleast_1d(np.asarray(picture)[0, 0]))
