"""The command line. Commands import what they need when they run, so that `packshot --help` answers at once."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packshot.cli.commands import cli as cli


_COLLECTS_AFTER = gc.get_threshold()
_WHILE_IMPORTING = 100_000  # objects. A collection for each 700, as Python has it, is a fifth of the time of imports


def main() -> None:
    """The entry point. Ctrl-C has its meaning before anything is imported: it would print a traceback meanwhile."""
    from packshot.cli.interrupt import end_at_once

    end_at_once()
    gc.set_threshold(_WHILE_IMPORTING)
    from packshot.cli.commands import run

    run()


def work_begins() -> None:
    """All is imported: garbage is collected as usual, and what is there by now is not looked through any more."""
    gc.freeze()
    gc.set_threshold(*_COLLECTS_AFTER)


def __getattr__(name: str) -> object:
    if name != "cli":
        raise AttributeError(f"module 'packshot.cli' has no attribute {name!r}")
    from packshot.cli.commands import cli

    return cli
