"""The local server of `packshot review`: reviews one place, on this machine only.

Other users of the machine can reach the port, so the URL contains a secret. The server also rejects requests with the
Origin of another page, and with another Host (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import socket
import uuid
from collections.abc import Callable
from getpass import getuser
from typing import TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from packshot.api.errors import PROBLEM_DETAILS, UnknownPath
from packshot.api.page.routes import answer_file
from packshot.api.review.routes import PREFIX, ROUTES, Asked, Handle, on_a_thread, place_of, read_review_page
from packshot.batch.review import Review
from packshot.errors import BadSettings, PackshotError

T = TypeVar("T")

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
AT_ONCE = 2
"""Pictures that are made in parallel. A higher value does not help: the network uses all processors for one picture."""


def listen(port: int) -> socket.socket:
    """Return the listening socket. Port 0 picks a free port. Raises: BadSettings."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise BadSettings(f"Cannot listen on port {port}: {error.strerror}.", hint="Use another --port.") from error


def new_token() -> str:
    return secrets.token_urlsafe(18)


def address(listening: socket.socket, token: str) -> str:
    return f"http://{HOST}:{listening.getsockname()[1]}/{token}/review"


def review_app(review: Review, *, name: str, token: str, port: int) -> ASGIApp:
    """The page and its endpoints below /TOKEN. name: the place's name, shown on the page."""
    page, places = read_review_page(with_keys=False), {"here": review}
    at_once = asyncio.Semaphore(AT_ONCE)

    async def work(call: Callable[[], T], pixels: int) -> T:
        async with at_once:
            return await on_a_thread(call)

    def endpoint(handle: Handle) -> Callable[[Request], object]:
        async def answer(request: Request) -> Response:
            _, found = place_of(request, places)
            return await handle(Asked(request, found, name, _user(), on_a_thread, work))

        return answer

    async def index(request: Request) -> Response:
        return answer_file(request, "index.html", page.files["index.html"])

    async def file(request: Request) -> Response:
        asked, version = request.path_params["name"], request.path_params["version"]
        if asked not in page.files:
            raise UnknownPath("This file does not exist.", hint="Open the address that `packshot review` printed.")
        return answer_file(request, asked, page.files[asked], for_ever=version == page.version)

    async def reviews(_: Request) -> Response:
        return JSONResponse({"reviews": [{"place": "here", "title": name}]})

    app = Starlette(
        routes=[
            Route("/review", index),
            Route("/review/{version}/{name}", file),
            Route(PREFIX, reviews),
            *(
                Route(f"{PREFIX}/{{place}}{path}", endpoint(handle), methods=[method])
                for method, path, handle in ROUTES
            ),
        ],
        exception_handlers={PackshotError: _refuse, HTTPException: _unknown},
    )
    return _Guard(app, token, port)


class _Guard:
    """ASGI middleware: accepts only requests with the token, our own Host, and no foreign Origin."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app = app
        self._prefix = f"/{token}".encode()
        self._hosts = {f"{HOST}:{port}".encode(), f"localhost:{port}".encode()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["request_id"] = str(uuid.uuid4()).upper()
        headers = dict(scope["headers"])
        host, origin = headers.get(b"host", b""), headers.get(b"origin")
        path = str(scope["path"]).encode()
        known = hmac.compare_digest(path[: len(self._prefix)], self._prefix)
        below = path[len(self._prefix) :]
        if host not in self._hosts or not known or not below.startswith(b"/"):
            await Response("Not found.", 404, media_type="text/plain")(scope, receive, send)
        elif origin is not None and origin != b"http://" + host:
            await Response("Not allowed for other pages.", 403, media_type="text/plain")(scope, receive, send)
        else:
            await self._app({**scope, "path": below.decode(), "raw_path": below}, receive, send)


def make_server(
    review: Review, *, name: str, token: str, port: int, on_ready: Callable[[], object] = lambda: None
) -> uvicorn.Server:
    """A server for the socket from `listen`. `.run(sockets=[...])` blocks until Ctrl-C.

    port: the socket's port. on_ready: called when the server accepts requests; must not block.
    """
    app = review_app(review, name=name, token=token, port=port)
    config = uvicorn.Config(
        app, http=_Protocol, loop="asyncio", ws="none", lifespan="off", log_config=None, access_log=False,
        server_header=False, timeout_graceful_shutdown=5,
    )  # fmt: skip
    return _Server(config, on_ready)


class _Protocol(H11Protocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # As in api/server.py: otherwise the body waits 40 ms for the acknowledgement of the head.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()


def _user() -> str:
    """The name of the user who started the review. In containers, users often have no name."""
    try:
        return getuser()
    except (KeyError, OSError, ImportError):
        return "somebody"


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, PackshotError)  # noqa: S101 - registered for it
    answer = PROBLEM_DETAILS.answer(request, error)
    if answer.status_code >= 500:
        log.warning("%s: %s", error.slug, error, exc_info=error)
    return answer


async def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    return await _refuse(
        request,
        UnknownPath(
            f"No endpoint for {request.method} exists here.", hint='See "Review a catalogue" in the documentation.'
        ),
    )
