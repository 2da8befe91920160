"""A dialect of the API: its endpoints, keys and errors, declared in one place, and the way that every request takes."""

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
# A key without an end of credits has that many, for programs which look whether there are enough.
ENDLESS_CREDITS = 1_000_000
IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "A name for this request, such as a UUID. Sent again within 24 hours, the same request gets the "
    "same result and costs nothing.",
}
BINARY = {"type": "string", "format": "binary"}


def form_body(properties: Mapping[str, Any], required: Sequence[str], **more: Any) -> dict[str, Any]:
    """The body of a multipart form as OpenAPI has it. more: of its schema."""
    schema = {"type": "object", "properties": properties, **({"required": required} if required else {}), **more}
    return {"required": True, "content": {MULTIPART: {"schema": schema}}}


@dataclass(frozen=True)
class Call:
    """A request that an endpoint answers. `caller` is None where the endpoint asks for no key."""

    request: Request
    service: Service
    caller: KeyInfo | None

    @property
    def key(self) -> KeyInfo:
        assert self.caller is not None  # noqa: S101 - only for endpoints that ask for a key
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
        """Count the request in another window too; the answer tells of the one that has less left.

        Raises: RateLimited, and whatever else `counting` raises.
        """
        told = self.request.scope[RATE_WINDOW]
        window = await _counted(self.request, counting)
        if told and window and told.remaining < window.remaining:
            window = told
        self.request.scope[RATE_WINDOW] = window or told

    async def fetch(self, url: str, *, field: str, hint: str, max_bytes: int) -> bytes:
        """The picture at a URL that came in a field; to be called inside `run`. Its bytes count as those of a body.

        hint: another way to send it. Raises what UrlInput.fetch raises, and UploadsFull.
        """
        bringing = self.service.url_input.fetch
        reserve = self._held.reserve
        return await bringing(url, field=field, hint=hint, key=self.key, max_bytes=max_bytes, reserve=reserve)

    def hold(self, length: int) -> None:
        """Count bytes that are not of the body as held, until the answer. Raises UploadsFull."""
        self._held.reserve(length)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work of the request, whose body has been read; cancel it when the client leaves."""
        return await cancelled_when_gone(self.request, work)


@dataclass(frozen=True)
class Endpoint:
    """One operation, under one path or several.

    handle: reads the body, does the work, answers. needs_key: 401, 403 and 429 come before the handler. takes_queue:
    so does 503 when the queue is full, before a body is read. limits: the photos that it takes, where those are fewer
    than the service takes elsewhere: its errors say so. The rest is for OpenAPI: failures are statuses of the
    dialect's table; model is that of a JSON answer; answers are others, as OpenAPI has them; sample completes a line
    of curl. Without a summary the operation is left out there.
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
    """A folder beside this file, or the neutral endpoints.

    name: the heading in the docs. prefixes: paths at and below them are answered in the dialect's form of errors.
    key_headers: where a key is looked for, in this order. takes_any_key: also in the headers of the other dialects.
    keyless: a request without a key is let in where a key stands for such requests.
    """

    name: str
    endpoints: tuple[Endpoint, ...]
    prefixes: tuple[str, ...] = ()
    key_headers: tuple[str, ...] = ()
    takes_any_key: bool = False
    keyless: bool = False
    errors: ErrorForm = PROBLEM_DETAILS


def mount(app: FastAPI, service: Service, dialects: Sequence[Dialect]) -> None:
    """Add the routes of all endpoints; each GET answers HEAD too (RFC 9110, 9.1), the server leaves the body out.

    But for a GET that takes a place in the queue: a HEAD of it would do the work, and take a credit, for nothing.
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
    """The answer to an error, in the form of the dialect with the longest prefix of the request's path."""
    path = plain_path(str(request.scope["path"]))  # not that of the URL, which has the caller's Host in it
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
            extra["security"] = [{}]  # added to those of the dependencies: each is a way in
        if endpoint.sample:  # where documentation tools look for a line to paste into a shell
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
    """Whose key this is, after its rate limit; the answer will tell what is left of that.

    keyless: whether a request without a key may be let in too.

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
    """The outcome of counting a request; a refusal tells its window in its headers too."""
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
