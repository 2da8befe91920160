"""The native API's endpoints: POST /v1/packshots and /v1/checks, GET /v1/account and /v1/about.

jobs.py has /v1/jobs.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
import zipfile

from starlette.responses import JSONResponse, Response

from packshot.api import results
from packshot.api.dialect import BEARER, IDEMPOTENCY_KEY, Call, Dialect, Endpoint
from packshot.api.errors import NotAcceptable
from packshot.api.http import accepted, preferred
from packshot.api.native import form, jobs
from packshot.api.native.form import ZIP, read_check, read_order
from packshot.api.native.models import DAYS, About, Account, ArchivedPicture, Checked, Packshot, described
from packshot.api.upload import JSON
from packshot.core.codecs.formats import FORMATS
from packshot.core.geometry import Box
from packshot.core.recipe import Recipe
from packshot.engine.job import Job, Submission
from packshot.engine.presets import recipes_for
from packshot.engine.result import Result
from packshot.service.build import native_limits
from packshot.service.jobs import Made
from packshot.service.photos import photo_id_of
from packshot.service.results import content_disposition

_NOT_A_TOKEN = re.compile(r"[^\w.-]+")
_CHECK_FAILURES = (400, 401, 403, 405, 413, 415, 422, 429, 500, 503, 504)


async def make_packshot(call: Call) -> Response:
    service, named = call.service, call.idempotency_key
    order = await read_order(call.request, service.settings)
    recipes = recipes_for(order.options)
    as_json = wants_json(accepted(call.request), recipes)
    data = order.image
    if order.photo_id:
        data = service.photos.find(call.key.id, order.photo_id)
        call.hold(len(data))
    photo_id = order.photo_id or await asyncio.to_thread(photo_id_of, data)
    photo = Submission(data, recipes, native_limits(service.settings), photo_id)
    if as_json:
        made = await call.run(service.jobs.make_and_keep(call.key, photo, idempotency_key=named))
        urls = [service.public_url(each.link.path(results.PREFIX)) for each in made.stored]
        return described(Packshot.of(made, request_id=call.request_id, urls=urls))
    pictures = await call.run(service.jobs.make(call.key, photo, idempotency_key=named))
    return picture(pictures) if len(recipes) == 1 else await asyncio.to_thread(archive, pictures, recipes)


async def check_picture(call: Call) -> Response:
    service = call.service
    picture = await read_check(call.request, service.settings)

    async def count(job: Job) -> None:
        await call.tell_rate(service.count_check(call.key.id, job.header.size.width * job.header.size.height))

    report = await call.run(service.jobs.check(call.key, picture, count))
    return described(Checked(request_id=call.request_id, preset=report.to_dict()))


async def tell_account(call: Call) -> Response:
    usage = await asyncio.to_thread(call.service.ledger.usage, DAYS, call.key.id)
    return described(Account.of(call.service, call.key, usage))


async def tell_about(call: Call) -> Response:
    return JSONResponse(About.of(call.service).model_dump(mode="json"))


def wants_json(accept: str, recipes: tuple[Recipe, ...]) -> bool:
    """Whether the client prefers JSON to the picture, or to the ZIP of several recipes.

    The Accept header never changes the picture's format.

    Raises
    ------
    NotAcceptable
        The client accepts neither.
    """
    offers = (FORMATS[recipes[0].format].media_type if len(recipes) == 1 else ZIP, JSON)
    best = preferred(accept, offers)
    if best is None:
        raise NotAcceptable(
            f"The response is {offers[0]} or {JSON}, but the client accepts only {accept[:200]}.",
            hint="Accept one of the two"
            + (", or choose another format with the option `format`." if len(recipes) == 1 else "."),
            allowed=offers,
        )
    return best == JSON


def picture(made: Made) -> Response:
    """The response with the picture itself."""
    result = made.result
    headers = facts(result) | {"Content-Disposition": content_disposition(result.media_type)}
    return _file(made, result.data, result.media_type, headers)


def archive(made: Made, recipes: tuple[Recipe, ...]) -> Response:
    """The response with a ZIP: a picture per preset (amazon.jpg, etsy.jpg ...) and their metadata (packshots.json)."""
    names = [f"{recipe.preset}{FORMATS[recipe.format].suffix}" for recipe in recipes]
    known = [ArchivedPicture.of(*each).model_dump(mode="json") for each in zip(made.results, names, strict=True)]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archived:  # pictures are already compressed
        for name, result in zip(names, made.results, strict=True):
            archived.writestr(name, result.data)
        archived.writestr("packshots.json", json.dumps(known, indent=2))
    reports = [result.report for result in made.results if result.report is not None]
    headers = facts(made.result) | {"Content-Disposition": 'attachment; filename="packshots.zip"'}
    if reports:
        headers["X-Packshot-Preset"] = "passed" if all(report.passed for report in reports) else "failed"
    for of_one_picture in ("X-Packshot-Product", "X-Packshot-Notes"):
        del headers[of_one_picture]
    return _file(made, out.getvalue(), ZIP, headers)


def _file(made: Made, data: bytes, media_type: str, headers: dict[str, str]) -> Response:
    if made.photo_id is not None:
        headers["X-Packshot-Photo"] = made.photo_id
    headers |= {
        "X-Packshot-Credits": str(made.credits),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        "Vary": "Accept",
    }
    return Response(data, media_type=media_type, headers=headers)


def facts(result: Result) -> dict[str, str]:
    """The metadata of a result as headers. Unknown values have no header."""
    headers = {
        "X-Packshot-Box": _corners(result.box),
        "X-Packshot-Product": _corners(result.product),
        "X-Packshot-Review": str(result.review).lower(),
        "X-Packshot-Notes": str(len(result.notes)),
        "Server-Timing": server_timing(result.timings_ms),
    }
    if result.confidence is not None:
        headers["X-Packshot-Confidence"] = f"{result.confidence:.4f}"
    if result.report is not None:
        headers["X-Packshot-Preset"] = "passed" if result.report.passed else "failed"
    return headers


def server_timing(timings_ms: dict[str, float]) -> str:
    """The Server-Timing header (W3C), which browsers' developer tools show."""
    return ", ".join(f"{_NOT_A_TOKEN.sub('-', name)};dur={value:.1f}" for name, value in timings_ms.items())


