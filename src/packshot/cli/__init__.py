"""The command line. Commands import what they need when they run, so that `packshot --help` answers at once."""

from __future__ import annotations

import contextlib
import sys
from typing import NoReturn

import click

from packshot import __version__
from packshot.batch.printable import printable
from packshot.cli.batch import batch
from packshot.cli.errors import exit_code
from packshot.cli.keys import keys
from packshot.cli.models import models
from packshot.cli.presets import check, presets
from packshot.cli.remove import remove
from packshot.cli.serve import health, serve
from packshot.cli.terminal import say, stdout_error
from packshot.errors import PackshotError


class Commands(click.Group):
    """The commands; what click says of a mistake may repeat a file's name."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            raise click.UsageError(printable(error.format_message()), error.ctx) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="packshot")
def cli() -> None:
    """Product photos in, packshots out: removes the background of product photos."""


for command in (remove, batch, presets, check, serve, keys, models, health):
    cli.add_command(command)


def main() -> None:
    """The entry point: a PackshotError becomes one line on stderr and the exit code of its table."""
    try:
        cli()
    except PackshotError as error:
        _end(error)
    except OSError as error:  # files have errors of their own: this is the terminal's, or a log's on a full disk
        _end(stdout_error(error))


def _end(error: PackshotError) -> NoReturn:
    with contextlib.suppress(OSError):  # the code says it too
        say(f"packshot: {error}", err=True)
    sys.exit(exit_code(error))
