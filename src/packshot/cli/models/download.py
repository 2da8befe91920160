"""`packshot models download`: the licence first, then the file; progress on stderr."""

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
@click.option("--accept-licence", "--yes", is_flag=True, help="Accept the licence without being asked.")
@click.option(
    "--from",
    "source",
    metavar="FOLDER|URL",
    envvar="PACKSHOT_MODELS_URL",
    show_envvar=True,
    help="Where the file is, by the publisher's name: a folder, a file, or a mirror.  [default: the publisher]",
)
def download(name: str, accept_licence: bool, source: str | None) -> None:
    """Bring the published network NAME here.

    Its licence is shown first. A download that was cut goes on where it stopped, proxies are taken from http_proxy,
    https_proxy and no_proxy, and nothing gets its final name before its checksum is right.
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
        say(f"{name} is in {folder} already, and its checksum is right.", err=True)
        return
    _agree(entry, accepted=accept_licence)
    card = bring(entry, folder, source=source, watcher=Meter(name))
    say(f"{name} is in {folder}: {card.bytes} bytes, SHA-256 {card.sha256}", err=True)
    say(f"Use it with --model {name}, or make it the default: packshot models use {name}", err=True)


def size_of(entry: ModelEntry) -> str:
    """The size in words: exact, or about."""
    return f"about {entry.about_mb} MB" if entry.bytes is None else f"{entry.bytes / 1e6:.1f} MB"


def _agree(entry: ModelEntry, *, accepted: bool) -> None:
    """Show the licence and have it accepted: by the flags, or by a person at a terminal."""
    say(f"{entry.name}, {size_of(entry)}: {entry.description}", err=True)
    say(f"Licence: {entry.licence}, {entry.licence_url}", err=True)
    if accepted:
        return
    if not sys.stdin.isatty():
        hint = "Read it, then add --accept-licence."
        raise InvalidOption(f"The licence of {entry.name} has not been accepted.", hint=hint, field="--accept-licence")
    click.confirm("Do you accept it?", abort=True, err=True)
