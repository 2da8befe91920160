"""The vendor's JSON envelope around every answer, and its table of errors."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, Field

from packshot import errors
from packshot.api.dialect import ENDLESS_CREDITS
from packshot.api.errors import (
    BodyTooLarge,
    BodyTooSlow,
    ErrorForm,
    HeadTooLarge,
    MalformedRequest,
    MissingParameter,
    Row,
    Table,
    UnknownPath,
    UnsupportedEncoding,
    WrongMethod,
)

TABLE: Table = {
    MalformedRequest: Row(400, "The request is not of the expected form.", "ERROR_PARAMETERS"),
    MissingParameter: Row(400, "A required parameter is missing.", "MISSING_PARAMETERS"),
    errors.EmptyFile: Row(400, "A required parameter is empty.", "PARAMETERS_CANNOT_EMPTY"),
    errors.UnreadableImage: Row(400, "The file could not be decoded.", "FILE_DECODING_FAILURE"),
    errors.InputError: Row(400, "The request cannot be used.", "ERROR_PARAMETERS"),
    errors.MissingKey: Row(401, "No valid API key.", "ERROR_APPLICATIONS_NOT_EXISTS"),
    errors.UnknownKey: Row(401, "No valid API key.", "ERROR_APPLICATIONS_NOT_EXISTS"),
    errors.LockedKey: Row(403, "The API key is locked.", "ERROR_USER_LOCKED"),
    errors.AccessError: Row(403, "Access is denied.", "ERROR_USER_LOCKED"),
    errors.BadSignature: Row(403, "The result URL is not genuine.", "ERROR_ILLEGAL_FILE"),
    UnknownPath: Row(404, "There is no such endpoint.", "ERROR_AI_NOT_EXISTS"),
    errors.ResultUnknown: Row(404, "There is no such result.", "ERROR_RESOURCE_NOT_FOUND"),
    WrongMethod: Row(405, "The method is not allowed here.", "ERROR_ILLEGAL_OPERATION"),
    errors.ConflictError: Row(409, "The request conflicts with another.", "ERROR_TASK_CONFLICT"),
    errors.ResultExpired: Row(410, "The result is past its life.", "ERROR_RESOURCE_RECLAIMED"),
    errors.FileTooLarge: Row(413, "The file has too many bytes.", "FILE_SIZE_EXCEEDS_LIMIT"),
    BodyTooLarge: Row(413, "The request has too many bytes.", "ERROR_REQUEST_BODY_TOO_LARGE"),
    HeadTooLarge: Row(413, "The head of the request is too long.", "ERROR_CONTENT_TOO_LONG"),  # the contract has no 431
    UnsupportedEncoding: Row(415, "The body is of an unsupported encoding.", "UNSUPPORTED_FILE_TYPES"),
    errors.UnsupportedFormat: Row(415, "The file is of an unsupported kind.", "UNSUPPORTED_FILE_TYPES"),
    errors.UnsupportedGrayscale: Row(
        415, "Gray pictures of this kind are not supported.", "ERROR_UNSUPPORTED_GRAYSCALE_IMAGE"
    ),
    errors.ImageTooLarge: Row(422, "The picture has too many pixels.", "FILE_RESOLUTION_EXCEEDS_LIMITS"),
    errors.ImageTooSmall: Row(422, "The picture has too few pixels.", "ERROR_LOW_RESOLUTION"),
    errors.UrlFailed: Row(400, "The URL gives no picture.", "ERROR_PARAMETERS"),
    errors.InvalidOption: Row(422, "A parameter has an unsupported value.", "UNSUPPORTED_PARAMETER_VALUES"),
    errors.NoForeground: Row(
        422, "Nothing to cut out was found in the picture.", "ERROR_NO_RECOGNITION_TARGET_DETECTED"
    ),
    errors.OutOfCredits: Row(429, "The credits are used up.", "ERROR_NOT_ENOUGH_CREDITS"),
    errors.RateLimited: Row(429, "Too many requests for this key.", "EXCEEDING_LIMITS"),
    errors.PackshotError: Row(500, "The service failed.", "SERVICE_INTERNAL_ERROR"),
    errors.SetupError: Row(500, "The service failed.", "SERVICE_INTERNAL_ERROR"),
    errors.StorageError: Row(502, "The place that keeps results failed.", "ERROR_GATEWAY"),
    errors.CapacityError: Row(503, "The service is busy.", "AI_SERVICE_FLOW_RESTRICTION"),
    errors.DeadlineExceeded: Row(504, "The work was not done in time.", "AI_SERVICE_TIMEOUT"),
    BodyTooSlow: Row(504, "The request did not arrive in time.", "AI_SERVICE_TIMEOUT"),
}


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

    @classmethod
    def success(cls, request_id: str, **more: object) -> Self:
        """The envelope around what a subclass describes."""
        ids = {"request_id": request_id, "log_id": request_id}
        return cls.model_validate({**ids, "error_code": 0, "error_detail": {"status_code": 200}, **more})


class SuccessEnvelope(Envelope):
    """The envelope of a finished job."""

    data: ResultData


class Elements(BaseModel):
    """Several results; here there is one."""

    elements: list[ResultData]


class ElementsEnvelope(Envelope):
    """The envelope of a finished job, where the vendor answers a list."""

    data: Elements


class TaskEnvelope(Envelope):
    """The envelope of work that is done later."""

    task_type: str = Field("async", description="Always the same.")
    task_id: str = Field(description="Names the task, for the query of its result. It is kept for 24 hours.")


class TaskData(ResultData):
    """The result of a task."""

    task_status: int = Field(description="As beside `data`: clients look at either place.")


class TaskResultEnvelope(Envelope):
    """The envelope of the query of a task. Where the task failed, error_detail says why, and error_code is 0."""

    task_status: int = Field(description="1: at work. 2: done. 3: failed, and the credit is given back.")
    data: TaskData | None = Field(None, description="The result, once the task is done.")


class Pool(BaseModel):
    """Credits of one kind. What is not known here is 0."""

    unique_sign: str = Field(description="The vendor's name for the kind.")
    name: str = Field(description="What the operator calls the key.")
    balance: int = Field(description=f"Credits left; {ENDLESS_CREDITS} where there is no end of them.")
    total: int = Field(description="Credits left and spent.")
    last_recharge_balance: int = 0
    balance_warning: int = 0
    first_buy_time: int = Field(description="When the key was made, in seconds since 1970.")
    last_update_time: int = Field(description="When it was last used, in seconds since 1970.")


class CreditsEnvelope(Envelope):
    """The envelope of the credits query.

    The pinned contract describes the photo's endpoint alone. `data` here is what clients of the vendor read: a list of
    pools of credits, whose balances they add up, or among which they look for one by its sign.
    """

    data: list[Pool]


def _failure(error: errors.PackshotError, row: Row, request_id: str) -> dict[str, Any]:
    detail = _detail(error, row)
    return Envelope(
        request_id=request_id,
        log_id=request_id,
        error_code=row.status,
        error_code_str=row.code,
        error_msg=detail.message,
        error_detail=detail,
    ).model_dump()


def _detail(error: errors.PackshotError, row: Row) -> ErrorDetail:
    """The words of the row fill code_message; the error itself fills message."""
    return ErrorDetail(status_code=row.status, code=row.code, code_message=row.words, message=str(error))


ERRORS = ErrorForm(TABLE, _failure, Envelope)


def detail_of(error: errors.PackshotError) -> dict[str, Any]:
    """The error_detail of an error that is told later."""
    row, told = ERRORS.told(error)
    return _detail(told, row).model_dump()
