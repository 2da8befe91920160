"""`packshot models`: the networks that can be used."""

from __future__ import annotations

import click


@click.group()
def models() -> None:
    """List and verify the networks."""


@models.command("list")
def list_() -> None:
    """List the models that are here (* is the default): size, input, licence, scores, known failures."""
    from packshot.engine.weights import DEFAULT_MODEL, embedded_cards

    for card in embedded_cards():
        mark = "*" if card.name == DEFAULT_MODEL else " "
        click.echo(f"{mark} {card.name}  {card.bytes / 1e6:.1f} MB  {card.input.side_px} px  {card.licence}")
        for test_set, figures in card.scores.items():
            click.echo(f"    {test_set}: MAE {figures['mae']:.3f}, maximum F {figures['max_f']:.3f}")
        for failure in card.known_failures:
            click.echo(f"    - {failure}")


@models.command()
@click.argument("name", required=False)
def verify(name: str | None) -> None:
    """Verify the checksum of the model NAME, or of all."""
    from packshot.engine.weights import embedded_cards, find_card
    from packshot.engine.weights import verify as verify_weights

    for each in [name] if name else [card.name for card in embedded_cards()]:
        verify_weights(*find_card(each))
        click.echo(f"{each}: sha256 is right")
