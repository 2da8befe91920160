"""`packshot models card`: writes a card for the user's own graph."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packshot.cli.errors import OutputExists
from packshot.cli.options import Command
from packshot.cli.terminal import say
from packshot.errors import InvalidOption

if TYPE_CHECKING:
    from packshot.core.geometry import Fit
    from packshot.engine.card import ModelCard, Output

Triple = tuple[float, float, float]


@click.command(cls=Command)
@click.argument("graph", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE.onnx")
@click.option("--side", type=click.IntRange(1), required=True, help="Side of the network's input in px.")
@click.option(
    "--multiple",
    type=click.IntRange(1),
    default=32,
    show_default=True,
    help="Input sides must be multiples of this number.",
)
@click.option(
    "--fit",
    type=click.Choice(["stretch", "longest"]),
    default="stretch",
    show_default=True,
    help="stretch: to a square. longest: scale the longest side, keep the aspect; needs variable input size.",
)
@click.option(
    "--mean",
    type=float,
    nargs=3,
    default=(0.0, 0.0, 0.0),
    help="Mean of RGB in 0..1, subtracted from the input.  [default: 0 0 0]",
)
@click.option(
    "--std",
    type=float,
    nargs=3,
    default=(1.0, 1.0, 1.0),
    help="Standard deviation of RGB in 0..1, divides the input.  [default: 1 1 1]",
)
@click.option(
    "--output",
    type=click.Choice(["probability", "logit"]),
    default="probability",
    show_default=True,
    help="Kind of values in output 0 of the graph.",
)
@click.option("--licence", required=True, help="Licence of the weights, such as MIT.")
@click.option("--description", default="", help="A sentence about the model.")
@click.option("-f", "--force", is_flag=True, help="Replace an existing card.")
def card(
    graph: Path,
    side: int,
    multiple: int,
    fit: Fit,
    mean: Triple,
    std: Triple,
    output: Output,
    licence: str,
    description: str,
    force: bool,
) -> None:
    """Write a card for FILE.onnx next to it.

    First runs the graph once to check the options. --model FILE.onnx then uses the model. A model in the models
    folder can also be given by its name.
    """
    from packshot.engine.card import InputRule, ModelCard

    beside = graph.with_suffix(".json")
    if beside.exists() and not force:
        raise OutputExists(f"{beside} exists already.", hint="Use --force to replace it.")
    with graph.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        made = ModelCard(
            name=graph.stem,
            file=graph.name,
            sha256=sha256,
            bytes=graph.stat().st_size,
            input=InputRule(side, multiple, fit, mean, std),
            output=output,
            licence=licence,
            description=description,
        )
    except ValueError as error:
        raise InvalidOption(f"{error}.") from error
    _try(made, graph)
    beside.write_text(made.to_json(), encoding="utf-8")
    say(f"{beside}: {made.name}, {made.bytes} bytes, SHA-256 {made.sha256}", err=True)


def _try(card: ModelCard, path: Path) -> None:
    """Run the graph once. Raises BadSettings if it cannot be loaded, or if a shape differs from the card."""
    import numpy as np

    from packshot.engine.network import OnnxNetwork

    side = card.input.side_px
    OnnxNetwork(card, path).predict(np.full((1, 3, side, side), 0.5, np.float32))
