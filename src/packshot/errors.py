"""Every error that packshot raises on purpose.

    PackshotError
     |- InputError             the caller's file or option; nothing was computed
     |   |- EmptyFile          no bytes at all
     |   |- UnreadableImage    a supported format, but damaged or with false claims
     |   |- UnsupportedFormat  not a supported kind of file
     |   |   |- UnsupportedDepth     a supported format, but a rejected pixel depth
     |   |   '- UnsupportedGrayscale a supported format, but gray where colour is required
     |   |- FileTooLarge       too many bytes
     |   |- ImageTooLarge      too many pixels
     |   |- ImageTooSmall      too few pixels
     |   |- InvalidOption      an option's name or value
     |   |   '- UrlRefused     a URL that the service does not open
     |   |- UrlFailed          a URL that gives no picture
     |   |   '- UrlTooSlow     a URL that gives no picture in time
     |   '- PhotoUnknown       a named photo that is no longer kept: send it again
     |- NoForeground           the picture was read, but nothing in it stands out
     |- AccessError            keys and their permissions
     |   |- MissingKey, UnknownKey, LockedKey, OutOfCredits
     |   '- RateLimited        retry_after_s
     |- ConflictError          the same idempotency key: another request, or one still running
     |- CapacityError          not now; try the same request later
     |   |- QueueFull          retry_after_s
     |   |- ShuttingDown       retry_after_s
     |   |- DatabaseUnavailable    retry_after_s; accounts cannot be read, so no key is accepted
     |   |- LimiterUnavailable     retry_after_s; requests cannot be counted, and the setting requires that
     |   |- DeadlineExceeded
     |   '- ClusterStalled     a cluster that returns no more results
     |- StorageError           results
     |   |- BadSignature       a result URL that was altered, or not made here
     |   |- ResultExpired      a result that has expired
     |   |- ResultUnknown      a result that never existed
     |   |   '- JobUnknown     a job that does not exist for this key
     |   |- StoreUnavailable   the store of results failed
     |   '- StorageRefused     a place or file that cannot be read or written: waiting does not help
     |       |- FileMissing    a file that does not exist
     |       '- StorageFull    no space is left, or the place is read-only: further files would also fail
     '- SetupError             the installation: for operators, not callers
         |- BadSettings, ModelMissing
         |- NotReachable       a server that the service needs does not respond at startup
         '- ChecksumMismatch

An error has no HTTP status and no exit code. Each dialect of the API, and the command line, has its own table for
these, looked up along the class's MRO. `slug` is stable and meant for programs. `message` says what happened, `hint`
says what to do, and `fields` holds the values in the message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class PackshotError(Exception):
    """Base of all errors. `message` is for people, `hint` says what to do, `fields` holds the values in the message."""

    slug: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "", **fields: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def to_dict(self) -> dict[str, Any]:
        """The error as JSON values, for another process or a later time; `from_dict` restores it."""
        return {"kind": type(self).__name__, "message": self.message, "hint": self.hint, "fields": self.fields}


class InputError(PackshotError):
    slug = "input"


class EmptyFile(InputError):
    slug = "empty-file"


class UnreadableImage(InputError):
    slug = "unreadable-image"


class UnsupportedFormat(InputError):
    slug = "unsupported-format"


class UnsupportedDepth(UnsupportedFormat):
    slug = "unsupported-depth"


class UnsupportedGrayscale(UnsupportedFormat):
    slug = "unsupported-grayscale"


class FileTooLarge(InputError):
    slug = "file-too-large"


class ImageTooLarge(InputError):
    slug = "image-too-large"


class ImageTooSmall(InputError):
    slug = "image-too-small"


class InvalidOption(InputError):
    slug = "invalid-option"


class UrlRefused(InvalidOption):
    slug = "url-refused"


class UrlFailed(InputError):
    slug = "url-failed"


class UrlTooSlow(UrlFailed):
    slug = "url-too-slow"


class PhotoUnknown(InputError):
    slug = "photo-unknown"


class NoForeground(PackshotError):
    slug = "no-foreground"


class AccessError(PackshotError):
    slug = "access"


class MissingKey(AccessError):
    slug = "missing-key"


class UnknownKey(AccessError):
    slug = "unknown-key"


class LockedKey(AccessError):
    slug = "locked-key"


class OutOfCredits(AccessError):
    slug = "out-of-credits"


class _RetryLater(PackshotError):
    """Mixin for temporary errors; `retry_after_s` is a whole number of seconds, at least 1."""

    def __init__(self, message: str, *, retry_after_s: int, hint: str = "", **fields: object) -> None:
        super().__init__(message, hint=hint, retry_after_s=retry_after_s, **fields)
        self.retry_after_s = retry_after_s


class RateLimited(_RetryLater, AccessError):
    slug = "rate-limited"


class ConflictError(PackshotError):
    slug = "conflict"


class CapacityError(PackshotError):
    slug = "capacity"


class QueueFull(_RetryLater, CapacityError):
    slug = "queue-full"


class ShuttingDown(_RetryLater, CapacityError):
    slug = "shutting-down"


class DatabaseUnavailable(_RetryLater, CapacityError):
    slug = "database-unavailable"


class LimiterUnavailable(_RetryLater, CapacityError):
    slug = "limiter-unavailable"


class DeadlineExceeded(CapacityError):
    slug = "deadline-exceeded"


class ClusterStalled(CapacityError):
    slug = "cluster-stalled"


class StorageError(PackshotError):
    slug = "storage"


class BadSignature(StorageError):
    slug = "bad-signature"


class ResultExpired(StorageError):
    slug = "result-expired"


class ResultUnknown(StorageError):
    slug = "result-unknown"


class JobUnknown(ResultUnknown):
    slug = "job-unknown"


class StoreUnavailable(StorageError):
    slug = "store-unavailable"


class StorageRefused(StorageError):
    slug = "storage-refused"


class FileMissing(StorageRefused):
    slug = "file-missing"


class StorageFull(StorageRefused):
    slug = "storage-full"


class SetupError(PackshotError):
    slug = "setup"


class BadSettings(SetupError):
    slug = "bad-settings"


class NotReachable(SetupError):
    slug = "not-reachable"


class ModelMissing(SetupError):
    slug = "model-missing"


class ChecksumMismatch(SetupError):
    slug = "checksum-mismatch"


def from_dict(said: Mapping[str, Any]) -> PackshotError:
    """Restore the error from `to_dict`. An unknown kind becomes a plain PackshotError."""
    kind = globals().get(str(said["kind"]))
    if not (isinstance(kind, type) and issubclass(kind, PackshotError)):
        kind = PackshotError
    made: PackshotError = kind(said["message"], hint=said["hint"], **said["fields"])
    return made
