"""Replicas and cost for a number of pictures a second, by the simulation.

A large fleet is not simulated as a whole: SLICE replicas with their share of the arrivals represent it. A balancer over
all replicas does at least as well as one over a slice, so the plan has rather too many replicas than too few.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.capacity.measure import Measurements
from evaluation.capacity.simulate import Demand, Fleet, Outcome, simulate
from evaluation.capacity.times import Measured, measured

SLICE = 12
SPARE = 0.1
"""Spare replicas as a share of all, at least one: they cover a deploy or a failed machine."""


@dataclass(frozen=True)
class Aim:
    """p95_s: from the body's last byte to the response. price: of a core per hour. cores: workers of a replica.
    busiest: the greatest planned share of the workers' time, since the load varies from minute to minute.
    requests: in each simulation.
    """

    p95_s: float = 0.5
    price: float = 0.04
    cores: int = 2
    busiest: float = 0.8
    requests: int = 12_000


@dataclass(frozen=True)
class Plan:
    """replicas: including the spare ones. p95_s: simulated, without them."""

    rate: float
    needed: int
    replicas: int
    busy: float
    p95_s: float
    refused: float
    per_hour: float
    per_thousand: float


def times_of(found: Measurements, cores: int) -> Measured:
    """A photo's times with all cores of a replica busy. Above the measured number of cores, the last measurement is
    used."""
    return measured({1: found.line[min(cores, max(found.line))]})


def fleet(found: Measurements, aim: Aim, rate: float, replicas: int) -> Outcome:
    """The simulation of this many replicas at this rate, or of a slice of them."""
    part = min(1.0, SLICE / replicas)
    service = Fleet(times_of(found, aim.cores), min(replicas, SLICE), aim.cores, loop_s=found.loop_s)
    return simulate(service, Demand(aim.requests, rate * part))


def plan(found: Measurements, aim: Aim, rate: float) -> Plan:
    """The fewest replicas that meet the aim and reject at most one photo in a thousand.

    Raises: ValueError if no number does, because a single photo takes longer than the aim.
    """
    alone = fleet(found, aim, aim.cores * 0.01 / times_of(found, aim.cores).mean_s(1), 1)
    if alone.percentile(0.95) > aim.p95_s:
        raise ValueError(f"one photo alone has a p95 of {alone.percentile(0.95):.2f} s; the aim is {aim.p95_s:g} s")

    def keeps(replicas: int) -> bool:
        outcome = fleet(found, aim, rate, replicas)
        return outcome.percentile(0.95) <= aim.p95_s and outcome.refused <= aim.requests / 1000

    work_s = rate * times_of(found, aim.cores).mean_s(1)
    least = math.ceil(work_s / (aim.cores * aim.busiest))
    low = least - 1  # too few: their workers would be too busy
    high = least
    while not keeps(high):
        low, high = high, math.ceil(1.1 * high)
    while high - low > max(1, high // 500):
        middle = (low + high) // 2
        low, high = (low, middle) if keeps(middle) else (middle, high)
    return _priced(fleet(found, aim, rate, high), aim, rate, high)


def _priced(outcome: Outcome, aim: Aim, rate: float, needed: int) -> Plan:
    replicas = needed + max(1, math.ceil(SPARE * needed))
    per_hour = replicas * aim.cores * aim.price
    return Plan(
        rate=rate,
        needed=needed,
        replicas=replicas,
        busy=outcome.busy,
        p95_s=outcome.percentile(0.95),
        refused=outcome.refused / aim.requests,
        per_hour=per_hour,
        per_thousand=1000 * per_hour / (3600 * rate),
    )


def table(plans: Sequence[Plan]) -> str:
    lines = [
        "| pictures a second | replicas needed | with spares | workers busy | p95 | cost an hour | of 1,000 pictures |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {each.rate:,.0f} | {each.needed:,} | {each.replicas:,} | {each.busy:.0%} | {1000 * each.p95_s:.0f} ms "
        f"| {each.per_hour:,.2f} | {each.per_thousand:.4f} |"
        for each in plans
    ]
    return "\n".join(lines)


# For the current service: POST /v1/packshots, with a key with credits and a rate limit, and one fetch of the result.
_A_PICTURE = {
    "account transactions (PostgreSQL)": 2,  # key lookup; charge of one credit
    "rate-limit hits (Redis)": 1,
    "objects written (S3)": 1,
    "objects read (S3)": 1,
}


def backing(found: Measurements, rates: Sequence[float]) -> str:
    """The load on the services behind the replicas."""
    lines = [f"| a second | {' | '.join(f'{rate:,.0f}' for rate in rates)} |", "|---" * (len(rates) + 1) + "|"]
    flows = {
        "photos in": found.photo_bytes,
        "results, to the store and to the client": 2 * found.result_bytes,
    }
    for name, size in flows.items():
        lines.append(f"| {name} | {' | '.join(f'{8 * size * rate / 1e9:,.2f} Gbit' for rate in rates)} |")
    for name, each in _A_PICTURE.items():
        lines.append(f"| {name} | {' | '.join(f'{each * rate:,.0f}' for rate in rates)} |")
    kept_tb = [found.result_bytes * rate * 86400 / 1e12 for rate in rates]
    lines.append(f"| results stored for a day | {' | '.join(f'{each:,.1f} TB' for each in kept_tb)} |")
    return "\n".join(lines)
