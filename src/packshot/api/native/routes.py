"""The native API: POST /v1/packshots and /v1/checks, GET /v1/account and /v1/about. From the request to the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from packshot.api.answers import request_id_of
from packshot.api.disconnect import cancelled_when_gone
from packshot.api.keys import admit, bearer_key, key_of
from packshot.api.native import answers, schema
from packshot.api.native.about import about
from packshot.api.native.account import DAYS, Account
from packshot.api.native.form import read_check, read_job, upload_limits
from packshot.api.native.models import About, Checked, Packshot, PresetReport
from packshot.service.accounts import KeyInfo
from packshot.service.build import Service, native_limits

KEY_HEADER = "x-api-key"
_KEYS = [
    Security(HTTPBearer(scheme_name="bearer", auto_error=False, description="`Authorization: Bearer YOUR_KEY`")),
    Security(APIKeyHeader(name=KEY_HEADER, scheme_name=KEY_HEADER, auto_error=False)),
]
_CHECK_PROBLEMS = (400, 401, 403, 405, 413, 415, 422, 429, 500, 503, 504)
_PROBLEMS = (402, 406, 409, 410, 502, *_CHECK_PROBLEMS)


def router(service: Service, key_headers: Sequence[str]) -> APIRouter:
    """The routes over the parts of a service. A key may also come in the headers of the other dialects."""
    routes = APIRouter(prefix="/v1", tags=["Native API"])
    limits = native_limits(service.settings)
    upload = upload_limits(service.settings)
    known = about(service)

    async def who(request: Request) -> KeyInfo:
        return await admit(service, request, bearer_key(request) or key_of(request, (KEY_HEADER, *key_headers)))

    async def make_packshot(request: Request) -> Response:
        key = await who(request)
        service.admission.refuse_or_pass()
        job = await read_job(request, upload, limits)
        as_json = answers.wants_json(request, job.recipe)
        named = request.headers.get("idempotency-key")
        if as_json:
            keeping = service.jobs.make_and_keep(key, job, idempotency_key=named)
            stored = await cancelled_when_gone(request, keeping)
            url = service.public_url(stored.link.path)
            return answers.described(Packshot.of(stored, request_id=request_id_of(request), url=url))
        making = service.jobs.make(key, job, idempotency_key=named)
        return answers.picture(await cancelled_when_gone(request, making))

    async def check_picture(request: Request) -> Response:
        await who(request)
        service.admission.refuse_or_pass()
        job = await read_check(request, upload, limits)
        report = await cancelled_when_gone(request, service.jobs.check(job))
        return answers.described(Checked(request_id=request_id_of(request), preset=PresetReport.of(report)))

    async def tell_account(request: Request) -> Response:
        key = await who(request)
        usage = await asyncio.to_thread(service.ledger.usage, DAYS, key.id)
        return answers.described(Account.of(key, usage, rate=service.settings.rate_limit))

    async def tell_about() -> Response:
        return JSONResponse(known.model_dump(mode="json"))

    base = service.settings.base_url
    routes.add_api_route(
        "/packshots",
        make_packshot,
        methods=["POST"],
        summary="Make a packshot of a product photo",
        operation_id="makePackshot",
        response_model=Packshot,
        responses={200: schema.picture_answers(), **schema.problems(*_PROBLEMS)},
        dependencies=_KEYS,
        openapi_extra={
            "requestBody": schema.packshots_body(),
            "parameters": [schema.IDEMPOTENCY_KEY],
            **schema.samples(base, "/v1/packshots -F image=@photo.jpg -F preset=amazon -o packshot.jpg"),
        },
    )
    routes.add_api_route(
        "/checks",
        check_picture,
        methods=["POST"],
        summary="Check a finished picture against a marketplace's rules; costs no credit",
        operation_id="checkPicture",
        response_model=Checked,
        responses=schema.problems(*_CHECK_PROBLEMS),
        dependencies=_KEYS,
        openapi_extra={
            "requestBody": schema.checks_body(),
            **schema.samples(base, "/v1/checks -F image=@picture.jpg -F preset=amazon"),
        },
    )
    routes.add_api_route(
        "/account",
        tell_account,
        methods=["GET"],
        summary="What your key may spend, how often it may come, and what it did on the last 30 days",
        operation_id="account",
        response_model=Account,
        responses=schema.problems(401, 403, 405, 429, 500, 503),
        dependencies=_KEYS,
    )
    routes.add_api_route(
        "/about",
        tell_about,
        methods=["GET"],
        summary="What this service can do: formats, options, presets; needs no key",
        operation_id="about",
        response_model=About,
        responses=schema.problems(405, 500),
    )
    return routes
