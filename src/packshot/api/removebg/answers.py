"""A finished order as an answer: the picture with what is known of it in headers, or the same in JSON."""

from __future__ import annotations

import base64

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from packshot.api.removebg.browsers import ANY_ORIGIN
from packshot.api.removebg.finish import MEDIA_TYPES
from packshot.api.removebg.form import Order
from packshot.engine.pipeline import Result
from packshot.service.accounts import KeyInfo

CREDITS_CHARGED = 1  # the service's own price of a picture, whatever its size
# A key without an end of credits has that many, for programs which look whether there are enough.
ENDLESS_CREDITS = 1_000_000


def wants_json(request: Request) -> bool:
    """Whether JSON is all that the client takes.

    HTTP libraries say "application/json, */*" of their own accord in programs that then save the picture.
    """
    accept = ", ".join(request.headers.getlist("accept")).lower()
    kinds = {part.split(";")[0].strip() for part in accept.split(",")}
    return "application/json" in kinds and not any(kind == "*/*" or kind.startswith("image/") for kind in kinds)


def answer(order: Order, result: Result, *, as_json: bool) -> Response:
    """The picture or the zip itself, or JSON with it in base64."""
    headers = facts(order, result) | ANY_ORIGIN | {"Cache-Control": "no-store", "Vary": "Accept"}
    if not as_json:
        headers["X-Content-Type-Options"] = "nosniff"
        return Response(result.data, media_type=MEDIA_TYPES[order.file], headers=headers)
    left, top, right, bottom = result.box
    found = {"foreground_left": left, "foreground_top": top}
    found |= {"foreground_width": right - left, "foreground_height": bottom - top}
    return JSONResponse({"data": {"result_b64": base64.b64encode(result.data).decode(), **found}}, headers=headers)


def facts(order: Order, result: Result) -> dict[str, str]:
    """What is known of a result, as headers. The foreground's place is that in the photo, in the photo's px."""
    box = result.box
    figures = {
        "X-Width": result.size.width,
        "X-Height": result.size.height,
        "X-Max-Width": result.photo_size.width,
        "X-Max-Height": result.photo_size.height,
        "X-Foreground-Top": box.top,
        "X-Foreground-Left": box.left,
        "X-Foreground-Width": box.size.width,
        "X-Foreground-Height": box.size.height,
        "X-Credits-Charged": CREDITS_CHARGED,
    }
    kind = {} if order.kind is None else {"X-Type": order.kind}
    return {name: str(value) for name, value in figures.items()} | kind


def account(key: KeyInfo) -> Response:
    """The credits of a key, as the form divides them: all of them are paid as you go."""
    total = ENDLESS_CREDITS if key.credits is None else key.credits
    attributes = {
        "credits": {"total": total, "subscription": 0, "payg": total, "enterprise": 0},
        "api": {"free_calls": 0, "sizes": "all"},
    }
    headers = ANY_ORIGIN | {"Cache-Control": "no-store"}
    return JSONResponse({"data": {"attributes": attributes}}, headers=headers)
