"""The service as a simulation of its events (simpy): clients, balancer, event loop, queue, workers, 503 and retries.

It models packshot.service.admission and packshot.api. One event loop per replica reads the bodies and writes the
responses. A photo waits for one of `workers` slots, in order of arrival. If `queue_limit` photos already wait, the
response is 503 with a Retry-After computed from the last 32 durations, and the client obeys it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import simpy

from evaluation.capacity.times import Floats, Times

Process = Generator[simpy.Event, Any, None]
FIRST_RETRY_S, LONGEST_RETRY_S = 2, 60


@dataclass(frozen=True)
class Fleet:
    """replicas of `workers` threads each. queue_limit None: no limit. loop_s: the event loop's time for a request, half
    before and half after the work. on_one_machine: replicas share their cores, as in the measurement.
    """

    times: Times
    replicas: int = 1
    workers: int = 1
    queue_limit: int | None = 32
    loop_s: float = 0.0
    balance: Literal["round robin", "least connections"] = "least connections"
    on_one_machine: bool = False


@dataclass(frozen=True)
class Demand:
    """Poisson arrivals at `rate`, or `clients` that send the next photo think_s after their result.

    upload_s: of a body, before the service starts work. retries: most retries of a client after 503. settling: the
    share of photos, from the first, that the outcome excludes because they found the service empty.
    """

    requests: int
    rate: float = 0.0
    clients: int = 0
    think_s: float = 0.0
    upload_s: float = 0.0
    retries: int = 100
    settling: float = 0.1
    seed: int = 1


@dataclass(frozen=True)
class Outcome:
    """took_s: from the body's first byte to the response, with retries, for each served photo. waited_s: for a worker.
    refused: 503 responses. lost: photos whose client gave up. seconds: until the last photo was served.
    present: mean number of photos in the service. busy: share of the workers' time.
    """

    took_s: Floats
    waited_s: Floats
    refused: int
    lost: int
    seconds: float
    served_per_s: float
    present: float
    busy: float

    def percentile(self, share: float) -> float:
        return float(np.quantile(self.took_s, share))


@dataclass
class _Replica:
    loop: simpy.Resource
    slots: simpy.Resource
    present: int = 0
    durations_s: deque[float] = field(default_factory=lambda: deque(maxlen=32))

    @property
    def held(self) -> int:
        """Photos in work or in the queue."""
        return self.slots.count + len(self.slots.queue)


class _Run:
    """One simulation."""

    def __init__(self, service: Fleet, demand: Demand) -> None:
        self.service, self.demand, self.env = service, demand, simpy.Environment()
        self.replicas = [
            _Replica(simpy.Resource(self.env), simpy.Resource(self.env, service.workers))
            for _ in range(service.replicas)
        ]
        chance = np.random.default_rng(demand.seed)
        self.ranks = chance.random(demand.requests)
        self.gaps_s = chance.exponential(1 / demand.rate, demand.requests) if demand.rate else np.empty(0)
        self.took_s = np.full(demand.requests, np.nan)
        self.waited_s = np.full(demand.requests, np.nan)
        self.turn = self.refused = self.lost = self.sent = 0
        self.area = self.worked_s = self.changed_s = 0.0
        self.present = 0

    def arrivals(self) -> Process:
        for number in range(self.demand.requests):
            yield self.env.timeout(float(self.gaps_s[number]))
            self.env.process(self.photo(number))

    def client(self) -> Process:
        while self.sent < self.demand.requests:
            self.sent += 1
            yield self.env.process(self.photo(self.sent - 1))
            yield self.env.timeout(self.demand.think_s)

    def photo(self, number: int) -> Process:
        began = self.env.now
        self.count(+1)
        for _ in range(1 + self.demand.retries):
            yield self.env.timeout(self.demand.upload_s)
            replica = self.choose()
            replica.present += 1
            yield from self.attempt(replica, number)
            replica.present -= 1
            if not math.isnan(self.waited_s[number]):
                self.took_s[number] = self.env.now - began
                break
            self.refused += 1
            yield self.env.timeout(self.retry_after_s(replica))
        else:
            self.lost += 1
        self.count(-1)

    def attempt(self, replica: _Replica, number: int) -> Process:
        """One request until its response; a rejected request leaves waited_s unchanged."""
        limit = self.service.queue_limit
        yield from self.on_loop(replica)
        if limit is None or replica.held < self.service.workers + limit:
            asked = self.env.now
            with replica.slots.request() as slot:
                yield slot
                self.waited_s[number] = self.env.now - asked
                took_s = self.service.times(float(self.ranks[number]), self.busy_beside(replica))
                self.worked_s += took_s
                yield self.env.timeout(took_s)
                replica.durations_s.append(took_s)
        yield from self.on_loop(replica)

    def on_loop(self, replica: _Replica) -> Process:
        if self.service.loop_s:
            with replica.loop.request() as turn:
                yield turn
                yield self.env.timeout(self.service.loop_s / 2)

    def busy_beside(self, replica: _Replica) -> int:
        """Photos in work on the same machine, including this one."""
        return sum(each.slots.count for each in (self.replicas if self.service.on_one_machine else [replica]))

    def choose(self) -> _Replica:
        """nginx's two methods. Least connections uses round robin among equals."""
        self.turn += 1
        first = self.turn % len(self.replicas)
        if self.service.balance == "round robin":
            return self.replicas[first]
        return min(self.replicas[first:] + self.replicas[:first], key=lambda replica: replica.present)

    def retry_after_s(self, replica: _Replica) -> float:
        """The value that service.admission computes."""
        if not replica.durations_s:
            return FIRST_RETRY_S
        each_s = sum(replica.durations_s) / len(replica.durations_s)
        return min(max(1, math.ceil(each_s * replica.held / self.service.workers)), LONGEST_RETRY_S)

    def count(self, change: int) -> None:
        self.area += self.present * (self.env.now - self.changed_s)
        self.changed_s = self.env.now
        self.present += change


def simulate(service: Fleet, demand: Demand) -> Outcome:
    """Run until every photo is served or lost. The same demand and seed send the same photos at the same times."""
    if bool(demand.rate) == bool(demand.clients):
        raise ValueError("give either a rate or a number of clients")
    run = _Run(service, demand)
    if demand.rate:
        run.env.process(run.arrivals())
    for _ in range(demand.clients):
        run.env.process(run.client())
    run.env.run()
    settled = slice(int(demand.settling * demand.requests), None)
    served = ~np.isnan(run.took_s)
    return Outcome(
        took_s=run.took_s[settled][served[settled]],
        waited_s=run.waited_s[settled][served[settled]],
        refused=run.refused,
        lost=run.lost,
        seconds=run.changed_s,
        served_per_s=float(served.sum() / run.changed_s),
        present=float(run.area / run.changed_s),
        busy=float(run.worked_s / run.changed_s / (service.replicas * service.workers)),
    )
