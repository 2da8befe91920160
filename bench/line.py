"""The line stage by stage, with the network alone and the codec-only floor beside it in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import cv2
import numpy as np

from bench.photos import EXAMPLES, photo
from packshot.core import codecs
from packshot.core.compose import cutout
from packshot.core.decide import decide
from packshot.core.foreground import estimate_foreground
from packshot.core.geometry import network_size
from packshot.core.matte import drop_faint, is_flat, network_input, refine
from packshot.core.plain_ground import find_plain_ground, settle
from packshot.core.unmix import redraw_edges
from packshot.engine.find import Found, edge_refiner, find_box, find_matte
from packshot.engine.network import Network, load_network
from packshot.engine.remove import remove

STAGES = (
    *("decode", "network input", "network", "decide", "plain ground", "matte", "edges", "redrawn", "faint", "box"),
    *("foreground", "cutout", "encode PNG"),
)


@dataclass
class Stopwatch:
    """Milliseconds of each stage, one list per stage."""

    laps: dict[str, list[float]] = field(default_factory=dict)
    _last: float = 0.0

    def start(self) -> None:
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps.setdefault(stage, []).append(1000 * (now - self._last))
        self._last = now

    def median_ms(self, stage: str) -> float:
        return statistics.median(self.laps[stage])


def staged(data: bytes, network: Network, watch: Stopwatch) -> bytes:
    """engine.remove.remove for the form "cutout", with a lap after each stage; a test compares the two."""
    rule = network.card.input
    watch.start()
    picture = codecs.decode(data)
    watch.lap("decode")
    size = network_size(picture.size, side_px=rule.side_px, multiple=rule.multiple, fit=rule.fit)
    rgb = network_input(picture, size)
    is_flat(rgb)
    watch.lap("network input")
    coarse = network.predict(rgb)
    watch.lap("network")
    answer, coarse = coarse, decide(coarse)
    watch.lap("decide")
    seen = np.multiply(cv2.merge(list(rgb[0])), 255, dtype=np.float32)
    ground = find_plain_ground(seen, coarse)
    if ground is not None:
        coarse = settle(ground, seen, answer, coarse).coarse
    watch.lap("plain ground")
    matte = refine(picture, coarse)
    watch.lap("matte")
    if network.card.edges:
        matte = edge_refiner(network.card.edges).refine(picture, coarse, matte)
    watch.lap("edges")
    if ground is not None:
        matte = redraw_edges(ground, picture, seen, matte)
    watch.lap("redrawn")
    matte = drop_faint(matte)
    watch.lap("faint")
    find_box(Found(matte, None))
    watch.lap("box")
    foreground = estimate_foreground(picture, matte, ground)
    watch.lap("foreground")
    rendering = cutout(foreground, matte)
    watch.lap("cutout")
    encoded = codecs.encode_png(*rendering)
    watch.lap("encode PNG")
    return encoded


def codec_floor_ms(data: bytes, repeats: int) -> float:
    """Decoding the photo and encoding its own cutout, nothing between: what no line can go below."""
    result = codecs.decode(remove(data).data)
    assert result.alpha is not None  # noqa: S101 - a cutout has one
    return median_ms(lambda: (codecs.decode(data), codecs.encode_png(result.rgb, result.alpha)), repeats)


def median_ms(work: Callable[[], object], repeats: int) -> float:
    watch = Stopwatch()
    for _ in range(repeats):
        watch.start()
        work()
        watch.lap("work")
    return watch.median_ms("work")


def photos_a_second(data: bytes, network: Network, threads: int, repeats: int) -> float:
    """Throughput of whole lines on a number of threads, one thread per photo."""
    with ThreadPoolExecutor(threads) as pool:
        started = time.perf_counter()
        list(pool.map(lambda _: remove(data, network=network), range(repeats * threads)))
        return repeats * threads / (time.perf_counter() - started)


def report(sides: tuple[int, ...] = (1000, 1999), repeats: int = 15) -> str:
    """The table as Markdown: a column for each photo and side."""
    one, two = load_network(threads=1), load_network(threads=2)
    columns = {(name, side): column(photo(name, side), one, two, repeats) for name in EXAMPLES for side in sides}
    rows = {"ms": [f"{name} {side} px" for name, side in columns], "---": ["---:"] * len(columns)}
    for row in next(iter(columns.values())):
        rows[row] = [f"{figures[row]:.1f}" for figures in columns.values()]
    return "\n".join(f"| {row} | {' | '.join(cells)} |" for row, cells in rows.items())


def column(data: bytes, one: Network, two: Network, repeats: int) -> dict[str, float]:
    """All figures of one photo; `one` and `two` are the network on one thread and on two."""
    matte = find_matte(codecs.decode(data), one).matte
    watch, watch_two = Stopwatch(), Stopwatch()
    for _ in range(repeats):
        staged(data, one, watch)
        staged(data, two, watch_two)
    stages = {stage: watch.median_ms(stage) for stage in STAGES}
    outside = sum(stages.values()) - stages["network"]
    floor = codec_floor_ms(data, repeats)
    return stages | {
        "**outside the network**": outside,
        "codec-only floor": floor,
        "ratio to the floor": outside / floor,
        "soft band, % of the picture": 100 * float(((matte > 0) & (matte < 1)).mean()),
        "**whole line, one thread**": outside + stages["network"],
        "network alone, two threads": watch_two.median_ms("network"),
        "photos a second, one thread": photos_a_second(data, one, 1, repeats),
        "photos a second, two threads": photos_a_second(data, one, 2, repeats),
    }
