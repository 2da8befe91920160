"""The command line. Commands import what they need when they run, so that `packshot --help` answers at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packshot.cli.commands import cli as cli


def main() -> None:
    """The entry point. Ctrl-C has its meaning before anything is imported: it would print a traceback meanwhile."""
    from packshot.cli.interrupt import end_at_once

    end_at_once()
    from packshot.cli.commands import run

    run()


def __getattr__(name: str) -> object:
    if name != "cli":
        raise AttributeError(f"module 'packshot.cli' has no attribute {name!r}")
    from packshot.cli.commands import cli

    return cli
