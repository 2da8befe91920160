"""The vendor's JSON envelope around every answer, success or not."""

from __future__ import annotations

from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from packshot.api.ailab.errors import vendor_error
from packshot.errors import PackshotError

# What a caller may know of a fault that is ours: nothing but the request_id beside it.
INTERNAL_MESSAGE = "Please send the request again later; if it goes on, tell the operator this request_id."


class ErrorDetail(BaseModel):
    """The precise half of the envelope's error."""

    status_code: int = Field(description="The HTTP status.")
    code: str = Field("", description="The precise error code; empty on success.")
    code_message: str = Field("", description="What the code means; empty on success.")
    message: str = Field("", description="What happened to this request, and what to do; empty on success.")


class ResultData(BaseModel):
    """What a success carries."""

    image_url: str = Field(description="Where the result can be fetched. It works for 24 hours.")


class Envelope(BaseModel):
    """Every JSON answer of the contract."""

    request_id: str = Field(description="Names this request in the operator's logs.")
    log_id: str = Field(description="The same, under the contract's second name.")
    error_code: int = Field(description="0 on success, otherwise the HTTP status.")
    error_code_str: str = Field("", description="The error code; empty on success.")
    error_msg: str = Field("", description="What happened and what to do; empty on success.")
    error_detail: ErrorDetail


class SuccessEnvelope(Envelope):
    """The envelope of a finished job."""

    data: ResultData


def request_id_of(request: Request) -> str:
    """The id that the outermost middleware gave to this request: an upper-case UUID."""
    request_id: str = request.scope["request_id"]
    return request_id


def success(request: Request, image_url: str) -> SuccessEnvelope:
    request_id = request_id_of(request)
    return SuccessEnvelope(
        request_id=request_id,
        log_id=request_id,
        error_code=0,
        error_detail=ErrorDetail(status_code=200),
        data=ResultData(image_url=image_url),
    )


def failure(request: Request, error: PackshotError) -> Response:
    """The answer to an error: its row of the table, its own words, Retry-After where it knows when."""
    row = vendor_error(error)
    message = INTERNAL_MESSAGE if row.status == 500 else str(error)
    request_id = request_id_of(request)
    envelope = Envelope(
        request_id=request_id,
        log_id=request_id,
        error_code=row.status,
        error_code_str=row.code,
        error_msg=message,
        error_detail=ErrorDetail(status_code=row.status, code=row.code, code_message=row.meaning, message=message),
    )
    headers = {"Cache-Control": "no-store"}
    retry_after_s = getattr(error, "retry_after_s", None)
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    return JSONResponse(envelope.model_dump(), status_code=row.status, headers=headers)
