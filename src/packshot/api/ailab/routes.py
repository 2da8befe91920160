"""The drop-in endpoint, from the request to the envelope. The four doors are the URLs of the vendor's four shops."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Security
from fastapi.security import APIKeyHeader
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from packshot.api.ailab.envelope import Envelope, SuccessEnvelope, success
from packshot.api.disconnect import cancelled_when_gone
from packshot.api.keys import admit, key_of
from packshot.api.upload import UploadLimits, read_file, read_form
from packshot.core.options import Options
from packshot.engine.job import make_job
from packshot.engine.presets import recipe_for
from packshot.errors import InvalidOption
from packshot.service.build import Service, contract_limits

DOORS = (
    "/cutout/commodity/commodity",
    "/api/v1/ailabtools/product-background-removal/cutout/commodity/commodity",
    "/api/cutout/general/commodity-background-removal",
)
KEY_HEADERS = ("x-api-market-key", "x-magicapi-key", "x-rapidapi-key", "ailabapi-api-key")
FORMS = {"mask": Options(form="mask"), "whiteBK": Options(background="white"), "crop": Options(crop=True)}

_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["image"],
                "properties": {
                    "image": {
                        "type": "string",
                        "format": "binary",
                        "description": "JPEG, PNG (24, 32 or 48 bits a pixel) or BMP; at most 3 MB, "
                        "sides from 32 to 1999 px.",
                    },
                    "return_form": {
                        "type": "string",
                        "enum": list(FORMS),
                        "description": "Absent: cutout, a four-channel PNG. `mask`: the matte as gray PNG. "
                        "`whiteBK`: on white, JPEG. `crop`: the cutout without its empty margins.",
                    },
                },
            }
        }
    },
}
_IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "A name for this request, such as a UUID. Sent again within 24 hours, the same request answers the "
    "same result and costs nothing.",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Envelope, "description": text}
    for status, text in {
        400: "No usable picture in the request",
        401: "No key, or an unknown one",
        403: "The key is locked",
        404: "No such endpoint",
        405: "Only POST",
        409: "The same Idempotency-Key with another body, or still running",
        410: "The result is past its life",
        413: "Too many bytes",
        415: "Not a JPEG, BMP or PNG of a supported depth",
        422: "Too many or too few pixels, an unknown return_form, or nothing to cut out",
        429: "Out of credits, or too many requests (Retry-After)",
        500: "A fault of the service",
        502: "The place that keeps results failed",
        503: "The queue is full, the accounts cannot be reached, or the service is shutting down (Retry-After)",
        504: "Not done in time",
    }.items()
}


def router(service: Service) -> APIRouter:
    """The doors, over the parts of a service."""
    routes = APIRouter(tags=["Drop-in contract"])
    settings = service.settings
    upload = UploadLimits({"image": settings.max_file_bytes}, settings.body_deadline_s)
    limits = contract_limits(settings)

    async def remove_product_background(request: Request) -> Response:
        key = await admit(service, request, key_of(request, KEY_HEADERS))
        service.admission.refuse_or_pass()
        form = await read_form(request, upload)
        try:
            data = await read_file(form, "image")
            options = _options_of(form)
        finally:
            await form.close()
        job = make_job(data, recipe_for(options), limits)
        named = request.headers.get("idempotency-key")
        making = service.jobs.make_and_keep(key, job, idempotency_key=named)
        stored = await cancelled_when_gone(request, making)
        return JSONResponse(success(request, service.public_url(stored.link.path)).model_dump())

    for number, path in enumerate(DOORS):
        routes.add_api_route(
            path,
            remove_product_background,
            methods=["POST"],
            summary="Remove the background of a product photo",
            operation_id=f"removeProductBackground{number or ''}",
            response_model=SuccessEnvelope,
            response_description="The envelope, with the result's `image_url`",
            responses=ERRORS,
            dependencies=[
                Security(APIKeyHeader(name=name, scheme_name=name, auto_error=False)) for name in KEY_HEADERS
            ],
            openapi_extra={"requestBody": _BODY, "parameters": [_IDEMPOTENCY_KEY]},
        )
    return routes


def _options_of(form: FormData) -> Options:
    """What `return_form` asks for; without one, the cutout."""
    value = form.get("return_form")
    if value is None:
        return Options()
    if isinstance(value, str) and value in FORMS:
        return FORMS[value]
    shown = repr(value[:40]) if isinstance(value, str) else "a file"
    raise InvalidOption(
        f"return_form is {shown}.",
        hint=f"Use one of {', '.join(FORMS)}, or leave it out for a cutout.",
        field="return_form",
        allowed=tuple(FORMS),
    )
