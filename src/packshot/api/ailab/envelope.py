"""The vendor's JSON envelope around every response, and its error table."""

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
    MalformedRequest: Row(400, "The request does not have the expected form.", "ERROR_PARAMETERS"),
    MissingParameter: Row(400, "A required parameter is missing.", "MISSING_PARAMETERS"),
    errors.EmptyFile: Row(400, "A required parameter is empty.", "PARAMETERS_CANNOT_EMPTY"),
    errors.UnreadableImage: Row(400, "The file could not be decoded.", "FILE_DECODING_FAILURE"),
    errors.InputError: Row(400, "The request cannot be used.", "ERROR_PARAMETERS"),
    errors.MissingKey: Row(401, "No valid API key.", "ERROR_APPLICATIONS_NOT_EXISTS"),
    errors.UnknownKey: Row(401, "No valid API key.", "ERROR_APPLICATIONS_NOT_EXISTS"),
    errors.LockedKey: Row(403, "The API key is locked.", "ERROR_USER_LOCKED"),
    errors.AccessError: Row(403, "Access is denied.", "ERROR_USER_LOCKED"),
    errors.BadSignature: Row(403, "The result URL's signature is not valid.", "ERROR_ILLEGAL_FILE"),
    UnknownPath: Row(404, "There is no such endpoint.", "ERROR_AI_NOT_EXISTS"),
    errors.ResultUnknown: Row(404, "There is no such result.", "ERROR_RESOURCE_NOT_FOUND"),
    WrongMethod: Row(405, "The method is not allowed here.", "ERROR_ILLEGAL_OPERATION"),
    errors.ConflictError: Row(409, "The request conflicts with another.", "ERROR_TASK_CONFLICT"),
    errors.ResultExpired: Row(410, "The result has expired.", "ERROR_RESOURCE_RECLAIMED"),
    errors.FileTooLarge: Row(413, "The file has too many bytes.", "FILE_SIZE_EXCEEDS_LIMIT"),
    BodyTooLarge: Row(413, "The request has too many bytes.", "ERROR_REQUEST_BODY_TOO_LARGE"),
    HeadTooLarge: Row(413, "The head of the request is too long.", "ERROR_CONTENT_TOO_LONG"),  # the contract has no 431
    UnsupportedEncoding: Row(415, "The Content-Encoding is not supported.", "UNSUPPORTED_FILE_TYPES"),
    errors.UnsupportedFormat: Row(415, "The file format is not supported.", "UNSUPPORTED_FILE_TYPES"),
    errors.UnsupportedGrayscale: Row(
        415, "Gray pictures of this kind are not supported.", "ERROR_UNSUPPORTED_GRAYSCALE_IMAGE"
    ),
    errors.ImageTooLarge: Row(422, "The picture has too many pixels.", "FILE_RESOLUTION_EXCEEDS_LIMITS"),
    errors.ImageTooSmall: Row(422, "The picture has too few pixels.", "ERROR_LOW_RESOLUTION"),
    errors.UrlFailed: Row(400, "The URL does not lead to a picture.", "ERROR_PARAMETERS"),
    errors.InvalidOption: Row(422, "A parameter has an unsupported value.", "UNSUPPORTED_PARAMETER_VALUES"),
    errors.NoForeground: Row(422, "No product was found in the picture.", "ERROR_NO_RECOGNITION_TARGET_DETECTED"),
    errors.OutOfCredits: Row(429, "The credits are used up.", "ERROR_NOT_ENOUGH_CREDITS"),
    errors.RateLimited: Row(429, "Too many requests for this key.", "EXCEEDING_LIMITS"),
    errors.PackshotError: Row(500, "The service failed.", "SERVICE_INTERNAL_ERROR"),
    errors.SetupError: Row(500, "The service failed.", "SERVICE_INTERNAL_ERROR"),
    errors.StorageError: Row(502, "The result store failed.", "ERROR_GATEWAY"),
    errors.CapacityError: Row(503, "The service is busy.", "AI_SERVICE_FLOW_RESTRICTION"),
    errors.DeadlineExceeded: Row(504, "The work was not finished in time.", "AI_SERVICE_TIMEOUT"),
    BodyTooSlow: Row(504, "The request did not arrive in time.", "AI_SERVICE_TIMEOUT"),
}


