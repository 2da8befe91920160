"""Plans: enough replicas but few spare ones, and a comparison that would detect a wrong simulation."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from evaluation.capacity import picture
from evaluation.capacity.__main__ import BEGIN, END, write
from evaluation.capacity.measure import ALONE, FED, Load, Measurements, read
from evaluation.capacity.measure import write as keep
from evaluation.capacity.plan import Aim, backing, fleet, plan, table
from evaluation.capacity.validate import compare

WORK_S = list(np.random.default_rng(3).gamma(4, 0.03, 400))


def found(work_s: list[float] = WORK_S) -> Measurements:
    """Measurements of a two-core machine whose service exactly follows a simulation of equal photos."""
    loads = {
        ALONE: Load(1, 2, 1, [10.0], [[0.1] * 100], [[0.1] * 100]),
        FED: Load(1, 2, 8, [10.0], [[0.4] * 200], [[0.1] * 200]),
        "two": Load(2, 1, 4, [10.0], [[0.2] * 200], [[0.1] * 200]),
    }
    return Measurements({"processor": "one"}, [0.0], {1: work_s, 2: work_s}, 0.001, 0.0, 2e5, 4e5, loads)


def _aim(p95_s: float) -> Aim:
    return Aim(p95_s, busiest=0.99, requests=1_500)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [5.0, 60.0])
def test_a_plan_keeps_its_aim_and_one_replica_less_does_not(rate: float) -> None:
    aim = _aim(0.4)
    made = plan(found(), aim, rate)
    assert made.p95_s <= aim.p95_s
    assert made.replicas > made.needed
    if made.needed > 1:
        less = fleet(found(), aim, rate, made.needed - 1)
        assert less.percentile(0.95) > aim.p95_s or less.refused > 2


@pytest.mark.slow
def test_a_harder_aim_and_more_pictures_cost_more() -> None:
    easy, hard = (plan(found(), _aim(aim_s), 100.0) for aim_s in (0.8, 0.3))
    assert hard.needed > easy.needed
    assert plan(found(), _aim(0.8), 200.0).needed > easy.needed


@pytest.mark.slow
def test_large_fleets_are_used_better_and_cost_in_proportion() -> None:
    aim = _aim(0.4)
    small, large, huge = (plan(found(), aim, rate) for rate in (5.0, 1_000.0, 100_000.0))
    assert large.busy > small.busy
    assert huge.needed == pytest.approx(100 * large.needed, rel=0.02)
    assert huge.per_hour == pytest.approx(huge.replicas * 2 * 0.04)
    assert huge.per_thousand == pytest.approx(1000 * huge.per_hour / 3600 / 100_000)


def test_workers_are_not_planned_to_be_busier_than_they_may() -> None:
    easy = Aim(p95_s=5.0, busiest=0.6, requests=1_500)
    made = plan(found(), easy, 300.0)
    assert made.busy <= 0.62
    work_s = 300 * sum(WORK_S) / len(WORK_S)
    assert made.needed == pytest.approx(work_s / (2 * 0.6), abs=1)


def test_an_aim_below_a_single_photos_time_is_refused() -> None:
    with pytest.raises(ValueError, match="the aim is"):
        plan(found(), _aim(0.1), 10.0)


@pytest.mark.slow
def test_what_was_measured_is_held_against_what_is_foretold() -> None:
    comparisons = compare(found())
    assert [each.load.clients for each in comparisons] == [8, 4]
    for each in comparisons:
        for figure in (each.p50_s, each.p95_s, each.served_per_s):
            assert abs(figure.error) < 0.05
    slow = found()
    slow.loads["two"].took_s = [[0.3] * 200]
    assert compare(slow)[1].p95_s.error < -0.3


def test_what_was_measured_is_read_as_it_was_written(tmp_path: Path) -> None:
    keep(found([0.1, 0.2]), tmp_path / "measured.json")
    assert read(tmp_path / "measured.json") == found([0.1, 0.2])


def test_figures_go_between_the_marks_of_the_page(tmp_path: Path) -> None:
    for folder in ("pictures", "explanation"):
        (tmp_path / folder).mkdir()
    (tmp_path / "explanation/capacity.md").write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    aim = _aim(0.5)
    drawing = picture.svg({1: [(0.1, 0.2), (0.5, 0.4)], 2: [(0.1, 0.2)], 4: [(0.1, 9.0)], 12: [(0.2, 0.1)]}, aim)
    text = table([plan(found(), aim, 10.0)]) + backing(found(), (10.0, 1000.0))
    write(text, drawing, tmp_path)
    page = (tmp_path / "explanation/capacity.md").read_text()
    assert page.startswith("before")
    assert page.endswith("after\n")
    assert "old" not in page
    assert "6.40 Gbit" in page  # 1,000 results of 400 kB, to the store and to the client


def test_the_picture_shows_no_figure_beyond_its_frame() -> None:
    drawing = picture.svg({1: [(0.1, 0.2), (0.98, 9.0)], 2: [(0.1, 0.2)], 4: [(0.1, 0.3)], 12: [(0.2, 0.1)]}, Aim())
    for points in re.findall(r'points="([^"]*)"', drawing):
        for pair in points.split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= picture.WIDTH
            assert 0 <= y <= picture.HEIGHT
