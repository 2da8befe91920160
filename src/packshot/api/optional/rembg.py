"""The form of rembg's server, `rembg s`: POST and GET /api/remove, also without a key if the operator allows that."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse, Response

from packshot import errors
from packshot.api.dialect import BEARER, BINARY, Call, Dialect, Endpoint, form_body
from packshot.api.errors import ErrorForm, MissingParameter, Renamed, Row, restated
from packshot.api.optional.form import FAILURES, file_answer, in_words, read_photo, refused, said, switch
from packshot.api.output import RGBA, behind, tinted
from packshot.core.options import Options
from packshot.engine.job import Submission
from packshot.engine.presets import recipe_for
from packshot.engine.result import Result
from packshot.service.build import native_limits

PATH = "/api/remove"
PNG = "image/png"
_COLOUR = "red, green, blue and alpha, each from 0 to 255, such as 255,255,255,255"
_WITHOUT_EFFECT = "Validated, but has no effect here."
FIELDS: Mapping[str, dict[str, Any]] = {
    "model": {"type": "string", "description": "Has no effect: the service has one network."},
    "om": {"type": "boolean", "description": "Return the matte as a gray picture instead of the cutout."},
    "bgc": {"type": "string", "description": f"Background colour: {_COLOUR}."},
    "a": {"type": "boolean", "description": _WITHOUT_EFFECT},
    "af": {"type": "integer", "minimum": 0, "maximum": 255, "description": _WITHOUT_EFFECT},
    "ab": {"type": "integer", "minimum": 0, "maximum": 255, "description": _WITHOUT_EFFECT},
    "ae": {"type": "integer", "minimum": 0, "description": _WITHOUT_EFFECT},
    "ppm": {"type": "boolean", "description": _WITHOUT_EFFECT},
    "extras": {"type": "string", "description": "Ignored."},
}


class Order(NamedTuple):
    """A parsed request. tint: a semi-transparent background colour."""

    options: Options
    tint: RGBA | None = None


async def remove_from_file(call: Call) -> Response:
    photo, texts = await read_photo(call, "file", call.service.settings.v1_max_file_bytes)
    # rembg's server reads some options from the form and some from the query. Its clients mix them up.
    order = read(said(call.request.query_params.items()) | texts)
    return file_answer((await call.run(_made(call, photo, order))).data, PNG)


async def remove_from_url(call: Call) -> Response:
    texts = said(call.request.query_params.items())
    if "url" not in texts:
        raise MissingParameter("The request has no `url`.", hint="Add it to the query string.", field="url")
    return file_answer((await call.run(_brought(call, texts["url"], read(texts)))).data, PNG)


async def to_docs(_: Call) -> Response:
    """Redirect to /docs. rembg's server has its documentation here, and programs use the path as a health check."""
    return RedirectResponse("docs")


def read(texts: Mapping[str, str]) -> Order:
    """Parse the options of a request. Raises: InvalidOption."""
    for field, about in FIELDS.items():
        if about["type"] == "integer" and field in texts:
            _check_whole(field, texts[field], about["minimum"], about.get("maximum"))
    only_mask, *_ = (switch(texts, field) for field in ("om", "a", "ppm"))
    colour, tint = behind(_colour(texts["bgc"])) if "bgc" in texts else (None, None)
    if only_mask:
        return Order(Options(form="mask", format="png"))
    return Order(Options(background=colour, format="png"), tint)


def _colour(text: str) -> RGBA:
    parts = [part.strip() for part in text.split(",")]
    if not 3 <= len(parts) <= 4 or not all(part.isdecimal() and part.isascii() and len(part) < 4 for part in parts):
        raise refused("bgc", text, _COLOUR)
    red, green, blue, alpha = (*map(int, parts), 255)[:4]
    if max(red, green, blue, alpha) > 255:
        raise refused("bgc", text, _COLOUR)
    return red, green, blue, alpha


def _check_whole(field: str, text: str, low: int, high: int | None) -> None:
    try:
        fits = low <= int(text) and (high is None or int(text) <= high)
    except ValueError:
        fits = False
    if not fits:
        raise refused(field, text, f"a whole number from {low} " + ("upwards" if high is None else f"to {high}"))


async def _brought(call: Call, url: str, order: Order) -> Result:
    hint = f"Send the photo as a file: POST {PATH} with the part `file`."
    most = call.service.settings.v1_max_file_bytes
    return await _made(call, await call.fetch(url, field="url", hint=hint, max_bytes=most), order)


async def _made(call: Call, photo: bytes, order: Order) -> Result:
    submission = Submission(photo, recipe_for(order.options), native_limits(call.service.settings))
    finish = None if order.tint is None else partial(tinted, tint=order.tint, file_format="png")
    return await call.service.jobs.make_once(call.key, submission, finish=finish)


class Detail(BaseModel):
    """The body of every failure."""

    detail: str = Field(description="The problem and advice.")


def _failure(error: errors.PackshotError, row: Row, request_id: str) -> dict[str, Any]:
    return {"detail": in_words(error, row, request_id)}


# rembg's server answers 422 to a form with missing parts, and 400 to a URL that it does not fetch.
TABLE = restated({MissingParameter: 422, errors.UrlRefused: 400})
ERRORS = ErrorForm(TABLE, _failure, Detail, challenge="Bearer", renamed={"background": Renamed("bgc", _COLOUR)})
_ANSWERS: Mapping[int | str, dict[str, Any]] = {200: {"content": {PNG: {"schema": BINARY}}}}
_URL = {"name": "url", "in": "query", "required": True, "schema": {"type": "string"}, "description": "Photo URL."}
_QUERY = tuple(
    {"name": name, "in": "query", "schema": {"type": about["type"]}, "description": about["description"]}
    for name, about in FIELDS.items()
)
DIALECT = Dialect(
    "rembg form",
    prefixes=(PATH,),
    key_headers=("x-api-key", BEARER),
    takes_any_key=True,
    keyless=True,
    errors=ERRORS,
    endpoints=(
        Endpoint(
            "POST",
            (PATH,),
            remove_from_file,
            summary="Remove the background of a photo",
            operation_id="rembgFile",
            takes_queue=True,
            failures=FAILURES,
            answers=_ANSWERS,
            body=partial(form_body, {"file": BINARY | {"description": "The photo."}, **FIELDS}, ["file"]),
            sample="-F file=@photo.jpg -o cutout.png",
        ),
        Endpoint(
            "GET",
            (PATH,),
            remove_from_url,
            summary="Remove the background of a photo at a URL, if the operator allows URLs",
            operation_id="rembgUrl",
            takes_queue=True,
            failures=FAILURES,
            answers=_ANSWERS,
            parameters=(_URL, *_QUERY),
        ),
        Endpoint("GET", ("/api",), to_docs, needs_key=False),
    ),
)
