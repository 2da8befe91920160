"""The pipeline stage by stage, next to the network alone and the codec-only floor, in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from bench.photos import EXAMPLES, photo
from packshot.core import codecs
from packshot.core.options import Options
from packshot.engine.calls import remove
from packshot.engine.job import Work, follow, make_job
from packshot.engine.matting import find_matte
from packshot.engine.network import Network, load_network
from packshot.engine.pipeline import PIPELINE
from packshot.engine.presets import recipe_for

CUTOUT = recipe_for(Options())


@dataclass
class Stopwatch:
    """Milliseconds of each stage, one list per stage."""

    laps: dict[str, list[float]] = field(default_factory=dict)

    def note(self, laps_ms: Mapping[str, float]) -> None:
        """Add the times of one run; a skipped stage counts as zero."""
        for stage in PIPELINE:
            self.laps.setdefault(stage.name, []).append(laps_ms.get(stage.name, 0.0))

    def median_ms(self, stage: str) -> float:
        return statistics.median(self.laps[stage])


def staged(data: bytes, network: Network, watch: Stopwatch) -> bytes:
    """A cutout by the pipeline; records its stages."""
    work = Work(CUTOUT, network)
    work.job = make_job(data, CUTOUT)
    watch.note(follow(PIPELINE, work).laps_ms)
    return work.encoded


def codec_floor_ms(data: bytes, repeats: int) -> float:
    """Decoding the photo and encoding its cutout, without other work: the lower limit of any pipeline."""
    result = codecs.decode(remove(data).data)
    assert result.alpha is not None  # noqa: S101 - a cutout has one
    return median_ms(lambda: (codecs.decode(data), codecs.encode(result.rgb, result.alpha, format="png")), repeats)


def median_ms(work: Callable[[], object], repeats: int) -> float:
    laps = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        laps.append(1000 * (time.perf_counter() - started))
    return statistics.median(laps)


def photos_a_second(data: bytes, network: Network, threads: int, repeats: int) -> float:
    """Throughput of whole pipelines on a number of threads, one thread per photo."""
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
    stages = {stage.name: watch.median_ms(stage.name) for stage in PIPELINE if stage.name != "rules"}
    outside = sum(stages.values()) - stages["network"]
    beside = outside - stages["edge refiner"]
    floor = codec_floor_ms(data, repeats)
    return stages | {
        "**outside the network**": outside,
        "**outside network and edge refiner**": beside,
        "codec-only floor": floor,
        "ratio to the floor": outside / floor,
        "ratio to the floor, without the edge refiner": beside / floor,
        "transition region, % of the picture": 100 * float(((matte > 0) & (matte < 1)).mean()),
        "**whole pipeline, one thread**": outside + stages["network"],
        "network alone, two threads": watch_two.median_ms("network"),
        "photos a second, one thread": photos_a_second(data, one, 1, repeats),
        "photos a second, two threads": photos_a_second(data, one, 2, repeats),
    }
