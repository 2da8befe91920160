"""From the figures of single pictures to what is said about a network: a summary, strata, and a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.metrics import Score
from evaluation.pairs import Example

Summary = dict[str, float]

# Column of the table -> decimals. Order: the field's figures, mattes, edges, then what a shop would notice.
COLUMNS = {
    "pictures": 0,
    "mae": 4,
    "max_f": 3,
    "weighted_f": 3,
    "s_measure": 3,
    "e_measure": 3,
    "mse": 4,
    "sad": 2,
    "iou": 3,
    "boundary_iou": 3,
    "iou_over_95": 3,
    "iou_under_80": 3,
    "background_kept_over_1": 3,
    "holes_opened": 3,
}


@dataclass(frozen=True)
class Row:
    """One scored picture: its name, its strata, its figures, and the time that its matte took."""

    name: str
    strata: tuple[str, ...]
    score: Score
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, **self.score.row(), "seconds": round(self.seconds, 4)}


def strata(example: Example) -> tuple[str, ...]:
    """The groups that a picture is reported in: its set, and how much of it is foreground."""
    share = float(example.truth.mean())
    size = "under 10 %" if share < 0.1 else "10 to 40 %" if share <= 0.4 else "over 40 %"
    return (example.group, f"foreground {size}")


def summarise(rows: Iterable[Row]) -> Summary:
    """Means over pictures; max_f is the maximum of the mean curve, as the field has it; shares where it says so."""
    scores = [row.score for row in rows]
    holes = sum(score.holes for score in scores)
    means = ("mae", "weighted_f", "s_measure", "e_measure", "mse", "sad", "iou", "boundary_iou")
    figures = {
        "pictures": len(scores),
        "max_f": float(np.mean([score.f_curve for score in scores], axis=0).max()),
        **{name: float(np.mean([getattr(score, name) for score in scores])) for name in means},
        "iou_over_95": share(scores, lambda score: score.iou > 0.95),
        "iou_under_80": share(scores, lambda score: score.iou < 0.8),
        "background_kept_over_1": share(scores, lambda score: score.background_kept > 0.01),
        "holes_opened": sum(score.holes_opened for score in scores) / holes if holes else 1.0,
    }
    return {name: round(figures[name], 5) for name in COLUMNS}


def share(scores: list[Score], holds: Callable[[Score], bool]) -> float:
    return sum(map(holds, scores)) / len(scores)


def by_stratum(rows: list[Row]) -> dict[str, Summary]:
    """A summary of each stratum, by name."""
    names = sorted({name for row in rows for name in row.strata})
    return {name: summarise(row for row in rows if name in row.strata) for name in names}


def table(summaries: dict[str, Summary]) -> str:
    """Summaries as a text table: figures down, one column for each name."""
    widths = {name: max(len(name), 8) for name in summaries}
    lines = [" " * 24 + "  ".join(name.rjust(widths[name]) for name in summaries)]
    for figure, decimals in COLUMNS.items():
        cells = (f"{summaries[name][figure]:.{decimals}f}".rjust(widths[name]) for name in summaries)
        lines.append(f"{figure:<24}" + "  ".join(cells))
    return "\n".join(lines)
