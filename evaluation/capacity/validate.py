"""The simulation held against what was measured: the same replicas, the same clients, nothing fitted.

It is fed with the times that the workers of one busy replica took, and must foretell what clients saw: of that replica,
of the same with fewer clients, and of two replicas behind nginx with as many workers in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.capacity.measure import ALONE, Found, Load
from evaluation.capacity.simulate import Demand, Outcome, Service, simulate
from evaluation.capacity.times import measured

TOLERANCE = 0.15
REQUESTS = 6_000


@dataclass(frozen=True)
class Figure:
    """One figure, both ways."""

    measured: float
    simulated: float

    @property
    def error(self) -> float:
        return self.simulated / self.measured - 1


@dataclass(frozen=True)
class Comparison:
    """One load."""

    name: str
    load: Load
    p50_s: Figure
    p95_s: Figure
    served_per_s: Figure


def compare(found: Found) -> list[Comparison]:
    """Every load of several clients."""
    return [_one(name, load, found) for name, load in found.loads.items() if name != ALONE]


def _one(name: str, load: Load, found: Found) -> Comparison:
    outcome = simulated(found, load.replicas, load.clients, load.workers)
    took_s = np.asarray(load.took_s)
    return Comparison(
        name,
        load,
        Figure(float(np.quantile(took_s, 0.5)), outcome.percentile(0.5)),
        Figure(float(np.quantile(took_s, 0.95)), outcome.percentile(0.95)),
        Figure(len(took_s) / load.seconds, outcome.served_per_s),
    )


def simulated(found: Found, replicas: int, clients: int, workers: int) -> Outcome:
    service = Service(measured(found.line), replicas, workers, queue_limit=64, loop_s=found.loop_s, on_one_machine=True)
    return simulate(service, Demand(REQUESTS, clients=clients, think_s=found.think_s))


def table(comparisons: Sequence[Comparison]) -> str:
    lines = [
        "| replicas | clients | photos | p50 measured, simulated | p95 measured, simulated | photos a second |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {each.load.replicas} | {each.load.clients} | {len(each.load.took_s):,} | {_told(each.p50_s, 1000, ' ms')} "
        f"| {_told(each.p95_s, 1000, ' ms')} | {_told(each.served_per_s, 1, '')} |"
        for each in comparisons
    ]
    return "\n".join(lines)


def _told(figure: Figure, unit: float, name: str) -> str:
    digits = 0 if unit > 1 else 1
    return (
        f"{unit * figure.measured:.{digits}f}, {unit * figure.simulated:.{digits}f}{name} ({100 * figure.error:+.0f} %)"
    )
