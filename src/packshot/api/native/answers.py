"""A finished packshot as an answer: the picture itself with what is known of it in headers, or JSON with a link."""

from __future__ import annotations

import re

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from packshot.api.accept import preferred
from packshot.api.errors import NotAcceptable
from packshot.core.codecs import MEDIA_TYPES
from packshot.core.geometry import Box
from packshot.core.recipe import Recipe
from packshot.engine.pipeline import Result
from packshot.service.storage import EXTENSIONS

JSON = "application/json"
_NOT_A_TOKEN = re.compile(r"[^\w.-]+")


def wants_json(request: Request, recipe: Recipe) -> bool:
    """Whether the client likes JSON better than the picture that the recipe makes. It never changes the picture.

    Raises
    ------
    NotAcceptable
        It takes neither.
    """
    accept = ", ".join(request.headers.getlist("accept"))
    offers = (MEDIA_TYPES[recipe.format], JSON)
    best = preferred(accept, offers)
    if best is None:
        raise NotAcceptable(
            f"The answer is {offers[0]} or {JSON}; the client accepts only {accept[:200]}.",
            hint="Accept one of the two, or ask for another format with the option `format`.",
            allowed=offers,
        )
    return best == JSON


def described(model: BaseModel) -> Response:
    """What is known, as JSON."""
    return JSONResponse(model.model_dump(mode="json"), headers={"Cache-Control": "no-store", "Vary": "Accept"})


def picture(result: Result) -> Response:
    """The picture itself."""
    headers = facts(result) | {
        "Content-Disposition": f'inline; filename="packshot.{EXTENSIONS[result.media_type]}"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        "Vary": "Accept",
    }
    return Response(result.data, media_type=result.media_type, headers=headers)


def facts(result: Result) -> dict[str, str]:
    """What is known of a result, as headers. What is not known has none."""
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
    """Steps as browsers' developer tools show them (W3C Server Timing)."""
    return ", ".join(f"{_NOT_A_TOKEN.sub('-', name)};dur={value:.1f}" for name, value in timings_ms.items())


def _corners(box: Box) -> str:
    return ",".join(map(str, box))
