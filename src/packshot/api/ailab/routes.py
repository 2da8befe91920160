"""The drop-in contract's endpoints: cutouts under the paths of the vendor's shops, tasks, results and credits."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.responses import JSONResponse, Response

from packshot.api import results
from packshot.api.ailab.cutouts import CUTOUT, CUTOUTS, HD, PRODUCT, Cutout
from packshot.api.ailab.envelope import (
    ERRORS,
    CreditsEnvelope,
    ElementsEnvelope,
    Envelope,
    SuccessEnvelope,
    TaskEnvelope,
    TaskResultEnvelope,
    detail_of,
)
from packshot.api.dialect import BINARY, IDEMPOTENCY_KEY, Call, Dialect, Endpoint, form_body
from packshot.api.errors import MissingParameter
from packshot.api.upload import Form, UploadLimits, file_in, read_form
from packshot.core.options import Options
from packshot.engine.job import Submission
from packshot.engine.presets import recipe_for
from packshot.errors import InvalidOption
from packshot.service.background import Source
from packshot.service.jobs import StoredResult
from packshot.service.ledger import out_of_credits
from packshot.service.settings import Settings

PATHS = PRODUCT.paths
RESULTS = "/cutout/results"  # below the dialect's prefix, because its errors need the envelope
KEY_HEADERS = ("x-api-market-key", "x-magicapi-key", "x-rapidapi-key", "ailabapi-api-key")
AT_WORK, DONE, FAILED = 1, 2, 3
"""Values of `task_status`. Public clients treat all except 1 and 2 as a failure, so a waiting task has 1 too."""
_FAILURES = (400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429, 500, 502, 503, 504)


def body(cutout: Cutout) -> dict[str, Any]:
    """The OpenAPI request body of a cutout's endpoint."""
    fields: dict[str, Any] = {"image": BINARY | {"description": cutout.about}}
    if cutout.forms:
        fields["return_form"] = {"type": "string", "enum": list(cutout.forms), "description": cutout.forms_about}
    return form_body(fields, ["image"])


def upload_limits(cutout: Cutout, settings: Settings) -> UploadLimits:
    """Limits for a photo and short fields."""
    most = cutout.limits(settings).max_bytes
    assert most is not None  # noqa: S101 - every endpoint of the vendor has one
    return UploadLimits({"image": most}, settings.body_deadline_s)


async def remove_background(cutout: Cutout, call: Call) -> Response:
    """Make and store a cutout, and return its URL."""
    photo = await _photo(cutout, call)
    stored = await call.run(call.service.jobs.make_and_keep(call.key, photo, idempotency_key=call.idempotency_key))
    return _answer(_model(cutout).success(call.request_id, data=_data(cutout, _url(call, stored))))


async def begin_task(cutout: Cutout, call: Call) -> Response:
    """Check the photo's header, start a job for the cutout, and return the task's id."""
    photo = await _photo(cutout, call)
    task_id = await call.run(_begun(call, photo))
    return _answer(TaskEnvelope.success(call.request_id, task_id=task_id))


async def _begun(call: Call, photo: Submission) -> str:
    """Start a job with one photo, after checking its header. Returns the job's id."""
    if call.key.credits == 0:
        raise out_of_credits()
    await call.service.admission.look(photo.check)
    sources = [Source("image", photo.data)]
    job = await call.service.background.begin(call.key, sources, CUTOUT, idempotency_key=call.idempotency_key)
    return job.id


async def query_task(call: Call) -> Response:
    """The state of a task. For a failed task, error_detail has the reason, as the vendor's SDK expects."""
    task_id = call.request.query_params.get("task_id", "")
    if not task_id:
        raise MissingParameter("The request has no `task_id`.", hint="Add it to the query string.", field="task_id")
    photo = (await call.service.background.look(call.key, task_id)).photos[0]
    if photo.error is not None:
        told: dict[str, Any] = {"task_status": FAILED, "error_detail": detail_of(photo.error)}
    elif photo.result is not None:
        # If there is `data`, the vendor's Java SDK reads the status from it. Without this one it would poll for ever.
        told = {"task_status": DONE, "data": {**_data(HD, _url(call, photo.result)), "task_status": DONE}}
    else:
        told = {"task_status": AT_WORK}
    return _answer(TaskResultEnvelope.success(call.request_id, **told))


