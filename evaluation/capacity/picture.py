"""docs/pictures/capacity.svg: the clients' p95 against the load, for fleets of several sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evaluation.capacity.measure import Measurements
from evaluation.capacity.plan import Aim, fleet, times_of
from evaluation.svg import document, polyline, text

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 50, 60
FLEETS = (1, 2, 4, 12)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98)
# The colours also differ in lightness, for colour-blind readers and for printers.
COLOURS = ("#0b3c5d", "#2a7f9e", "#c9772b", "#e8a94f")
LONGEST_S = 2.0

Line = list[tuple[float, float]]


def curves(found: Measurements, aim: Aim) -> dict[int, Line]:
    """p95 in seconds against the share of a fleet's capacity, for each fleet size."""
    each_s = times_of(found, aim.cores).mean_s(1)
    return {
        count: [
            (share, fleet(found, aim, share * count * aim.cores / each_s, count).percentile(0.95)) for share in SHARES
        ]
        for count in FLEETS
    }


def svg(lines: Mapping[int, Line], aim: Aim) -> str:
    """The picture as SVG, for light and dark pages."""
    parts = [
        text(LEFT, 26, "The time within which 95 of 100 pictures are answered (simulated)", size=15),
        *_grid(),
        f'<path d="M{_x(0)} {_y(aim.p95_s)}H{_x(1)}" stroke="#b00020" stroke-dasharray="6 4"/>',
        text(_x(0) + 6, _y(aim.p95_s) - 6, f"aim {aim.p95_s:g} s", colour="#b00020"),
    ]
    for line, colour in zip(lines.values(), COLOURS, strict=True):
        parts.append(_curve(line, colour))
    parts += _legend(lines, aim)
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, "load as a share of the workers' time", "middle"))
    return document(parts, WIDTH, HEIGHT)


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(seconds: float) -> float:
    return HEIGHT - BOTTOM - min(seconds, LONGEST_S) / LONGEST_S * (HEIGHT - TOP - BOTTOM)


def _grid() -> Sequence[str]:
    parts = []
    for seconds in (0.0, 0.5, 1.0, 1.5, 2.0):
        parts.append(f'<path d="M{_x(0)} {_y(seconds):.1f}H{_x(1)}" stroke="#dddddd"/>')
        parts.append(text(LEFT - 10, _y(seconds) + 4, f"{seconds:g} s", "end"))
    parts += [text(_x(each / 100), HEIGHT - BOTTOM + 20, f"{each} %", "middle") for each in range(0, 101, 20)]
    return parts


def _curve(line: Line, colour: str) -> str:
    return polyline([(_x(share), _y(seconds)) for share, seconds in line if seconds <= LONGEST_S], colour)


def _legend(lines: Mapping[int, Line], aim: Aim) -> Sequence[str]:
    parts = [text(WIDTH - RIGHT + 14, TOP + 4, f"replicas of {aim.cores} cores")]
    for number, (count, colour) in enumerate(zip(lines, COLOURS, strict=True)):
        y = TOP + 26 + 22 * number
        parts.append(f'<path d="M{WIDTH - RIGHT + 14} {y}h22" stroke="{colour}" stroke-width="2.5"/>')
        parts.append(text(WIDTH - RIGHT + 44, y + 4, str(count)))
    return parts
