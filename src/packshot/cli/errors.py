"""Errors of the command line, and the exit code of every error, found along its MRO.

The exit codes are those of BSD's sysexits.h.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from packshot import errors
from packshot.errors import PackshotError


class OutputExists(PackshotError):
    """The output exists already, and overwriting was not requested."""

    slug = "output-exists"


class FileAccess(PackshotError):
    """A photo cannot be read or an output cannot be written."""

    slug = "file-access"


class NotHealthy(PackshotError):
    """The service does not answer, or is not healthy."""

    slug = "not-healthy"


class TooManyFailures(PackshotError):
    """More photos of a batch failed than --max-error-rate allows."""

    slug = "too-many-failures"


RULES_BROKEN = 1  # `packshot check`: all pictures could be read, and at least one breaks a rule
USAGE = 2  # the code that click uses for usage errors
DATA = 65
NO_FOREGROUND = 66
UNAVAILABLE = 69
INTERNAL = 70
CANNOT_CREATE = 73
INPUT_OUTPUT = 74
TRY_LATER = 75
NO_PERMISSION = 77
CONFIGURATION = 78
PARTLY_FAILED = 79  # first free number after sysexits.h: the batch ended, and too many photos failed
CLOSED_PIPE = 141  # as shells report a program that SIGPIPE ended: `packshot presets | head -1`

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
    """Whether a path is a folder. False also for a path that is too long for the system."""
    try:
        return Path(path).is_dir()
    except OSError:
        return False


def is_file(path: str | Path) -> bool:
    """Whether a path is a file. False also for a path that is too long for the system."""
    try:
        return Path(path).is_file()
    except OSError:
        return False


def below(folder: str, name: str) -> str:
    """The path of a file in a folder; keeps the folder's name as typed."""
    return f"{folder}{name}" if folder.endswith(("/", os.sep)) else f"{folder}/{name}"


def read_input(path: Path | None, name: str = "") -> bytes:
    """The bytes of a file, or of stdin for None. name: as the user typed it. Raises FileAccess."""
    if path is None:
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        hint = "Check its name and permissions."
        raise FileAccess(f"{name or path} cannot be read: {error.strerror}.", hint=hint) from error


def exit_code(error: PackshotError) -> int:
    """The exit code of the nearest class in the error's MRO."""
    return next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)
