"""From the figures of single pictures to a report on a network: a summary, strata, and a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import isnan, nan
from typing import Any, NamedTuple

import numpy as np

from evaluation.metrics import Score

Summary = dict[str, float | None]


class Column(NamedTuple):
    """Display format of a figure."""

    heading: str
    decimals: int


# Order: standard figures, mattes, edges, then figures that matter to a shop.
COLUMNS = {
    "pictures": Column("n", 0),
    "mae": Column("MAE", 4),
    "max_f": Column("max F", 3),
    "weighted_f": Column("wgt F", 3),
    "s_measure": Column("S", 3),
    "e_measure": Column("E", 3),
    "mse": Column("MSE", 4),
    "sad": Column("SAD", 2),
    "band_mae": Column("band", 3),
    "gradient": Column("grad", 2),
    "connectivity": Column("conn", 2),
    "iou": Column("IoU", 3),
    "boundary_iou": Column("bnd IoU", 3),
    "iou_over_95": Column(">.95", 3),
    "iou_under_80": Column("<.80", 3),
    "background_kept_over_1": Column("bg kept", 3),
    "parts_lost": Column("lost", 3),
    "holes_torn": Column("torn", 3),
    "holes_opened": Column("holes", 3),
}
COUNTS = ("parts_lost", "holes_torn", "holes_opened")  # counts of each picture; a summary has their shares
MEANS = tuple(name for name in COLUMNS if name in Score.__dataclass_fields__ and name not in COUNTS)


@dataclass(frozen=True)
class Row:
    """One scored picture: its name, its strata, its figures, the matte's time, and its confidence.

    signs: the inputs for fitting a confidence, by name (packshot.core.confidence.Signs); none where a file's own alpha
    was its matte.
    """

    name: str
    strata: tuple[str, ...]
    score: Score
    seconds: float
    confidence: float | None = None
    signs: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        sure = None if self.confidence is None else round(self.confidence, 4)
        signs = {name: round(value, 5) for name, value in self.signs.items()}
        figures = {"seconds": round(self.seconds, 4), "confidence": sure, "signs": signs}
        return {"name": self.name, "strata": self.strata, **self.score.row(), **figures}


def summarise(rows: Iterable[Row]) -> Summary:
    """Means over pictures; max_f is the maximum of the mean curve, as usual in the field; some figures are shares.

    Each figure is the mean over the pictures where it is defined, None if there is no such picture.
    """
    scores = [row.score for row in rows]
    shaped = [score for score in scores if score.has_foreground]
    curves = [score.f_curve for score in shaped if score.f_curve is not None]
    holes = sum(score.holes for score in scores)
    figures = {
        "pictures": len(scores),
        "max_f": float(np.mean(curves, axis=0).max()) if curves else nan,
        **{name: mean([getattr(score, name) for score in scores]) for name in MEANS},
        "iou_over_95": share(shaped, lambda score: score.iou > 0.95),
        "iou_under_80": share(shaped, lambda score: score.iou < 0.8),
        "background_kept_over_1": share(scores, lambda score: score.background_kept > 0.01),
        "parts_lost": share(shaped, lambda score: score.parts_lost > 0),
        "holes_torn": share(shaped, lambda score: score.holes_torn > 0),
        "holes_opened": sum(score.holes_opened for score in scores) / holes if holes else nan,
    }
    return {name: None if isnan(figures[name]) else round(figures[name], 5) for name in COLUMNS}


def mean(values: list[float]) -> float:
    """The mean without NaNs; NaN if all values are NaN."""
    known = [value for value in values if not isnan(value)]
    return float(np.mean(known)) if known else nan


def share(scores: list[Score], holds: Callable[[Score], bool]) -> float:
    return sum(map(holds, scores)) / len(scores) if scores else nan


def overall(rows: list[Row]) -> Summary:
    """The summary of all pictures whose truth has foreground; if none has, of all pictures."""
    return summarise([row for row in rows if row.score.has_foreground] or rows)


def by_stratum(rows: list[Row]) -> dict[str, Summary]:
    """A summary of each stratum, by name."""
    names = sorted({name for row in rows for name in row.strata})
    return {name: summarise(row for row in rows if name in row.strata) for name in names}


def cell(figure: str, value: float | None) -> str:
    """A figure as text, with its decimals, or a dash."""
    return "-" if value is None else f"{value:.{COLUMNS[figure].decimals}f}"


def table(summaries: Mapping[str, Summary]) -> str:
    """Summaries as a text table: one row for each, figures in columns."""
    widths = {name: max(7, len(column.heading)) for name, column in COLUMNS.items()}
    width = max(map(len, summaries))
    lines = [" " * width + "".join(f"{COLUMNS[name].heading:>{widths[name] + 1}}" for name in COLUMNS)]
    for title, summary in summaries.items():
        lines.append(
            f"{title:<{width}}" + "".join(f"{cell(name, summary[name]):>{widths[name] + 1}}" for name in COLUMNS)
        )
    return "\n".join(lines)
