"""`packshot models`: lists, downloads, verifies, chooses and times networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from packshot.cli.models.bench import bench
from packshot.cli.models.card import card
from packshot.cli.models.download import download, size_of
from packshot.errors import InvalidOption

if TYPE_CHECKING:
    from packshot.engine.card import ModelCard

SHOWN = {"mae": "MAE", "max_f": "maximum F"}
"""Scores of a card that the list shows, with their labels. The evaluation measures more."""


@click.group()
def models() -> None:
    """List, download, verify, choose and time networks."""


for command in (bench, card, download):
    models.add_command(command)


@models.command("list")
def list_() -> None:
    """List installed models (* is the default) and models to download.

    Shows size, input and licence of each model; for installed models also scores and known failures.
    """
    from packshot.engine.card import ModelCard
    from packshot.engine.weights import default_model, downloaded_cards, embedded_cards, models_folder, published

    folder, default = models_folder(), default_model()
    here = set()
    for place, found in (("embedded", embedded_cards()), (str(folder), downloaded_cards(folder))):
        for each in found:
            if isinstance(each, ModelCard):
                here.add(each.name)
                _show_here(each, place, is_default=each.name == default)
            else:
                click.echo(f"! {each}")
    if default.endswith(".onnx"):
        click.echo(f"* {default}")
    click.echo("\nTo download with `packshot models download NAME`:")
    for entry in published().values():
        if entry.name not in here:
            click.echo(f"  {entry.name}  {size_of(entry)}  {entry.input.side_px} px  {entry.licence}")


def _show_here(card: ModelCard, place: str, *, is_default: bool) -> None:
    mark = "*" if is_default else " "
    kind = "edges" if card.output == "change" else f"{card.input.side_px} px"
    click.echo(f"{mark} {card.name}  {card.bytes / 1e6:.1f} MB  {kind}  {card.licence}  [{place}]")
    for test_set, figures in card.scores.items():
        shown = [f"{words} {figures[name]:.3f}" for name, words in SHOWN.items() if name in figures]
        if shown:
            click.echo(f"    {test_set}: {', '.join(shown)}")
    for failure in card.known_failures:
        click.echo(f"    - {failure}")


@models.command()
@click.argument("name", required=False)
def verify(name: str | None) -> None:
    """Verify the checksum of one model, or of all models.

    Without NAME, the command verifies all installed models.
    """
    from packshot.engine.card import ModelCard
    from packshot.engine.weights import downloaded_cards, embedded_cards, find_card
    from packshot.engine.weights import verify as verify_weights

    here = [] if name else [*embedded_cards(), *downloaded_cards()]
    for each in [name] if name else [found.name for found in here if isinstance(found, ModelCard)]:
        verify_weights(*find_card(each))
        click.echo(f"{each}: SHA-256 is correct")
    for found in here:
        if not isinstance(found, ModelCard):
            raise found


@models.command()
@click.argument("name", required=False)
@click.option("--reset", is_flag=True, help="Use the embedded model again.")
def use(name: str | None, reset: bool) -> None:
    """Set or show this user's default model.

    NAME is the name of a model, or the path of an .onnx file; without NAME, the command prints the default. The
    command line, the library and the service use the default, unless --model or PACKSHOT_MODEL gives another model.
    """
    from packshot.engine.weights import choose_default, default_model, find_card
    from packshot.engine.weights import verify as verify_weights

    if reset:
        choose_default(None)
    elif name is not None:
        found, path = find_card(name)
        if found.output == "change":
            raise InvalidOption(f"{name} only refines edges.", hint="Choose a network that finds the product.")
        verify_weights(found, path)
        choose_default(name)
    click.echo(default_model())
