"""The group of commands, and the handling of errors that reach it."""

from __future__ import annotations

import contextlib
import sys
from importlib import import_module
from typing import NoReturn

import click

from packshot import __version__
from packshot.batch.printable import printable
from packshot.cli.errors import CLOSED_PIPE, exit_code
from packshot.cli.terminal import discard_stdout, say, stdout_error
from packshot.errors import PackshotError

_HOMES = {
    "batch": "packshot.cli.batch",
    "check": "packshot.cli.presets",
    "health": "packshot.cli.serve",
    "keys": "packshot.cli.keys",
    "mcp": "packshot.cli.mcp",
    "models": "packshot.cli.models",
    "presets": "packshot.cli.presets",
    "remove": "packshot.cli.remove",
    "review": "packshot.cli.review",
    "serve": "packshot.cli.serve",
}
"""Module of each command. A module is imported when its command runs or is listed."""


class Commands(click.Group):
    """The commands. Makes click's usage errors safe to print, because they may repeat a file's name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_HOMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        home = _HOMES.get(cmd_name)
        command: click.Command | None = None if home is None else getattr(import_module(home), cmd_name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        typed = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            from packshot.cli.habits import without_command

            meant = without_command(typed, error.option_name, list(_HOMES))
            if meant is None:
                raise
            raise meant from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _HOMES:
            from packshot.cli.habits import unknown_command

            raise unknown_command(args[0], args[1:], list(_HOMES))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            raise click.UsageError(printable(error.format_message()), error.ctx) from error
        except BrokenPipeError as error:  # `packshot presets | head -1`: the reader closed the pipe, which is no error
            discard_stdout()
            raise click.exceptions.Exit(CLOSED_PIPE) from error
        except PackshotError as error:
            from packshot.cli.options import in_flags

            command = self.get_command(ctx, ctx.invoked_subcommand or "")
            raise (error if command is None else in_flags(error, command))  # noqa: B904 - the same error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name="packshot")
def cli() -> None:
    """Remove the background of product photos, and make packshots for shops."""


def run() -> None:
    """Run the command line. Prints a PackshotError as one line on stderr, and exits with its code."""
    try:
        cli(prog_name="packshot")
    except PackshotError as error:
        _end(error)
    except OSError as error:  # stdout failed, for example a log on a full disk; file errors are PackshotErrors
        _end(stdout_error(error))


def _end(error: PackshotError) -> NoReturn:
    with contextlib.suppress(OSError):  # the exit code still reports the error
        say(f"packshot: {error}", err=True)
    sys.exit(exit_code(error))
