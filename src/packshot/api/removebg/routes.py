"""POST /v1.0/removebg and GET /v1.0/account: from the request to the answer."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from fastapi import APIRouter, Security
from fastapi.security import APIKeyHeader
from starlette.requests import Request
from starlette.responses import Response

from packshot.api.disconnect import cancelled_when_gone
from packshot.api.keys import admit, bearer_key, key_of
from packshot.api.removebg import answers
from packshot.api.removebg.body import read_fields, upload_limits
from packshot.api.removebg.browsers import PREFLIGHT
from packshot.api.removebg.fields import FIELDS
from packshot.api.removebg.finish import MEDIA_TYPES, finish
from packshot.api.removebg.form import read
from packshot.core.codecs import probe
from packshot.engine.job import make_job
from packshot.engine.presets import recipe_for
from packshot.service.accounts import KeyInfo
from packshot.service.build import Service, native_limits

KEY_HEADER = "x-api-key"
_KEYS = [Security(APIKeyHeader(name=KEY_HEADER, scheme_name=KEY_HEADER, auto_error=False))]


def router(service: Service) -> APIRouter:
    """The routes over the parts of a service."""
    routes = APIRouter(prefix="/v1.0", tags=["remove.bg form"])
    limits = native_limits(service.settings)
    upload = upload_limits(service.settings)

    async def who(request: Request) -> KeyInfo:
        return await admit(service, request, key_of(request, (KEY_HEADER,)) or bearer_key(request))

    async def remove_background(request: Request) -> Response:
        key = await who(request)
        service.admission.refuse_or_pass()
        order = await asyncio.to_thread(read, await read_fields(request, upload))
        header = probe(order.photo, limits)
        recipe = recipe_for(order.options_for(header.size))
        job = make_job(order.photo, recipe, limits, header=header)
        making = service.jobs.make_once(key, job, finish=partial(finish, order))
        result = await cancelled_when_gone(request, making)
        return answers.answer(order, result, as_json=answers.wants_json(request))

    async def account(request: Request) -> Response:
        key = await who(request)
        return answers.account(key)

    async def preflight() -> Response:
        return Response(status_code=204, headers=PREFLIGHT)

    routes.add_api_route(
        "/removebg",
        remove_background,
        methods=["POST"],
        summary="Remove the background of a photo",
        operation_id="removebg",
        response_class=Response,
        responses={200: _PICTURE, **_errors(400, 402, 403, 405, 429, 500, 503, 504)},
        dependencies=_KEYS,
        openapi_extra={"requestBody": _BODY},
    )
    routes.add_api_route(
        "/account",
        account,
        methods=["GET"],
        summary="The credits of a key",
        operation_id="removebgAccount",
        response_class=Response,
        responses={200: {"content": {"application/json": {"schema": _ACCOUNT}}}, **_errors(403, 405, 429, 500, 503)},
        dependencies=_KEYS,
    )
    # Last: the Allow of a wrong method is that of a path's first route.
    for path in ("/removebg", "/account"):
        routes.add_api_route(path, preflight, methods=["OPTIONS"], include_in_schema=False)
    return routes


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _described(name: str, *, form: bool) -> dict[str, Any]:
    """A field for OpenAPI; a form has texts only, of which "true" is one."""
    field = FIELDS[name]
    schema: dict[str, Any] = {"type": "boolean" if field.kind == "boolean" and not form else "string"}
    if field.kind == "binary":
        schema["format"] = "binary"
    if field.kind == "boolean" and form:
        schema["enum"] = ["true", "false"]
    if field.choices:
        schema["enum"] = list(field.choices)
    return {**schema, "description": field.about}


def _body(*, form: bool, files: bool) -> dict[str, Any]:
    names = [name for name, field in FIELDS.items() if files or field.kind != "binary"]
    return {"schema": {"type": "object", "properties": {name: _described(name, form=form) for name in names}}}


_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": _body(form=True, files=True),
        "application/x-www-form-urlencoded": _body(form=True, files=False),
        "application/json": _body(form=False, files=False),
    },
}
_NUMBER, _TEXT = {"type": "number"}, {"type": "string"}
_FOREGROUND = {f"foreground_{name}": {"type": "integer"} for name in ("left", "top", "width", "height")}
_PICTURE: dict[str, Any] = {
    "description": "The picture or the zip; JSON where that is all that the client accepts",
    "content": {
        **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES.values()},
        "application/json": {"schema": _object(data=_object(result_b64=_TEXT, **_FOREGROUND))},
    },
}
_CREDITS = _object(total=_NUMBER, subscription=_NUMBER, payg=_NUMBER, enterprise=_NUMBER)
_ACCOUNT = _object(
    data=_object(attributes=_object(credits=_CREDITS, api=_object(free_calls={"type": "integer"}, sizes=_TEXT)))
)
_ERROR = {
    "type": "object",
    "required": ["title", "code"],
    "properties": {"title": _TEXT, "code": _TEXT, "detail": _TEXT},
}


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    schema = _object(errors={"type": "array", "items": _ERROR})
    meanings = {
        400: "A field, or the photo, cannot be used",
        402: "No credits left",
        403: "No key, an unknown one, or a locked one",
        405: "Wrong method",
        429: "Too many requests (Retry-After)",
        500: "A fault of the service",
        503: "The queue is full, the accounts cannot be reached, or the service is shutting down (Retry-After)",
        504: "Not done in time",
    }
    content = {"application/json": {"schema": schema}}
    return {status: {"description": meanings[status], "content": content} for status in statuses}
