"""The simulation held against what was measured: the same replicas, the same clients, nothing fitted.

It is fed with the times that the workers of one busy replica took, and must foretell what clients saw: of that replica,
of the same with fewer clients, and of two replicas behind nginx with as many workers in all. Other work on the machine
comes and goes, so each round is simulated with its own times, and as many photos as it had, from an empty service on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.capacity.measure import ALONE, FED, Found, Load
from evaluation.capacity.simulate import Demand, Outcome, Service, simulate
from evaluation.capacity.times import measured

TOLERANCE = 0.15
REPEATS = 20


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
    fed = found.loads[FED].worked_s
    rounds = [simulated(found, load, worked_s, len(took_s)) for worked_s, took_s in zip(fed, load.took_s, strict=True)]
    foretold_s = np.concatenate([outcome.took_s for outcomes in rounds for outcome in outcomes])
    seconds = sum(float(np.mean([outcome.seconds for outcome in outcomes])) for outcomes in rounds)
    took_s = np.concatenate([np.asarray(each) for each in load.took_s])
    return Comparison(
        name,
        load,
        Figure(float(np.quantile(took_s, 0.5)), float(np.quantile(foretold_s, 0.5))),
        Figure(float(np.quantile(took_s, 0.95)), float(np.quantile(foretold_s, 0.95))),
        Figure(len(took_s) / sum(load.seconds), len(took_s) / seconds),
    )


def simulated(found: Found, load: Load, worked_s: list[float], photos: int) -> list[Outcome]:
    """One round of a load, several times with other luck."""
    times = measured({load.replicas * load.workers: worked_s})
    service = Service(times, load.replicas, load.workers, queue_limit=64, loop_s=found.loop_s, on_one_machine=True)
    think_s, clients = found.think_s, load.clients
    return [
        simulate(service, Demand(photos, clients=clients, think_s=think_s, settling=0, seed=seed))
        for seed in range(REPEATS)
    ]


def table(comparisons: Sequence[Comparison]) -> str:
    lines = [
        "| replicas | clients | photos | p50 measured, simulated | p95 measured, simulated | photos a second |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {each.load.replicas} | {each.load.clients} | {sum(map(len, each.load.took_s)):,} "
        f"| {_told(each.p50_s, 1000, ' ms')} | {_told(each.p95_s, 1000, ' ms')} | {_told(each.served_per_s, 1, '')} |"
        for each in comparisons
    ]
    return "\n".join(lines)


def _told(figure: Figure, unit: float, name: str) -> str:
    digits = 0 if unit > 1 else 1
    return (
        f"{unit * figure.measured:.{digits}f}, {unit * figure.simulated:.{digits}f}{name} ({100 * figure.error:+.0f} %)"
    )
