"""The output of the command line: lines in which no file's name can play tricks, and pictures to stdout."""

from __future__ import annotations

import contextlib
import os
import sys

import click

from packshot.batch.printable import printable
from packshot.cli.errors import FileAccess


def say(line: str, *, err: bool = False) -> None:
    """Print one line, to stdout or to stderr."""
    click.echo(printable(line), err=err)


def write_stdout(data: bytes) -> None:
    """Write to stdout. Raises FileAccess where its reader has gone, or the disk behind it is full."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        raise stdout_error(error) from error


def stdout_error(error: OSError) -> FileAccess:
    """The error for output that cannot be written. What is left of it goes nowhere."""
    with contextlib.suppress(OSError, ValueError):  # at its end Python would write what is left, and fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    hint = "Is there room, and does its reader still read?"
    return FileAccess(f"Output cannot be written: {error.strerror}.", hint=hint)
