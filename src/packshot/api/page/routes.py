"""`/` and `/page/...`: serves the static files of the web page, which are read once, with their headers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from packshot.api.errors import UnknownPath
from packshot.service.build import Service

MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
    "jpg": "image/jpeg",
}
# Pictures are made in the browser (blob:). Styles, scripts and requests are limited to the service's own origin.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
# Keys of the page's messages for users with no key or an unknown key.
_ON_OWN_MACHINE, _ELSEWHERE = "key.help.here", "key.help.elsewhere"
_A_YEAR = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"  # cached, but revalidated each time; the ETag turns that into a 304


@dataclass(frozen=True)
class Page:
    """The files of the page by name, and their version, which changes with their content."""

    files: dict[str, bytes]
    version: str


def router(service: Service) -> APIRouter:
    """GET and HEAD of the page and its files."""
    page = read_page(_ON_OWN_MACHINE if service.settings.only_here else _ELSEWHERE)
    return page_router(page, at="/", files_at="/page")


def page_router(page: Page, *, at: str, files_at: str) -> APIRouter:
    """GET and HEAD of a page (at) and of its files (below files_at)."""
    routes = APIRouter(include_in_schema=False)

    async def index(request: Request) -> Response:
        return answer_file(request, "index.html", page.files["index.html"])

    async def file(request: Request, version: str, name: str) -> Response:
        if name not in page.files:
            raise UnknownPath(f"The path {request.url.path[:200]} does not exist.", hint=f"The page is at {at}.")
        # During a rolling update, a page may reach a newer or older replica. It gets that replica's file, uncached.
        return answer_file(request, name, page.files[name], for_ever=version == page.version)

    routes.add_api_route(at, index, methods=["GET", "HEAD"])
    routes.add_api_route(f"{files_at}/{{version}}/{{name}}", file, methods=["GET", "HEAD"])
    return routes


def read_page(key_help: str) -> Page:
    """Read the files in `site/`. Replaces VERSION in index.html, so that URLs change with the content.

    key_help: the message key that replaces KEY_HELP in index.html.
    """
    files = site_files("packshot.api.page")
    version = version_of(files)
    files["index.html"] = (
        files["index.html"].replace(b"VERSION", version.encode()).replace(b"KEY_HELP", key_help.encode())
    )
    return Page(files, version)


def site_files(package: str) -> dict[str, bytes]:
    """The files in the folder `site` of a package, by name."""
    folder = resources.files(package) / "site"
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.name.rpartition(".")[2] in MEDIA_TYPES}


def version_of(files: dict[str, bytes]) -> str:
    """A hash of the files' names and contents."""
    content = b"".join(name.encode() + b"\0" + files[name] for name in sorted(files))
    return hashlib.sha256(content).hexdigest()[:12]


def answer_file(request: Request, name: str, content: bytes, *, for_ever: bool = False) -> Response:
    """Respond with a file of a page, or 304 if the browser has it. for_ever: the URL changes with the content."""
    cache = _A_YEAR if for_ever else _ASK_AGAIN
    etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {**_HEADERS, "Cache-Control": cache, "ETag": etag}
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if etag in known:
        return Response(status_code=304, headers=headers)
    headers["Content-Length"] = str(len(content))
    body = b"" if request.method == "HEAD" else content
    return Response(body, media_type=MEDIA_TYPES[name.rpartition(".")[2]], headers=headers)
