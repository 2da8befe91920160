"""A dialect of the API: its endpoints, keys and errors as declarations, and the common request path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastapi import FastAPI, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from packshot.api.errors import PROBLEM_DETAILS, ErrorForm
from packshot.api.http import cancelled_when_gone, is_below, plain_path, request_id_of
from packshot.api.keyless import refuse_foreign_pages
from packshot.api.limits import pointing_on
from packshot.api.middleware import HELD, RATE_WINDOW, HeldBytes
from packshot.api.upload import MULTIPART
from packshot.core.codecs import Limits
from packshot.errors import PackshotError, RateLimited
from packshot.service.accounts import KeyInfo
from packshot.service.build import Service, native_limits
from packshot.service.rate_limit import Window
from packshot.service.settings import Settings

T = TypeVar("T")

BEARER = "authorization"  # among the key headers: `Authorization: Bearer KEY`
# Reported for a key with unlimited credits, because some programs check that there are enough.
ENDLESS_CREDITS = 1_000_000
IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "A unique name for this request, such as a UUID. Sent again within 24 hours, the same request "
    "returns the same result and costs nothing.",
}
BINARY = {"type": "string", "format": "binary"}


def form_body(properties: Mapping[str, Any], required: Sequence[str], **more: Any) -> dict[str, Any]:
    """The OpenAPI request body of a multipart form. more: further members of its schema."""
    schema = {"type": "object", "properties": properties, **({"required": required} if required else {}), **more}
    return {"required": True, "content": {MULTIPART: {"schema": schema}}}


@dataclass(frozen=True)
class Call:
    """A request to an endpoint. `caller` is None if the endpoint needs no key."""

    request: Request
    service: Service
    caller: KeyInfo | None

    @property
    def key(self) -> KeyInfo:
        assert self.caller is not None  # noqa: S101 - only for endpoints that need a key
        return self.caller

    @property
    def request_id(self) -> str:
        return request_id_of(self.request)

    @property
    def idempotency_key(self) -> str | None:
        return self.request.headers.get("idempotency-key")

    @property
    def credits_left(self) -> int:
        return ENDLESS_CREDITS if self.key.credits is None else self.key.credits

    @property
    def _held(self) -> HeldBytes:
        held: HeldBytes = self.request.scope[HELD]
        return held

    async def tell_rate(self, counting: Awaitable[Window | None]) -> None:
        """Count the request in a second rate limit window. The response headers report the fuller window.

        Raises: RateLimited, and all other errors of `counting`.
        """
        told = self.request.scope[RATE_WINDOW]
        window = await _counted(self.request, counting)
        if told and window and told.remaining < window.remaining:
            window = told
        self.request.scope[RATE_WINDOW] = window or told

    async def fetch(self, url: str, *, field: str, hint: str, max_bytes: int) -> bytes:
        """Fetch the picture at a URL from a field. Call it inside `run`. Its bytes count like those of a body.

        hint: another way to send the picture. Raises the errors of UrlInput.fetch, and UploadsFull.
        """
        bringing = self.service.url_input.fetch
        reserve = self._held.reserve
        return await bringing(url, field=field, hint=hint, key=self.key, max_bytes=max_bytes, reserve=reserve)

    def hold(self, length: int) -> None:
        """Count bytes from another source than the body until the response. Raises UploadsFull."""
        self._held.reserve(length)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run the request's work, and cancel it when the client disconnects. The body must have been read."""
        return await cancelled_when_gone(self.request, work)


@dataclass(frozen=True)
class Endpoint:
    """One operation, under one or several paths.

    handle: reads the body, does the work, returns the response.
    needs_key: checks the key before the handler (401, 403, 429).
    takes_queue: answers 503 before the body is read if the queue is full.
    limits: photo limits that are narrower than those of /v1/packshots. Errors then point to /v1/packshots.

    The other fields are for OpenAPI. Without a summary the operation is not in the document.
    failures: statuses from the dialect's error table. model: model of a JSON response. answers: other responses, in
    OpenAPI's form. sample: the arguments of a curl command.
    """

    method: str
    paths: tuple[str, ...]
    handle: Callable[[Call], Awaitable[Response]]
    summary: str = ""
    operation_id: str = ""
    needs_key: bool = True
    takes_queue: bool = False
    limits: Callable[[Settings], Limits] | None = None
    failures: tuple[int, ...] = ()
    model: type[BaseModel] | None = None
    answers: Mapping[int | str, dict[str, Any]] = field(default_factory=dict)
    body: Callable[[], Mapping[str, Any]] | None = None
    parameters: tuple[Mapping[str, Any], ...] = ()
    sample: str = ""


@dataclass(frozen=True)
class Dialect:
    """A set of endpoints with common keys and errors: a vendor's, the native API's, or the neutral ones.

    name: the heading in the docs.
    prefixes: errors at and below these paths have the dialect's form.
    key_headers: headers that may hold a key, in order of precedence.
    takes_any_key: accepts the key headers of the other dialects too.
    keyless: accepts a request without a key if the operator named a key that pays for such requests.
    """

    name: str
    endpoints: tuple[Endpoint, ...]
    prefixes: tuple[str, ...] = ()
    key_headers: tuple[str, ...] = ()
    takes_any_key: bool = False
    keyless: bool = False
    errors: ErrorForm = PROBLEM_DETAILS


