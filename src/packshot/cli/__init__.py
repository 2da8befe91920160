"""The command line. Each command imports its modules when it runs, so that `packshot --help` is fast."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packshot.cli.commands import cli as cli


_COLLECTS_AFTER = gc.get_threshold()
_WHILE_IMPORTING = 100_000  # objects. Python's default, a collection per 700 objects, takes a fifth of the import time


def main() -> None:
    """The entry point. Handles Ctrl-C before the imports, during which Ctrl-C would print a traceback."""
    from packshot.cli.interrupt import end_at_once

    end_at_once()
    gc.set_threshold(_WHILE_IMPORTING)
    # Read by the libraries of NumPy and OpenCV when they load. Their thread pools take a fifth of a start's processor
    # time, and help nobody here: the largest system of equations has six unknowns.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from packshot.cli.commands import run

    run()


def work_begins() -> None:
    """Call when all is imported. Restores garbage collection, and excludes all objects that exist now from it."""
    gc.freeze()
    gc.set_threshold(*_COLLECTS_AFTER)


def __getattr__(name: str) -> object:
    if name != "cli":
        raise AttributeError(f"module 'packshot.cli' has no attribute {name!r}")
    from packshot.cli.commands import cli

    return cli
