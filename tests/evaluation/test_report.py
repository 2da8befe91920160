from __future__ import annotations

import numpy as np
import pytest

from evaluation.metrics import score
from evaluation.report import COLUMNS, Row, by_stratum, overall, summarise, table
from packshot.core.picture import Float32


def square(side: int) -> Float32:
    matte = np.zeros((64, 64), np.float32)
    matte[10 : 10 + side, 10 : 10 + side] = 1
    return matte


def row(name: str, side: int, *strata: str) -> Row:
    """The truth is 40 px wide; the error of another side length is the difference of the areas."""
    return Row(name, strata, score(square(side), square(40)), 0.01)


def test_shares_count_pictures() -> None:
    rows = [row("perfect", 40), row("good", 39), row("fair", 37), row("poor", 20)]
    summary = summarise(rows)
    assert summary["pictures"] == 4
    assert summary["iou_over_95"] == 0.5  # 39^2 / 40^2 = 0.951, 37^2 / 40^2 = 0.856
    assert summary["iou_under_80"] == 0.25
    assert summary["iou"] == pytest.approx(np.mean([1, 0.950625, 0.855625, 0.25]), abs=1e-4)


def test_damage_is_a_share_of_pictures_however_often_a_picture_is_hurt() -> None:
    lost, torn = square(40), square(40)
    lost[10:20] = lost[40:50] = 0
    torn[15:20, 15:20] = torn[30:35, 30:35] = torn[15:20, 30:35] = 0
    both = np.minimum(lost, torn)
    mattes = {"whole": square(40), "lost": lost, "torn": torn, "both": both}
    rows = [Row(name, (), score(matte, square(40)), 0.01) for name, matte in mattes.items()]
    assert [(each.score.parts_lost, each.score.holes_torn) for each in rows] == [(0, 0), (2, 0), (0, 3), (2, 1)]
    assert (rows[1].to_json()["parts_lost"], rows[2].to_json()["holes_torn"]) == (2, 3)
    summary = summarise([*rows, rows[1], empty("nothing", 32)])
    assert (summary["parts_lost"], summary["holes_torn"]) == (0.6, 0.4)
    assert summarise([empty("nothing", 32)])["parts_lost"] is None


def test_max_f_is_the_maximum_of_the_mean_curve_not_the_mean_of_maxima() -> None:
    truth = square(40)
    # Each matte is perfect at thresholds where the other is not.
    dim, bright = 0.3 * truth, np.where(truth > 0, np.float32(1), np.float32(0.6))
    rows = [Row("dim", (), score(dim.astype(np.float32), truth), 0), Row("bright", (), score(bright, truth), 0)]
    assert all(one.score.max_f == pytest.approx(1) for one in rows)
    assert summarise(rows)["max_f"] < 0.9


def test_strata_divide_the_pictures() -> None:
    strata = by_stratum([row("a", 40, "shoes", "small"), row("b", 20, "shoes", "large"), row("c", 20, "mugs", "small")])
    assert {name: summary["pictures"] for name, summary in strata.items()} == {
        "shoes": 2,
        "small": 2,
        "large": 1,
        "mugs": 1,
    }
    assert strata["large"]["iou"] == pytest.approx(0.25, abs=1e-4)


def empty(name: str, side: int) -> Row:
    """A picture without an object, with a false detection."""
    return Row(name, ("no foreground",), score(square(side), np.zeros((64, 64), np.float32)), 0.01)


def test_truths_without_foreground_are_counted_apart() -> None:
    rows = [row("a", 40, "shoes"), empty("b", 0), empty("c", 32)]
    assert overall(rows) == summarise(rows[:1])
    apart = by_stratum(rows)["no foreground"]
    assert (apart["pictures"], apart["mae"], apart["background_kept_over_1"]) == (2, 0.125, 0.5)
    assert apart["iou"] is None
    assert apart["max_f"] is None
    assert overall(rows[1:])["pictures"] == 2  # without other pictures, these are all


def test_holes_that_no_truth_has_are_no_success() -> None:
    assert summarise([row("a", 40)])["holes_opened"] is None


def test_the_table_has_a_line_for_each_name_and_a_column_for_each_figure() -> None:
    lines = table({"all": summarise([row("a", 40)]), "a long name": summarise([row("a", 20)])}).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [line[:11].strip() for line in lines] == ["", "all", "a long name"]
    assert len(lines[1].split()) == 1 + len(COLUMNS)
    assert lines[1].split()[-1] == "-"  # holes
