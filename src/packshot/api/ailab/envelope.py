"""The vendor's JSON envelope around every answer, success or not."""

from __future__ import annotations

from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from packshot.api.ailab.errors import vendor_error
from packshot.api.answers import INTERNAL_MESSAGE, failure_headers, request_id_of
from packshot.errors import PackshotError


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
    return JSONResponse(envelope.model_dump(), status_code=row.status, headers=failure_headers(error))