def mount(app: FastAPI, service: Service, dialects: Sequence[Dialect]) -> None:
    """Add the routes of all endpoints. Each GET also answers HEAD (RFC 9110, 9.1); the server drops the body.

    A GET that takes a place in the queue has no HEAD: it would do the work and charge a credit for nothing.
    """
    every_header = [name for dialect in dialects for name in dialect.key_headers]
    for dialect in dialects:
        key_headers = dict.fromkeys((*dialect.key_headers, *(every_header if dialect.takes_any_key else ())))
        for endpoint in dialect.endpoints:
            _add(app, service, dialect, endpoint, tuple(key_headers))
    working = {path for dialect in dialects for each in dialect.endpoints if each.takes_queue for path in each.paths}
    for route in [each for each in app.routes if isinstance(each, APIRoute) and "GET" in (each.methods or ())]:
        if route.path in working:
            continue
        app.add_api_route(route.path, route.endpoint, methods=["HEAD"], include_in_schema=False)


def failure(dialects: Iterable[Dialect], request: Request, error: PackshotError) -> Response:
    """The response to an error, in the form of the dialect with the longest matching path prefix."""
    path = plain_path(str(request.scope["path"]))  # request.url would depend on the caller's Host header
    fitting = [
        (len(prefix), dialect.errors) for dialect in dialects for prefix in dialect.prefixes if is_below(path, prefix)
    ]
    _, form = max(fitting, key=lambda each: each[0], default=(0, PROBLEM_DETAILS))
    return form.answer(request, error)


def _add(app: FastAPI, service: Service, dialect: Dialect, endpoint: Endpoint, key_headers: tuple[str, ...]) -> None:
    async def answer(request: Request) -> Response:
        caller = await _admit(service, request, key_headers, dialect.keyless) if endpoint.needs_key else None
        if endpoint.takes_queue:
            service.admission.refuse_or_pass()
        try:
            return await endpoint.handle(Call(request, service, caller))
        except PackshotError as error:
            if endpoint.limits is None:
                raise
            narrow, wide = endpoint.limits(service.settings), native_limits(service.settings)
            told = pointing_on(error, narrow, wide)
            if told is error:
                raise
            raise told from error

    for number, path in enumerate(endpoint.paths):
        extra: dict[str, Any] = {"requestBody": endpoint.body()} if endpoint.body else {}
        if endpoint.parameters:
            extra["parameters"] = list(endpoint.parameters)
        if endpoint.needs_key and dialect.keyless:
            extra["security"] = [{}]  # in addition to those of the dependencies: each one is sufficient
        if endpoint.sample:  # documentation tools show x-codeSamples as commands to copy
            key = f"{dialect.key_headers[0]}: YOUR_KEY".replace(f"{BEARER}:", "Authorization: Bearer")
            line = f"curl {service.settings.base_url}{path} -H '{key}' {endpoint.sample}"
            extra["x-codeSamples"] = [{"lang": "Shell", "source": line}]
        app.add_api_route(
            path,
            answer,
            methods=[endpoint.method],
            tags=[dialect.name],
            summary=endpoint.summary,
            operation_id=f"{endpoint.operation_id}{number or ''}",
            include_in_schema=bool(endpoint.summary),
            status_code=next((int(status) for status in endpoint.answers if str(status).startswith("2")), None),
            response_model=endpoint.model,
            response_class=JSONResponse if endpoint.model else Response,
            responses={**endpoint.answers, **dialect.errors.responses(endpoint.failures)},
            dependencies=[_scheme(name) for name in dialect.key_headers] if endpoint.needs_key else [],
            openapi_extra=extra,
        )


def _scheme(header: str) -> Any:
    if header == BEARER:
        about = "`Authorization: Bearer YOUR_KEY`"
        return Security(HTTPBearer(scheme_name="bearer", auto_error=False, description=about))
    return Security(APIKeyHeader(name=header, scheme_name=header, auto_error=False))


async def _admit(service: Service, request: Request, key_headers: Iterable[str], keyless: bool) -> KeyInfo:
    """Authenticate a request and count it against its key's rate limit; the response headers report the limit.

    keyless: whether the endpoint accepts requests without a key.

    Raises
    ------
    ForeignPage, MissingKey, UnknownKey, LockedKey, RateLimited, DatabaseUnavailable, LimiterUnavailable
    """
    found = (_key_in(request, name) for name in key_headers)
    key = next((key for key in found if key), None)
    if key is None and keyless:
        if service.keyless_id is not None:
            refuse_foreign_pages(request, service.settings)
        admitting = service.admit_keyless()
    else:
        admitting = service.admit(key)
    caller, request.scope[RATE_WINDOW] = await _counted(request, admitting)
    return caller


async def _counted(request: Request, counting: Awaitable[T]) -> T:
    """Await the counting of a request. On RateLimited, the response headers report the exceeded window."""
    try:
        return await counting
    except RateLimited as error:
        limit, remaining, resets_at = (int(str(error.fields[name])) for name in ("limit", "remaining", "resets_at"))
        request.scope[RATE_WINDOW] = Window(limit, remaining, resets_at)
        raise


def _key_in(request: Request, header: str) -> str:
    """The key in a header, or ""."""
    value = request.headers.get(header, "")
    if header != BEARER:
        return value
    scheme, _, key = value.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""
