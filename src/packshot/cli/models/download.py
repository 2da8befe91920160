"""`packshot models download`: the licence first, then the file; progress on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from packshot.errors import InvalidOption

if TYPE_CHECKING:
    from packshot.engine.registry import Published

FIND_OUT = "`packshot models list` shows what can be downloaded."


@click.command()
@click.argument("name")
@click.option("--accept-licence", "--yes", is_flag=True, help="Accept the licence without being asked.")
@click.option("--non-commercial", is_flag=True, help="I use it for non-commercial purposes only.")
@click.option(
    "--from",
    "source",
    metavar="FOLDER|URL",
    envvar="PACKSHOT_MODELS_URL",
    show_envvar=True,
    help="Where the file is, by the publisher's name: a folder, a file, or a mirror.  [default: the publisher]",
)
@click.option("--sha256", help="SHA-256 that you vouch for; needed where the publisher gives no checksum.")
def download(name: str, accept_licence: bool, non_commercial: bool, source: str | None, sha256: str | None) -> None:
    """Bring the published network NAME here.

    Its licence is shown first. A download that was cut goes on where it stopped, proxies are taken from http_proxy,
    https_proxy and no_proxy, and nothing gets its final name before its checksum is right.
    """
    from packshot.cli.models.meter import Meter
    from packshot.engine.download import download as bring
    from packshot.engine.download import is_here
    from packshot.engine.registry import published
    from packshot.engine.weights import models_folder

    if name not in published():
        raise InvalidOption(f"There is no published network named {name!r}.", hint=FIND_OUT, field="NAME", value=name)
    entry = published()[name].vouched(sha256) if sha256 else published()[name]
    folder = models_folder()
    if is_here(entry, folder):
        click.echo(f"{name} is in {folder} already, and its checksum is right.", err=True)
        return
    _agree(entry, accepted=accept_licence, non_commercial=non_commercial)
    card = bring(entry, folder, source=source, watcher=Meter(name))
    click.echo(f"{name} is in {folder}: {card.bytes} bytes, SHA-256 {card.sha256}", err=True)
    click.echo(f"Use it with --model {name}, or make it the default: packshot models use {name}", err=True)


def size_of(entry: Published) -> str:
    """The size in words: exact, about, or not known before the server says."""
    if entry.bytes is not None:
        return f"{entry.bytes / 1e6:.1f} MB"
    return f"about {entry.about_mb} MB" if entry.about_mb else "size not known"


def _agree(entry: Published, *, accepted: bool, non_commercial: bool) -> None:
    """Show the licence and have it accepted: by the flags, or by a person at a terminal."""
    click.echo(f"{entry.name}, {size_of(entry)}: {entry.description}", err=True)
    click.echo(f"Licence: {entry.licence}, {entry.licence_url}", err=True)
    if entry.non_commercial and not non_commercial:
        raise InvalidOption(
            f"{entry.licence} forbids every commercial use of {entry.name}.",
            hint="If yours is none, say so with --non-commercial.",
            field="--non-commercial",
        )
    if accepted:
        return
    if not sys.stdin.isatty():
        hint = "Read it, then add --accept-licence."
        raise InvalidOption(f"The licence of {entry.name} has not been accepted.", hint=hint, field="--accept-licence")
    click.confirm("Do you accept it?", abort=True, err=True)