def _corners(box: Box) -> str:
    return ",".join(map(str, box))


DIALECT = Dialect(
    "Native API",
    prefixes=("/v1",),
    key_headers=(BEARER, "x-api-key"),
    takes_any_key=True,
    endpoints=(
        Endpoint(
            "POST",
            ("/v1/packshots",),
            make_packshot,
            summary="Make a packshot of a product photo, or one for each marketplace",
            operation_id="makePackshot",
            takes_queue=True,
            failures=(402, 404, 406, 409, 410, 502, *_CHECK_FAILURES),
            model=Packshot,
            answers={200: form.picture_answers()},
            body=form.packshots_body,
            parameters=(IDEMPOTENCY_KEY,),
            sample="-F image=@photo.jpg -F preset=amazon -o packshot.jpg",
        ),
        Endpoint(
            "POST",
            ("/v1/checks",),
            check_picture,
            summary="Check a finished picture against a marketplace's rules; costs no credit",
            operation_id="checkPicture",
            takes_queue=True,
            failures=_CHECK_FAILURES,
            model=Checked,
            body=form.checks_body,
            sample="-F image=@picture.jpg -F preset=amazon",
        ),
        *jobs.ENDPOINTS,
        Endpoint(
            "GET",
            ("/v1/account",),
            tell_account,
            summary="Credits, rate limit and usage of your key over the last 30 days",
            operation_id="account",
            failures=(401, 403, 405, 429, 500, 503),
            model=Account,
        ),
        Endpoint(
            "GET",
            ("/v1/about",),
            tell_about,
            summary="Formats, options and presets of this service; needs no key",
            operation_id="about",
            needs_key=False,
            failures=(405, 500),
            model=About,
        ),
    ),
)
