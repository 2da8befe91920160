"""The benchmark measures the pipeline that users run."""

from __future__ import annotations

from bench.pipeline import Stopwatch, staged
from packshot.engine.calls import remove
from packshot.engine.network import default_network
from packshot.engine.pipeline import PIPELINE
from tests.kit.images import as_jpeg, photo


def test_the_benchmark_times_every_stage_of_the_pipeline() -> None:
    data = as_jpeg(photo(200, 150, 1))
    watch = Stopwatch()
    assert staged(data, default_network(), watch) == remove(data).data
    assert set(watch.laps) == {stage.name for stage in PIPELINE}
    assert all(watch.median_ms(name) > 0 for name in ("decode", "network", "guided filter", "encode"))
