"""The exit code of each error, looked up along its MRO. The numbers are those of BSD's sysexits.h, as sendmail's."""

from __future__ import annotations

from packshot import errors
from packshot.cli.errors import FileAccess, NotHealthy, OutputExists, TooManyFailures

OK = 0
RULES_BROKEN = 1  # `packshot check`: everything could be read, and something does not keep its rules
USAGE = 2  # click's own, for options that it refuses itself
DATA = 65
NO_FOREGROUND = 66
UNAVAILABLE = 69
INTERNAL = 70
CANNOT_CREATE = 73
INPUT_OUTPUT = 74
TRY_LATER = 75
NO_PERMISSION = 77
CONFIGURATION = 78
PARTLY_FAILED = 79  # the first number that sysexits.h leaves free: a batch went through, and too many photos failed

TABLE: dict[type[errors.PackshotError], int] = {
    errors.InputError: DATA,
    errors.InvalidOption: USAGE,
    errors.NoForeground: NO_FOREGROUND,
    errors.AccessError: NO_PERMISSION,
    errors.ConflictError: TRY_LATER,
    errors.CapacityError: TRY_LATER,
    errors.StorageError: INPUT_OUTPUT,
    errors.SetupError: CONFIGURATION,
    errors.NotReachable: UNAVAILABLE,
    OutputExists: CANNOT_CREATE,
    FileAccess: INPUT_OUTPUT,
    NotHealthy: UNAVAILABLE,
    TooManyFailures: PARTLY_FAILED,
    errors.PackshotError: INTERNAL,
}


def exit_code(error: errors.PackshotError) -> int:
    """The code of the nearest class in the error's MRO."""
    return next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)
