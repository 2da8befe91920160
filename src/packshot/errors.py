"""Every error that packshot raises on purpose.

    PackshotError
     |- InputError             the caller's file or option; nothing was computed
     |   |- EmptyFile          no bytes at all
     |   |- UnreadableImage    the right kind of file, but damaged or lying
     |   |- UnsupportedFormat  not a kind of file that is read here
     |   |   |- UnsupportedDepth     the right kind, but a pixel depth that is refused
     |   |   '- UnsupportedGrayscale the right kind, but gray where colour is asked for
     |   |- FileTooLarge       too many bytes
     |   |- ImageTooLarge      too many pixels
     |   |- ImageTooSmall      too few pixels
     |   |- InvalidOption      an option's name or value
     |   |   '- UrlRefused     a URL that the service does not open
     |   |- UrlFailed          a URL that gives no picture
     |   |   '- UrlTooSlow     or not in time
     |   '- PhotoUnknown       a photo that is named and not kept: send it again
     |- NoForeground           the picture was read, and nothing in it stands out
     |- AccessError            keys and what they allow
     |   |- MissingKey, UnknownKey, LockedKey, OutOfCredits
     |   '- RateLimited        retry_after_s
     |- ConflictError          the same idempotency key: another request, or still running
     |- CapacityError          not now; the same request later will do
     |   |- QueueFull          retry_after_s
     |   |- ShuttingDown       retry_after_s
     |   |- DatabaseUnavailable    retry_after_s; accounts cannot be read, so nobody is let in
     |   |- LimiterUnavailable     retry_after_s; requests cannot be counted, where the setting asks for that
     |   |- DeadlineExceeded
     |   '- ClusterStalled     a cluster that gives no results any more
     |- StorageError           results
     |   |- BadSignature       a result URL that was not made here, or was altered
     |   |- ResultExpired      past its life
     |   |- ResultUnknown      never existed
     |   |   '- JobUnknown     a job that the key has not
     |   |- StoreUnavailable   the place that holds results failed
     |   '- StorageRefused     a place or file that may not be read or written: waiting does not help
     |       |- FileMissing    a file that is not there
     |       '- StorageFull    no space is left, or nothing may be written: the next file fails as this one
     '- SetupError             the installation: operators, not callers
         |- BadSettings, ModelMissing
         |- NotReachable       a server that the service needs is away at its start
         '- ChecksumMismatch

An error knows no HTTP and no exit code: each dialect of the API and the command line has one table of its own,
looked up along the class's MRO. `slug` is stable and meant for programs, `message` says what happened, `hint` what to
do about it, `fields` carries the figures behind the words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class PackshotError(Exception):
    """Base of all. `message` for people, `hint` says what to do, `fields` holds the values that are named."""

    slug: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "", **fields: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def to_dict(self) -> dict[str, Any]:
        """The error as JSON can hold it, for another process or a later time: `from_dict` makes it again."""
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
    """Mixed into errors that end by themselves; `retry_after_s` is a whole number of seconds, at least 1."""

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
    """The error that `to_dict` wrote down; one of a kind that is not known here is a plain PackshotError."""
    kind = globals().get(str(said["kind"]))
    if not (isinstance(kind, type) and issubclass(kind, PackshotError)):
        kind = PackshotError
    made: PackshotError = kind(said["message"], hint=said["hint"], **said["fields"])
    return made
