from __future__ import annotations

import pytest

from training.gate import passes


def report(mae: float, boundary_iou: float, pictures: int = 516, title: str = "shoes") -> dict:
    return {"title": title, "summary": {"mae": mae, "boundary_iou": boundary_iou, "pictures": pictures}}


@pytest.mark.parametrize(
    ("small", "passed"),
    [
        (report(0.0608, 0.599), True),
        (report(0.05, 0.7), True),
        (report(0.0611, 0.6), False),
        (report(0.06, 0.596), False),
    ],
)
def test_an_eight_bit_network_is_a_default_only_when_it_costs_next_to_nothing(small: dict, passed: bool) -> None:
    assert passes([report(0.06, 0.6)], [small]) is passed


def test_every_picture_counts_the_same_in_whatever_set_it_is() -> None:
    exact = [report(0.06, 0.6, 900), report(0.06, 0.6, 100, "mugs")]
    assert passes(exact, [report(0.0605, 0.6, 900), report(0.0645, 0.6, 100, "mugs")])
    assert not passes(exact, [report(0.0605, 0.6, 900), report(0.0655, 0.6, 100, "mugs")])


@pytest.mark.parametrize("other", [report(0.06, 0.6, pictures=200), report(0.06, 0.6, title="mugs")])
def test_reports_of_different_pictures_are_not_compared(other: dict) -> None:
    with pytest.raises(SystemExit, match="not comparable"):
        passes([report(0.06, 0.6)], [other])
