"""Compares the simulation with the measurement: the same replicas and the same clients, without fitting.

The simulation's input is the worker times of one busy replica. It must predict the clients' times for this replica, for
the same replica with fewer clients, and for two replicas behind nginx with the same number of workers in total. Other
work on the machine varies, so each round is simulated with its own times and its own number of photos, from an empty
service. A second column predicts from the load's own worker times. Its error is the simulation's; the rest comes from
the machine, whose speed varied between the loads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.capacity.measure import ALONE, FED, Load, Measurements
from evaluation.capacity.simulate import Demand, Fleet, Outcome, simulate
from evaluation.capacity.times import measured

REPEATS = 20


@dataclass(frozen=True)
class Figure:
    """One figure, measured and simulated."""

    measured: float
    simulated: float

    @property
    def error(self) -> float:
        return self.simulated / self.measured - 1


@dataclass(frozen=True)
class Comparison:
    """One load. own_p95_s: predicted from its own worker times instead of those of one busy replica."""

    name: str
    load: Load
    p50_s: Figure
    p95_s: Figure
    served_per_s: Figure
    own_p95_s: Figure


def compare(found: Measurements) -> list[Comparison]:
    """Every load with several clients."""
    return [_one(name, load, found) for name, load in found.loads.items() if name != ALONE]


def _one(name: str, load: Load, found: Measurements) -> Comparison:
    took_s = np.concatenate([np.asarray(each) for each in load.took_s])
    outcomes, own = (_foretold(found, load, fed.worked_s) for fed in (found.loads[FED], load))
    seconds = sum(each.seconds for each in outcomes) / REPEATS

    def figure(share: float, foretold: list[Outcome]) -> Figure:
        simulated_s = np.concatenate([each.took_s for each in foretold])
        return Figure(float(np.quantile(took_s, share)), float(np.quantile(simulated_s, share)))

    served_per_s = Figure(len(took_s) / sum(load.seconds), len(took_s) / seconds)
    return Comparison(
        name, load, figure(0.5, outcomes), figure(0.95, outcomes), served_per_s, own_p95_s=figure(0.95, own)
    )


def _foretold(found: Measurements, load: Load, worked_s: list[list[float]]) -> list[Outcome]:
    rounds = zip(worked_s, load.took_s, strict=True)
    return [outcome for fed_s, took_s in rounds for outcome in simulated(found, load, fed_s, len(took_s))]


def simulated(found: Measurements, load: Load, worked_s: list[float], photos: int) -> list[Outcome]:
    """One round of a load, simulated several times with different seeds."""
    times = measured({load.replicas * load.workers: worked_s})
    service = Fleet(times, load.replicas, load.workers, queue_limit=64, loop_s=found.loop_s, on_one_machine=True)
    think_s, clients = found.think_s, load.clients
    return [
        simulate(service, Demand(photos, clients=clients, think_s=think_s, settling=0, seed=seed))
        for seed in range(REPEATS)
    ]


def table(comparisons: Sequence[Comparison]) -> str:
    lines = [
        "| replicas | clients | photos | p50 seen, predicted | p95 seen, predicted | photos a second | p95, own load |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {each.load.replicas} | {each.load.clients} | {sum(map(len, each.load.took_s)):,} "
        f"| {_told(each.p50_s, 1000, ' ms')} | {_told(each.p95_s, 1000, ' ms')} | {_told(each.served_per_s, 1, '')} "
        f"| {100 * each.own_p95_s.error:+.0f} % |"
        for each in comparisons
    ]
    return "\n".join(lines)


def _told(figure: Figure, unit: float, name: str) -> str:
    digits = 0 if unit > 1 else 1
    return (
        f"{unit * figure.measured:.{digits}f}, {unit * figure.simulated:.{digits}f}{name} ({100 * figure.error:+.0f} %)"
    )
