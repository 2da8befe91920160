"""docs/pictures/confidence.svg: confidence against quality, and damaged mattes found by reviewing some pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from evaluation.reliability import Figures, Flags, bins
from evaluation.svg import document, polyline, text

WIDTH, HEIGHT = 860, 400
SIDE, TOP, LEFT, APART = 280, 50, 70, 420
LOOKED_AT = 0.3  # greatest share of the pictures in the right panel
# The colours also differ in lightness, for colour-blind readers and for printers.
COLOURS = ("#0b3c5d", "#c9772b")
EVEN = "#999999"


def svg(said: Figures, quality: Figures, ways: Mapping[str, Figures], damaged: Flags) -> str:
    """Left: tenths of the pictures, confidence against quality. Right: share of the damaged mattes found by reviewing
    the least confident pictures, for each of two methods, float64 (n,) each."""
    deciles = [(each.confidence, each.iou) for each in bins(said, quality)]
    parts = [
        text(LEFT, 26, "Tenths of the pictures: expected and measured quality", size=15),
        *_panel(LEFT, "confidence", [0.0, 0.5, 1.0]),
        _line(LEFT, [(0, 0), (1, 1)], EVEN),
        _line(LEFT, deciles, COLOURS[0]),
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{COLOURS[0]}"/>' for x, y in _placed(LEFT, deciles)),
        text(LEFT + APART, 26, "Damaged mattes found, by share reviewed", size=15),
        *_panel(LEFT + APART, "least confident pictures, reviewed", [0.0, LOOKED_AT / 3, 2 * LOOKED_AT / 3, LOOKED_AT]),
    ]
    shown = {"at most": -damaged.astype(np.float64), **ways}
    for number, ((name, way), colour) in enumerate(zip(shown.items(), (EVEN, *COLOURS), strict=True)):
        points = [(share / LOOKED_AT, found) for share, found in found_by(way, damaged)]
        parts += [_line(LEFT + APART, points, colour)]
        parts += [text(LEFT + APART + 12, TOP + 18 + 18 * number, name, colour=colour)]
    return document(parts, WIDTH, HEIGHT)


def found_by(said: Figures, damaged: Flags) -> list[tuple[float, float]]:
    """Shares of the damaged mattes among the 0 to LOOKED_AT least confident pictures."""
    order = np.argsort(said, kind="stable")
    found = np.concatenate([[0], np.cumsum(damaged[order])]) / max(int(damaged.sum()), 1)
    shares = np.linspace(0, LOOKED_AT, 31)
    return [(float(share), float(found[round(share * len(said))])) for share in shares]


def _placed(left: float, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(left + SIDE * x, TOP + SIDE * (1 - y)) for x, y in points]


def _line(left: float, points: Sequence[tuple[float, float]], colour: str) -> str:
    return polyline(_placed(left, points), colour)


def _panel(left: float, name: str, ticks: Sequence[float]) -> list[str]:
    """A square axis frame: 0 to 1 vertically, the first to the last tick horizontally."""
    parts = [f'<path d="M{left} {TOP}V{TOP + SIDE}H{left + SIDE}" fill="none" stroke="#333333"/>']
    parts += [text(left - 10, TOP + SIDE * (1 - each) + 4, f"{each:g}", "end") for each in (0.0, 0.5, 1.0)]
    shown = [f"{tick:g}" if ticks[-1] == 1 else f"{100 * tick:.0f} %" for tick in ticks]
    places = [left + SIDE * tick / ticks[-1] for tick in ticks]
    parts += [text(place, TOP + SIDE + 20, words, "middle") for place, words in zip(places, shown, strict=True)]
    parts.append(text(left + SIDE / 2, TOP + SIDE + 44, name, "middle"))
    return parts
