"""The output of the command line: lines in which no file's name can play tricks, and pictures to stdout."""

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
    """An error as a line about a file, which is named once."""
    return str(error) if error.message.startswith(name) else f"{name}: {error}"


def say_json(row: Mapping[str, object]) -> None:
    """Print one JSON object to stdout, on one line."""
    click.echo(json.dumps(row))


@contextlib.contextmanager
def listing(*, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """While files are looked for: gives what to call with how many were found so far, which stderr shows."""
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
    """Write to stdout. Raises: FileAccess where the disk behind it is full; BrokenPipeError where nobody reads."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise stdout_error(error) from error


def stdout_error(error: OSError) -> FileAccess:
    """The error for output that cannot be written. What is left of it goes nowhere."""
    discard_stdout()
    return FileAccess(f"Output cannot be written: {error.strerror}.", hint="Is there room?")


def discard_stdout() -> None:
    """Let what is left for stdout go nowhere: at its end Python would write it, and fail again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refuse_terminal(*, reads: bool, writes: bool, instead: str) -> None:
    """Refuse a photo that would be typed at a terminal (`reads`), or a picture that would go to one (`writes`).

    instead: the command that was meant. Raises: InvalidOption.
    """
    if writes and sys.stdout.isatty():
        raise InvalidOption("A picture does not go to a terminal.", hint=f"Send it to a file: {instead}")
    if reads and sys.stdin.isatty():
        raise InvalidOption("- stands for stdin, and that is the terminal.", hint=f"Send a file: {instead}")
