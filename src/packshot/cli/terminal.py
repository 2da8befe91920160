"""Output of the command line: lines with escaped file names, JSON, and pictures to stdout."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import click

from packshot.batch.printable import printable
from packshot.cli.errors import FileAccess
from packshot.errors import InvalidOption, PackshotError

if TYPE_CHECKING:
    from packshot.batch.progress import Progress


def say(line: str, *, err: bool = False) -> None:
    """Print one line, to stdout or to stderr."""
    click.echo(printable(line), err=err)


def about(name: str, error: PackshotError) -> str:
    """An error as a line about a file, with the file's name once."""
    return str(error) if error.message.startswith(name) else f"{name}: {error}"


def say_json(row: Mapping[str, object]) -> None:
    """Print one JSON object to stdout, on one line."""
    click.echo(json.dumps(row))


@contextlib.contextmanager
def listing(*, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Yields a function that shows on stderr how many files were found so far."""
    progress: list[Progress] = []

    def found(count: int) -> None:
        if not progress:
            from packshot.batch.progress import Progress

            progress.append(Progress(sys.stderr))
        progress[0].listing(count)

    yield (lambda _count: None) if quiet else found
    for each in progress:
        each.end()


def write_stdout(data: bytes) -> None:
    """Write to stdout. Raises: FileAccess if the write fails, BrokenPipeError if the reader closed the pipe."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise stdout_error(error) from error


def stdout_error(error: OSError) -> FileAccess:
    """The error for a failed write to stdout. Discards the remaining output."""
    discard_stdout()
    return FileAccess(f"Output cannot be written: {error.strerror}.", hint="Check the free space on the disk.")


def discard_stdout() -> None:
    """Discard the remaining output: Python would write it at exit, and fail again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refuse_terminal(*, reads: bool, writes: bool, instead: str) -> None:
    """Refuse to read a photo from a terminal (`reads`), or to write a picture to one (`writes`).

    instead: a command that works, for the hint. Raises: InvalidOption.
    """
    if writes and sys.stdout.isatty():
        raise InvalidOption("A picture cannot be shown in a terminal.", hint=f"Write it to a file: {instead}")
    if reads and sys.stdin.isatty():
        raise InvalidOption("- means stdin, but stdin is the terminal.", hint=f"Send a file: {instead}")