class ErrorDetail(BaseModel):
    """The detailed error in the envelope."""

    status_code: int = Field(description="The HTTP status.")
    code: str = Field("", description="The detailed error code; empty on success.")
    code_message: str = Field("", description="The meaning of the code; empty on success.")
    message: str = Field("", description="The problem of this request, and advice; empty on success.")


class ResultData(BaseModel):
    """The data of a success."""

    image_url: str = Field(description="URL of the result. It works for 24 hours.")


class Envelope(BaseModel):
    """The envelope of every JSON response."""

    request_id: str = Field(description="Identifies this request in the operator's logs.")
    log_id: str = Field(description="The same as request_id.")
    error_code: int = Field(description="0 on success, otherwise the HTTP status.")
    error_code_str: str = Field("", description="The error code; empty on success.")
    error_msg: str = Field("", description="The problem and advice; empty on success.")
    error_detail: ErrorDetail

    @classmethod
    def success(cls, request_id: str, **more: object) -> Self:
        """A success envelope. more: the fields of the subclass."""
        ids = {"request_id": request_id, "log_id": request_id}
        return cls.model_validate({**ids, "error_code": 0, "error_detail": {"status_code": 200}, **more})


class SuccessEnvelope(Envelope):
    """The envelope of a finished job."""

    data: ResultData


class Elements(BaseModel):
    """A list of results; this service always returns one."""

    elements: list[ResultData]


class ElementsEnvelope(Envelope):
    """The envelope of a finished job, for endpoints where the vendor returns a list."""

    data: Elements


class TaskEnvelope(Envelope):
    """The envelope of an asynchronous task."""

    task_type: str = Field("async", description="Always async.")
    task_id: str = Field(description="Identifies the task, to query its result. Kept for at least 24 hours.")


class TaskData(ResultData):
    """The result of a task."""

    task_status: int = Field(description="Repeats the outer task_status, because some clients read it here.")


class TaskResultEnvelope(Envelope):
    """The envelope of a task query. For a failed task, error_detail contains the reason, and error_code is 0."""

    task_status: int = Field(description="1: waiting or working. 2: done. 3: failed, and the credit is given back.")
    data: TaskData | None = Field(None, description="The result, once the task is done.")


class Pool(BaseModel):
    """Credits of one kind. Values that the service does not know are 0."""

    unique_sign: str = Field(description="The vendor's name for the kind.")
    name: str = Field(description="The operator's name for the key.")
    balance: int = Field(description=f"Credits left; {ENDLESS_CREDITS} means unlimited.")
    total: int = Field(description="Credits left plus credits spent.")
    last_recharge_balance: int = 0
    balance_warning: int = 0
    first_buy_time: int = Field(description="Creation of the key, in seconds since 1970.")
    last_update_time: int = Field(description="Last use of the key, in seconds since 1970.")


class CreditsEnvelope(Envelope):
    """The envelope of the credits query.

    The pinned contract describes only the photo endpoint, so `data` follows the vendor's clients. They read a list of
    credit pools, and add up the balances or look for one pool by its unique_sign.
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
    """The error_detail: code_message is the row's title, message is the error's text."""
    return ErrorDetail(status_code=row.status, code=row.code, code_message=row.words, message=str(error))


ERRORS = ErrorForm(TABLE, _failure, Envelope)


def detail_of(error: errors.PackshotError) -> dict[str, Any]:
    """The error_detail of a task's error, which a later query returns."""
    row, told = ERRORS.told(error)
    return _detail(told, row).model_dump()
