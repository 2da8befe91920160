"""`packshot models card`: a card for a graph of one's own."""

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
@click.option("--multiple", type=click.IntRange(1), default=32, show_default=True, help="What sides are multiples of.")
@click.option(
    "--fit",
    type=click.Choice(["stretch", "longest"]),
    default="stretch",
    show_default=True,
    help="stretch: a square of that side. longest: the longest side, the shape kept; for graphs of any input size.",
)
@click.option("--mean", type=float, nargs=3, default=(0.0, 0.0, 0.0), help="Of RGB in 0..1.  [default: 0 0 0]")
@click.option("--std", type=float, nargs=3, default=(1.0, 1.0, 1.0), help="Of RGB in 0..1.  [default: 1 1 1]")
@click.option(
    "--output",
    type=click.Choice(["probability", "logit"]),
    default="probability",
    show_default=True,
    help="What output 0 of the graph holds.",
)
@click.option("--licence", required=True, help="Licence of the weights, such as MIT.")
@click.option("--description", default="", help="A sentence about it.")
@click.option("-f", "--force", is_flag=True, help="Replace a card that exists already.")
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
    """Write the card of FILE.onnx beside it, when the graph runs as the options say.

    --model FILE.onnx then uses it. In the models folder it is found by its name as well.
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
    """Run the graph once; BadSettings when it cannot be loaded, or takes or gives another shape than the card says."""
    import numpy as np

    from packshot.engine.network import OnnxNetwork

    side = card.input.side_px
    OnnxNetwork(card, path).predict(np.full((1, 3, side, side), 0.5, np.float32))
