"""The drop-in contract's endpoints: the photo's, under the paths of the vendor's shops, its results, and credits."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from packshot.api import results
from packshot.api.ailab.envelope import ERRORS, CreditsEnvelope, SuccessEnvelope
from packshot.api.dialect import BINARY, IDEMPOTENCY_KEY, Call, Dialect, Endpoint, form_body
from packshot.api.upload import Form, UploadLimits, file_in, read_form
from packshot.core.options import Options
from packshot.engine.job import Submission
from packshot.engine.presets import recipe_for
from packshot.errors import InvalidOption
from packshot.service.build import contract_limits
from packshot.service.settings import Settings

PATHS = (
    "/cutout/commodity/commodity",
    "/api/v1/ailabtools/product-background-removal/cutout/commodity/commodity",
    "/api/cutout/general/commodity-background-removal",
)
RESULTS = "/cutout/results"  # its errors must come in the envelope
KEY_HEADERS = ("x-api-market-key", "x-magicapi-key", "x-rapidapi-key", "ailabapi-api-key")
FORMS = {"mask": Options(form="mask"), "whiteBK": Options(background="white"), "crop": Options(crop=True)}


def body() -> dict[str, Any]:
    """The form as OpenAPI has it."""
    about = "JPEG, PNG (24, 32 or 48 bits a pixel) or BMP; at most 3 MB, sides from 32 to 1999 px."
    return_form = {
        "type": "string",
        "enum": list(FORMS),
        "description": "Absent: cutout, a four-channel PNG. `mask`: the matte as gray PNG. "
        "`whiteBK`: on white, JPEG. `crop`: the cutout without its empty margins.",
    }
    return form_body({"image": BINARY | {"description": about}, "return_form": return_form}, ["image"])


def upload_limits(settings: Settings) -> UploadLimits:
    """A photo, and some short fields."""
    return UploadLimits({"image": settings.max_file_bytes}, settings.body_deadline_s)


async def remove_product_background(call: Call) -> Response:
    settings = call.service.settings
    form = await read_form(call.request, upload_limits(settings))
    data, options = file_in(form, "image"), _options_of(form)
    photo = Submission(data, recipe_for(options), contract_limits(settings))
    stored = await call.run(call.service.jobs.make_and_keep(call.key, photo, idempotency_key=call.idempotency_key))
    url = call.service.public_url(stored.link.path(RESULTS))
    return JSONResponse(SuccessEnvelope.success(call.request_id, {"image_url": url}).model_dump())


async def query_credits(call: Call) -> Response:
    key, balance = call.key, call.credits_left
    pool = {
        "unique_sign": key.id,
        "name": key.name,
        "balance": balance,
        "total": balance + key.used,
        "first_buy_time": int(key.created_at),
        "last_update_time": int(key.last_used_at or key.created_at),
    }
    envelope = CreditsEnvelope.success(call.request_id, [pool])
    return JSONResponse(envelope.model_dump(), headers={"Cache-Control": "no-store"})


def _options_of(form: Form) -> Options:
    """What `return_form` asks for; without one, the cutout. Of several the last counts."""
    values = [value for name, value in form if name == "return_form"]
    if not values:
        return Options()
    value = values[-1]
    if isinstance(value, str) and value in FORMS:
        return FORMS[value]
    shown = repr(value[:40]) if isinstance(value, str) else "a file"
    raise InvalidOption(
        f"return_form is {shown}.",
        hint=f"Use one of {', '.join(FORMS)}, or leave it out for a cutout.",
        field="return_form",
        allowed=tuple(FORMS),
    )


DIALECT = Dialect(
    "Drop-in contract",
    prefixes=("/cutout", "/api"),
    key_headers=KEY_HEADERS,
    errors=ERRORS,
    endpoints=(
        Endpoint(
            "POST",
            PATHS,
            remove_product_background,
            summary="Remove the background of a product photo",
            operation_id="removeProductBackground",
            takes_queue=True,
            failures=(400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429, 500, 502, 503, 504),
            model=SuccessEnvelope,
            answers={200: {"description": "The envelope, with the result's `image_url`"}},
            body=body,
            parameters=(IDEMPOTENCY_KEY,),
            sample="-F image=@photo.jpg",
        ),
        Endpoint(
            "GET",
            ("/api/common/query-credits",),
            query_credits,
            summary="The credits of a key",
            operation_id="queryCredits",
            failures=(401, 403, 405, 429, 500, 503),
            model=CreditsEnvelope,
        ),
        *results.endpoints(RESULTS, "OfContract"),
    ),
)
