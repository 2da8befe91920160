"""`packshot models download`: shows the licence, then downloads the file, with progress on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from packshot.cli.terminal import say
from packshot.errors import InvalidOption

if TYPE_CHECKING:
    from packshot.engine.weights import ModelEntry


@click.command()
@click.argument("name")
@click.option("--accept-licence", "--yes", is_flag=True, help="Accept the licence without a question.")
@click.option(
    "--from",
    "source",
    metavar="FOLDER|URL",
    envvar="PACKSHOT_MODELS_URL",
    show_envvar=True,
    help="Folder, file or mirror URL that holds the published file.  [default: the publisher]",
)
def download(name: str, accept_licence: bool, source: str | None) -> None:
    """Download the published network NAME.

    Shows the licence first. Continues an interrupted download. Uses the proxies in http_proxy, https_proxy and
    no_proxy. The file gets its final name only after its checksum was verified.
    """
    from packshot.cli.models.meter import Meter
    from packshot.engine.download import download as bring
    from packshot.engine.download import is_here
    from packshot.engine.weights import models_folder, published

    if name not in published():
        hint = "`packshot models list` shows what can be downloaded."
        raise InvalidOption(f"There is no published network named {name!r}.", hint=hint, field="NAME", value=name)
    entry = published()[name]
    folder = models_folder()
    if is_here(entry, folder):
        say(f"{name} is in {folder} already, and its checksum is correct.", err=True)
        return
    _agree(entry, accepted=accept_licence)
    card = bring(entry, folder, source=source, watcher=Meter(name))
    say(f"{name} is in {folder}: {card.bytes} bytes, SHA-256 {card.sha256}", err=True)
    say(f"Use it with --model {name}, or make it the default: packshot models use {name}", err=True)


def size_of(entry: ModelEntry) -> str:
    """The size in words, exact or approximate."""
    return f"about {entry.about_mb} MB" if entry.bytes is None else f"{entry.bytes / 1e6:.1f} MB"


def _agree(entry: ModelEntry, *, accepted: bool) -> None:
    """Show the licence, and require acceptance by a flag or by a person at a terminal. Raises: InvalidOption."""
    say(f"{entry.name}, {size_of(entry)}: {entry.description}", err=True)
    say(f"Licence: {entry.licence}, {entry.licence_url}", err=True)
    if accepted:
        return
    if not sys.stdin.isatty():
        hint = "Read it, then add --accept-licence."
        raise InvalidOption(f"The licence of {entry.name} has not been accepted.", hint=hint, field="--accept-licence")
    click.confirm("Do you accept the licence?", abort=True, err=True)
