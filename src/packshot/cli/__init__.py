"""The command line. Commands import what they need when they run, so that `packshot --help` answers at once."""

from __future__ import annotations

import sys

import click

from packshot import __version__
from packshot.cli.batch import batch
from packshot.cli.errors import exit_code
from packshot.cli.keys import keys
from packshot.cli.models import models
from packshot.cli.presets import check, presets
from packshot.cli.remove import remove
from packshot.cli.serve import health, serve
from packshot.errors import PackshotError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
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
        click.echo(f"packshot: {error}", err=True)
        sys.exit(exit_code(error))
