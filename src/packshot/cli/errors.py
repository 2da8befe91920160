"""Errors that only the command line can have, and the exit code of every error, looked up along its MRO.

The numbers are those of BSD's sysexits.h, as sendmail's.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from packshot import errors
from packshot.errors import PackshotError


class OutputExists(PackshotError):
    """A file is in the way, and nothing is overwritten unasked."""

    slug = "output-exists"


class FileAccess(PackshotError):
    """A photo cannot be read or an output cannot be written."""

    slug = "file-access"


class NotHealthy(PackshotError):
    """The service does not answer as it should."""

    slug = "not-healthy"


class TooManyFailures(PackshotError):
    """More photos of a batch failed than may."""

    slug = "too-many-failures"


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
CLOSED_PIPE = 141  # as a shell shows a program that SIGPIPE ended: `packshot presets | head -1`

TABLE: dict[type[PackshotError], int] = {
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
    PackshotError: INTERNAL,
}


def is_folder(path: str | Path) -> bool:
    """Whether a path leads to a folder; False for one that is too long for the system, too."""
    try:
        return Path(path).is_dir()
    except OSError:
        return False


def is_file(path: str | Path) -> bool:
    """Whether a path leads to a file; False for one that is too long for the system, too."""
    try:
        return Path(path).is_file()
    except OSError:
        return False


def below(folder: str, name: str) -> str:
    """The name of a file in a folder, whose own name stays as it was typed."""
    return f"{folder}{name}" if folder.endswith(("/", os.sep)) else f"{folder}/{name}"


def read_input(path: Path | None, name: str = "") -> bytes:
    """The bytes of a file, or of stdin for None. name: as the user typed it. Raises FileAccess."""
    if path is None:
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        hint = "Check its name and its permissions."
        raise FileAccess(f"{name or path} cannot be read: {error.strerror}.", hint=hint) from error


def exit_code(error: PackshotError) -> int:
    """The code of the nearest class in the error's MRO."""
    return next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)
