"""The form of Clipdrop: POST /remove-background/v1."""

from __future__ import annotations

from functools import partial
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import Response

from packshot import errors
from packshot.api.dialect import BINARY, Call, Dialect, Endpoint, form_body
from packshot.api.errors import ErrorForm, Row, restated
from packshot.api.http import accepted, preferred
from packshot.api.optional.form import BAD_REQUEST, FAILURES, choice, file_answer, in_words, read_photo
from packshot.core.codecs import Limits
from packshot.core.codecs.formats import FORMATS
from packshot.core.options import Options
from packshot.engine.job import Submission
from packshot.engine.presets import recipe_for
from packshot.service.settings import Settings

PATH = "/remove-background/v1"
MAX_BYTES, MAX_PIXELS = 30 * 1024 * 1024, 25_000_000
REMAINING, CONSUMED = "x-remaining-credits", "x-credits-consumed"
FILES = {"image/png": "png", "image/webp": "webp", "image/jpeg": "jpeg", "image/jpg": "jpeg"}
"""Formats by media type of Accept; the first is the default. The last is the form's own name for JPEG."""
HANDLING = ("return_input_if_non_opaque", "discard_alpha_layer")
FIELDS: dict[str, dict[str, Any]] = {
    "image_file": BINARY | {"description": "The photo: at most 30 MB and 25 million pixels."},
    "transparency_handling": {
        "type": "string",
        "enum": list(HANDLING),
        "description": "Validated, but has no effect: a photo with transparency always keeps it.",
    },
}


def limits(settings: Settings) -> Limits:
    """The form's limits, capped by the service's."""
    return Limits(
        max_bytes=min(MAX_BYTES, settings.v1_max_file_bytes),
        max_pixels=min(MAX_PIXELS, settings.v1_max_pixels),
        min_side_px=settings.min_side_px,
    )


async def remove_background(call: Call) -> Response:
    most = limits(call.service.settings)
    assert most.max_bytes is not None  # noqa: S101 - set above
    photo, texts = await read_photo(call, "image_file", most.max_bytes)
    choice(texts, "transparency_handling", HANDLING, HANDLING[0])
    # The form always returns a picture. A client that accepts none of the types gets the first.
    file = FILES[preferred(accepted(call.request), tuple(FILES)) or next(iter(FILES))]
    submission = Submission(photo, recipe_for(Options(format=file)), most)
    result = await call.run(call.service.jobs.make_once(call.key, submission))
    left = call.credits_left if call.key.credits is None else max(0, call.credits_left - 1)
    headers = {REMAINING: str(left), CONSUMED: "1", "Vary": "Accept"}
    return file_answer(result.data, FORMATS[file].media_type, headers)


class Failure(BaseModel):
    """The body of every failure."""

    error: str = Field(description="The problem and advice.")


def _failure(error: errors.PackshotError, row: Row, request_id: str) -> dict[str, Any]:
    return {"error": in_words(error, row, request_id)}


ERRORS = ErrorForm(restated({**BAD_REQUEST, errors.UnknownKey: 403}), _failure, Failure)
_WHOLE = {"schema": {"type": "integer"}}
_PICTURE: dict[str, Any] = {
    "description": "The picture, of the photo's size. JPEG is on white.",
    "content": {FORMATS[name].media_type: {"schema": BINARY} for name in FILES.values()},
    "headers": {
        REMAINING: {
            "description": "Credits left; 1000000 means unlimited.",
            **_WHOLE,
        },
        CONSUMED: {"description": "Always 1, for every size.", **_WHOLE},
    },
}
DIALECT = Dialect(
    "Clipdrop form",
    prefixes=(PATH,),
    key_headers=("x-api-key",),
    errors=ERRORS,
    endpoints=(
        Endpoint(
            "POST",
            (PATH,),
            remove_background,
            summary="Remove the background of a photo",
            operation_id="clipdropRemoveBackground",
            takes_queue=True,
            limits=limits,
            failures=tuple(status for status in FAILURES if status not in {413, 422}),
            answers={200: _PICTURE},
            body=partial(form_body, FIELDS, ["image_file"]),
            sample="-F image_file=@photo.jpg -o cutout.png",
        ),
    ),
)
