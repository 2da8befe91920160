"""The vendor's table: each error's HTTP status and code, looked up along the error's MRO."""

from __future__ import annotations

from typing import NamedTuple

from packshot import errors
from packshot.api.errors import BodyTooLarge, BodyTooSlow, MalformedRequest, MissingImage, UnknownPath, WrongMethod


class VendorError(NamedTuple):
    """A row of the table. `meaning` fills the envelope's code_message; the error itself fills its message."""

    status: int
    code: str
    meaning: str


TABLE: dict[type[errors.PackshotError], VendorError] = {
    MalformedRequest: VendorError(400, "ERROR_PARAMETERS", "The request is not of the expected form."),
    MissingImage: VendorError(400, "MISSING_PARAMETERS", "A required parameter is missing."),
    errors.EmptyFile: VendorError(400, "PARAMETERS_CANNOT_EMPTY", "A required parameter is empty."),
    errors.UnreadableImage: VendorError(400, "FILE_DECODING_FAILURE", "The file could not be decoded."),
    errors.InputError: VendorError(400, "ERROR_PARAMETERS", "The request cannot be used."),
    errors.MissingKey: VendorError(401, "ERROR_APPLICATIONS_NOT_EXISTS", "No valid API key."),
    errors.UnknownKey: VendorError(401, "ERROR_APPLICATIONS_NOT_EXISTS", "No valid API key."),
    errors.LockedKey: VendorError(403, "ERROR_USER_LOCKED", "The API key is locked."),
    errors.AccessError: VendorError(403, "ERROR_USER_LOCKED", "Access is denied."),
    errors.BadSignature: VendorError(403, "ERROR_ILLEGAL_FILE", "The result URL is not genuine."),
    UnknownPath: VendorError(404, "ERROR_AI_NOT_EXISTS", "There is no such endpoint."),
    errors.ResultUnknown: VendorError(404, "ERROR_RESOURCE_NOT_FOUND", "There is no such result."),
    WrongMethod: VendorError(405, "ERROR_ILLEGAL_OPERATION", "The method is not allowed here."),
    errors.ConflictError: VendorError(409, "ERROR_TASK_CONFLICT", "The request conflicts with another."),
    errors.ResultExpired: VendorError(410, "ERROR_RESOURCE_RECLAIMED", "The result is past its life."),
    errors.FileTooLarge: VendorError(413, "FILE_SIZE_EXCEEDS_LIMIT", "The file has too many bytes."),
    BodyTooLarge: VendorError(413, "ERROR_REQUEST_BODY_TOO_LARGE", "The request has too many bytes."),
    errors.UnsupportedFormat: VendorError(415, "UNSUPPORTED_FILE_TYPES", "The file is of an unsupported kind."),
    errors.UnsupportedGrayscale: VendorError(
        415, "ERROR_UNSUPPORTED_GRAYSCALE_IMAGE", "Gray pictures of this kind are not supported."
    ),
    errors.ImageTooLarge: VendorError(422, "FILE_RESOLUTION_EXCEEDS_LIMITS", "The picture has too many pixels."),
    errors.ImageTooSmall: VendorError(422, "ERROR_LOW_RESOLUTION", "The picture has too few pixels."),
    errors.InvalidOption: VendorError(422, "UNSUPPORTED_PARAMETER_VALUES", "A parameter has an unsupported value."),
    errors.NoForeground: VendorError(
        422, "ERROR_NO_RECOGNITION_TARGET_DETECTED", "Nothing to cut out was found in the picture."
    ),
    errors.OutOfCredits: VendorError(429, "ERROR_NOT_ENOUGH_CREDITS", "The credits are used up."),
    errors.RateLimited: VendorError(429, "EXCEEDING_LIMITS", "Too many requests for this key."),
    errors.PackshotError: VendorError(500, "SERVICE_INTERNAL_ERROR", "The service failed."),
    errors.SetupError: VendorError(500, "SERVICE_INTERNAL_ERROR", "The service failed."),
    errors.StorageError: VendorError(502, "ERROR_GATEWAY", "The place that keeps results failed."),
    errors.CapacityError: VendorError(503, "AI_SERVICE_FLOW_RESTRICTION", "The service is busy."),
    errors.DeadlineExceeded: VendorError(504, "AI_SERVICE_TIMEOUT", "The work was not done in time."),
    BodyTooSlow: VendorError(504, "AI_SERVICE_TIMEOUT", "The request did not arrive in time."),
}


def vendor_error(error: errors.PackshotError) -> VendorError:
    """The row of the nearest class in the error's MRO."""
    return next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)