async def query_credits(call: Call) -> Response:
    """The credits of a key. All in the vendor's common pool, which pays for everything. The product pool is empty."""
    key, balance = call.key, call.credits_left
    of_key = {
        "name": key.name,
        "first_buy_time": int(key.created_at),
        "last_update_time": int(key.last_used_at or key.created_at),
    }
    pools = [
        {"unique_sign": "common", "balance": balance, "total": balance + key.used, **of_key},
        {"unique_sign": "cutout_product_background_removal", "balance": 0, "total": 0, **of_key},
    ]
    return _answer(CreditsEnvelope.success(call.request_id, data=pools))


def _answer(envelope: Envelope) -> Response:
    return JSONResponse(envelope.model_dump(exclude_none=True), headers={"Cache-Control": "no-store"})


def _model(cutout: Cutout) -> type[Envelope]:
    return ElementsEnvelope if cutout.in_elements else SuccessEnvelope


def _data(cutout: Cutout, url: str) -> dict[str, Any]:
    found = {"image_url": url}
    return {"elements": [found]} if cutout.in_elements else found


async def _photo(cutout: Cutout, call: Call) -> Submission:
    settings = call.service.settings
    form = await read_form(call.request, upload_limits(cutout, settings))
    return Submission(file_in(form, "image"), recipe_for(_options(cutout, form)), cutout.limits(settings))


def _url(call: Call, stored: StoredResult) -> str:
    return call.service.public_url(stored.link.path(RESULTS))


def _options(cutout: Cutout, form: Form) -> Options:
    """The options for `return_form`; a cutout by default. Of repeated fields, the last non-empty one counts."""
    names = ("return_form", *cutout.refused)
    said = {name: text for name, value in form if name in names and (text := _text(value))}
    for name in cutout.refused:
        if said.get(name, "0") != "0":
            raise InvalidOption(
                f"{name} is {said[name][:40]!r}: this service cannot separate pieces of clothing.",
                hint="Omit it to cut out the whole foreground.",
                field=name,
            )
    value = said.get("return_form", "")
    if not value or not cutout.forms:
        return CUTOUT
    if value in cutout.forms:
        return cutout.forms[value]
    raise InvalidOption(
        f"return_form is {value[:40]!r}.",
        hint=f"Use one of {', '.join(cutout.forms)}, or omit it for a cutout.",
        field="return_form",
        allowed=tuple(cutout.forms),
    )


def _text(value: str | bytes) -> str:
    """A field's value as text, without surrounding spaces and JSON quotes. Some clients send these, or send a file."""
    text = (value.decode(errors="replace") if isinstance(value, bytes) else value).strip()
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    return text[1:-1].strip() if quoted else text


def _endpoint(cutout: Cutout) -> Endpoint:
    later = cutout is HD
    return Endpoint(
        "POST",
        cutout.paths,
        partial(begin_task if later else remove_background, cutout),
        summary=cutout.title,
        operation_id=cutout.operation_id,
        takes_queue=True,
        limits=cutout.limits,
        failures=_FAILURES,
        model=TaskEnvelope if later else _model(cutout),
        answers={200: {"description": "The envelope, with " + ("the task's id" if later else "the result's URL")}},
        body=partial(body, cutout),
        parameters=(IDEMPOTENCY_KEY,),
        sample="-F image=@photo.jpg",
    )


DIALECT = Dialect(
    "Drop-in contract",
    prefixes=("/cutout", "/api"),
    key_headers=KEY_HEADERS,
    errors=ERRORS,
    endpoints=(
        *map(_endpoint, (*CUTOUTS, HD)),
        Endpoint(
            "GET",
            ("/api/common/query-async-task-result",),
            query_task,
            summary="State of a task, and its result",
            operation_id="queryTask",
            failures=(400, 401, 403, 404, 405, 429, 500, 503),
            model=TaskResultEnvelope,
            parameters=({"name": "task_id", "in": "query", "required": True, "schema": {"type": "string"}},),
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
