"""The benchmark measures the line that users run."""

from __future__ import annotations

from bench.line import STAGES, Stopwatch, staged
from packshot.engine.find import default_network
from packshot.engine.remove import remove
from tests.kit.images import as_jpeg, photo


def test_the_staged_line_is_the_line() -> None:
    data = as_jpeg(photo(200, 150, 1))
    watch = Stopwatch()
    assert staged(data, default_network(), watch) == remove(data).data
    assert set(watch.laps) == set(STAGES)
