"""The simulation obeys the laws of queues: where theory has a formula, its figure agrees."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from evaluation.capacity.simulate import Demand, Fleet, Outcome, simulate
from evaluation.capacity.times import Times, measured

RATE = 10.0


def constant(mean_s: float) -> Times:
    return lambda rank, busy: mean_s


def exponential(mean_s: float) -> Times:
    return lambda rank, busy: -mean_s * math.log1p(-rank)


def endless(**given: object) -> Fleet:
    return Fleet(**{"queue_limit": None, **given})  # type: ignore[arg-type]


def erlang_c(workers: int, load: float) -> float:
    """The share of arrivals that wait (A. K. Erlang, 1917): load in busy workers."""
    last = load**workers / math.factorial(workers) * workers / (workers - load)
    return last / (sum(load**n / math.factorial(n) for n in range(workers)) + last)


def erlang_b(workers: int, load: float) -> float:
    """The share that is turned away where there is no queue."""
    return load**workers / math.factorial(workers) / sum(load**n / math.factorial(n) for n in range(workers + 1))


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "used"), [(1, 0.5), (2, 0.7), (4, 0.8)])
def test_random_photos_wait_as_long_as_erlang_says(workers: int, used: float) -> None:
    mean_s = used * workers / RATE
    outcome = simulate(endless(times=exponential(mean_s), workers=workers), Demand(15_000, RATE))
    waits_s = erlang_c(workers, used * workers) * mean_s / (workers * (1 - used))
    assert outcome.waited_s.mean() == pytest.approx(waits_s, rel=0.1)
    assert (outcome.waited_s > 0).mean() == pytest.approx(erlang_c(workers, used * workers), rel=0.06)
    assert outcome.busy == pytest.approx(used, rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("used", [0.5, 0.8])
def test_equal_photos_wait_half_as_long(used: float) -> None:
    """M/D/1 (F. Pollaczek, 1930)."""
    mean_s = used / RATE
    outcome = simulate(endless(times=constant(mean_s)), Demand(15_000, RATE))
    assert outcome.waited_s.mean() == pytest.approx(used * mean_s / (2 * (1 - used)), rel=0.1)


@pytest.mark.slow
def test_where_nothing_may_wait_erlangs_share_is_turned_away() -> None:
    service = Fleet(exponential(0.2), workers=3, queue_limit=0)
    outcome = simulate(service, Demand(10_000, RATE, retries=0))
    assert outcome.refused / 10_000 == pytest.approx(erlang_b(3, 2.0), rel=0.05)
    assert outcome.lost == outcome.refused


@pytest.mark.slow
@pytest.mark.parametrize(
    "service",
    [
        endless(times=exponential(0.15), workers=2, loop_s=0.01),
        Fleet(exponential(0.3), replicas=3, workers=2, queue_limit=1, balance="round robin"),
    ],
)
def test_photos_in_the_service_are_rate_times_time(service: Fleet) -> None:
    """J. Little, 1961; it holds with refusals and retries too."""
    demand = Demand(10_000, RATE, upload_s=0.05)
    outcome = simulate(service, demand)
    assert outcome.lost == 0
    # One figure includes the first tenth; the other does not.
    assert outcome.present == pytest.approx(outcome.served_per_s * outcome.took_s.mean(), rel=0.03)


def p95s(outcomes: list[Outcome]) -> list[float]:
    return [each.percentile(0.95) for each in outcomes]


@pytest.mark.slow
def test_more_workers_never_make_anyone_wait_longer() -> None:
    times = measured({1: list(np.random.default_rng(0).gamma(2, 0.08, 500))})
    demand = Demand(2_000, RATE)
    outcomes = [simulate(endless(times=times, workers=count), demand) for count in (2, 3, 4, 8)]
    for fewer, more in itertools.pairwise(outcomes):
        assert (more.waited_s <= fewer.waited_s + 1e-9).all()
    assert p95s(outcomes) == sorted(p95s(outcomes), reverse=True)


@pytest.mark.slow
def test_more_replicas_and_the_better_balance_help() -> None:
    demand = Demand(3_000, RATE)

    def with_(replicas: int, balance: str) -> Outcome:
        return simulate(endless(times=exponential(0.25), replicas=replicas, balance=balance), demand)

    found = p95s([with_(count, "least connections") for count in (3, 4, 6)])
    assert found == sorted(found, reverse=True)
    assert with_(3, "least connections").percentile(0.95) < with_(3, "round robin").percentile(0.95)


def test_clients_that_wait_for_their_result_share_the_workers() -> None:
    """Closed loop: with equal photos and no pause, n clients at one worker wait n times a photo's time."""
    outcome = simulate(Fleet(constant(0.1)), Demand(2_000, clients=8))
    assert outcome.percentile(0.5) == pytest.approx(0.8)
    assert outcome.served_per_s == pytest.approx(10, rel=0.01)


def test_a_full_queue_refuses_and_clients_come_again_when_they_were_told() -> None:
    outcome = simulate(Fleet(constant(0.1), queue_limit=2), Demand(500, clients=8))
    assert outcome.refused > 0
    assert outcome.lost == 0
    assert len(outcome.took_s) == 450
    assert outcome.took_s.max() > 1  # the minimum of Retry-After


def test_neighbours_on_the_machine_cost_what_was_measured() -> None:
    times = measured({1: [0.1], 2: [0.15]})
    apart = simulate(Fleet(times, replicas=2), Demand(400, clients=2))
    together = simulate(Fleet(times, replicas=2, on_one_machine=True), Demand(400, clients=2))
    assert apart.percentile(0.5) == pytest.approx(0.1)
    assert together.percentile(0.5) == pytest.approx(0.15)


def test_an_event_loop_bounds_what_many_workers_do() -> None:
    outcome = simulate(Fleet(constant(0.01), workers=64, queue_limit=500, loop_s=0.01), Demand(3_000, clients=200))
    assert outcome.served_per_s == pytest.approx(100, rel=0.02)


def test_a_demand_is_one_or_the_other() -> None:
    with pytest.raises(ValueError, match="either"):
        simulate(Fleet(constant(0.1)), Demand(10))
