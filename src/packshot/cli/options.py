"""Options that several commands have, each with the service's variable behind it."""

from __future__ import annotations

import click

model_option = click.option(
    "--model",
    envvar="PACKSHOT_MODEL",
    show_envvar=True,
    help="Name of a model, or the path of an .onnx file with its card beside it.  "
    "[default: what `packshot models use` chose]",
)
device_option = click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"], case_sensitive=False),
    default="cpu",
    show_default=True,
    envvar="PACKSHOT_DEVICE",
    show_envvar=True,
    help="Where the network runs; cuda needs packshot[gpu].",
)
