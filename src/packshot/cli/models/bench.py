"""`packshot models bench`: measures how fast a network runs on this machine."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import click

from packshot.cli.options import device_option
from packshot.errors import InvalidOption

if TYPE_CHECKING:
    from packshot.engine.card import ModelCard
    from packshot.engine.session import Device

WARM_UP_RUNS = 3


@dataclass(frozen=True)
class Timing:
    """The measurements. Times are of `predict` alone; cpu_ms is the processor time of all threads, per run."""

    model: str
    provider: str
    runtime: str
    threads: int
    side_px: int
    runs: int
    load_ms: float
    median_ms: float
    p95_ms: float
    cpu_ms: float
    memory_mb: float
    """Increase of the process's peak resident memory since before the model was loaded."""


@click.command()
@click.argument("name", required=False)
@device_option
@click.option("--side", type=click.IntRange(1), help="Side of the input in px.  [default: the card's]")
@click.option("--threads", type=click.IntRange(1), help="Threads for one run.  [default: one per processor]")
@click.option("--runs", type=click.IntRange(1, 10_000), default=30, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bench(name: str | None, device: Device, side: int | None, threads: int | None, runs: int, as_json: bool) -> None:
    """Time the model NAME, or the default model.

    Also prints the provider of ONNX Runtime that ran the model.
    """
    timing = measure(name, device=device, side_px=side, threads=threads or os.cpu_count() or 1, runs=runs)
    if as_json:
        click.echo(json.dumps(asdict(timing)))
        return
    for key, value in asdict(timing).items():
        click.echo(f"{key:<10} {f'{value:.1f}' if isinstance(value, float) else value}")


def measure(name: str | None, *, device: Device, side_px: int | None, threads: int, runs: int) -> Timing:
    """Load a model as `load_network` does, optionally with another input side, and time it on noise.

    Raises: SetupError as load_network, or if the graph does not accept that side; InvalidOption.
    """
    import statistics

    import numpy as np
    import onnxruntime

    from packshot.engine.network import OnnxNetwork
    from packshot.engine.weights import default_model, find_card, verify

    card, path = find_card(name or default_model(device=device))
    verify(card, path)
    before_mb, began_s = _peak_mb(), time.perf_counter()
    network = OnnxNetwork(card if side_px is None else _with_side(card, side_px), path, threads, device)
    load_ms = 1e3 * (time.perf_counter() - began_s)
    side = network.card.input.side_px
    rgb = np.random.default_rng(1).random((1, 3, side, side), dtype=np.float32)
    for _ in range(WARM_UP_RUNS):
        network.predict(rgb)
    began_cpu_s, times_ms = time.process_time(), []
    for _ in range(runs):
        began_s = time.perf_counter()
        network.predict(rgb)
        times_ms.append(1e3 * (time.perf_counter() - began_s))
    cpu_ms = 1e3 * (time.process_time() - began_cpu_s) / runs
    return Timing(
        model=card.name,
        provider=network.provider,
        runtime=f"ONNX Runtime {onnxruntime.__version__}",
        threads=threads,
        side_px=side,
        runs=runs,
        load_ms=load_ms,
        median_ms=statistics.median(times_ms),
        p95_ms=float(np.percentile(times_ms, 95)),
        cpu_ms=cpu_ms,
        memory_mb=_peak_mb() - before_mb,
    )


def _with_side(card: ModelCard, side_px: int) -> ModelCard:
    try:
        return replace(card, input=replace(card.input, side_px=side_px))
    except ValueError as error:
        raise InvalidOption(f"{error}.", field="--side", value=side_px) from error


def _peak_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB
