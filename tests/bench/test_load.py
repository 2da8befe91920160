"""The load's clients and its table, on a running service."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.load.client import NO_ANSWER, Drive, Outcome, Traffic, drive
from bench.load.report import COLUMNS, Phase, table
from tests.kit.images import good
from tests.kit.server import Running


@pytest.fixture
def traffic(running: Running, tmp_path: Path) -> Traffic:
    return Traffic(running.base_url, running.new_key(), {"small": good("jpeg")}, {"small": 1.0}, 0.5, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("loop", [{"clients": 2}, {"rate": 10.0}], ids=["closed", "open"])
def test_every_promised_result_is_fetched_and_opened(traffic: Traffic, loop: dict[str, float], tmp_path: Path) -> None:
    done = drive(replace(traffic, **loop))
    assert done.outcomes
    assert {each.status for each in done.outcomes} == {200}
    assert all(each.expected == (160, 120) and each.served_s > 0 and not each.fault for each in done.outcomes)
    assert list(tmp_path.iterdir()) == []


def test_a_service_that_is_away_is_counted(traffic: Traffic) -> None:
    done = drive(replace(traffic, address="http://127.0.0.1:9", clients=1, seconds=0.3))
    assert {each.status for each in done.outcomes} == {NO_ANSWER}
    assert phase_of(done).faults


def test_the_table_counts_what_was_not_served() -> None:
    outcomes = [Outcome(200, 0.1 * n) for n in range(1, 11)] + [Outcome(503, 0.0)] * 3
    rows = table([Phase("one", "all", 2.0, 2.0, outcomes, 10**8, 0.25)]).splitlines()
    row = dict(zip(COLUMNS, rows[-1].strip("| ").split(" | "), strict=True))
    assert (row["served/s"], row["p50 s"], row["other answers"]) == ("5.0", "0.60", "503: 3")
    assert (row["results checked"], row["clients' CPU"]) == ("10 of 10", "25%")


def phase_of(done: Drive) -> Phase:
    return Phase("one", "all", 0.5, done.wall_s, done.outcomes, 0, done.busy)
