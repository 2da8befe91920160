"""Metrics and traces of the service, behind one small object for the use cases."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packshot.service.metrics import Metrics, MetricsServer
from packshot.service.tracing import RequestSpan, Traces, make_traces

if TYPE_CHECKING:
    from packshot.engine.result import Result
    from packshot.service.admission import Admission
    from packshot.service.settings import Settings


@dataclass(frozen=True)
class Telemetry:
    """Hooks for the use cases. Each costs microseconds, raises nothing and does not affect the work."""

    metrics: Metrics
    traces: Traces
    server: MetricsServer | None = None

    def start(self) -> None:
        """Serve metrics to Prometheus from now on, if a port is set."""
        if self.server is not None:
            self.server.start()

    def close(self) -> None:
        """Send the remaining traces within a time limit, and stop the metrics server."""
        self.traces.close()
        if self.server is not None:
            self.server.close()

    @contextmanager
    def request(self, headers: Mapping[str, str]) -> Iterator[RequestSpan]:
        """Observe a request, from its head to the end of its response."""
        self.metrics.request_began()
        with self.traces.request(headers) as span:
            yield span

    def computed(self, result: Result) -> None:
        """Record a photo that has just gone through the pipeline in this thread."""
        self.metrics.computed(result)
        self.traces.steps(result.timings_ms)

    @contextmanager
    def storing(self, size_bytes: int) -> Iterator[None]:
        """Observe the block that stores a result."""
        started_s = time.perf_counter()
        with self.traces.span("store"):
            yield
        self.metrics.stored(size_bytes, time.perf_counter() - started_s)

    @contextmanager
    def fetching(self) -> Iterator[None]:
        """Observe the block that fetches a picture from a URL, with any outcome."""
        started_s = time.perf_counter()
        try:
            with self.traces.span("fetch"):
                yield
        except BaseException as error:
            self.metrics.fetched(error, time.perf_counter() - started_s)
            raise
        self.metrics.fetched(None, time.perf_counter() - started_s)

    @contextmanager
    def photo(self) -> Iterator[None]:
        """Observe the block that does the work of a charge, with any outcome."""
        try:
            yield
        except BaseException as error:
            self.metrics.photo_ended(error)
            raise
        self.metrics.photo_ended(None)


def make_telemetry(settings: Settings, model: str, admission: Admission) -> Telemetry:
    """The telemetry that the settings turn on.

    Raises
    ------
    BadSettings
        The metrics port is in use, or traces are on and OpenTelemetry is not installed.
    """
    metrics = Metrics(model)
    metrics.watch(admission, settings.queue_limit, settings.workers)
    traces = make_traces(wanted=settings.tracing)
    if settings.metrics_port is None:
        return Telemetry(metrics, traces)
    return Telemetry(metrics, traces, MetricsServer(metrics.registry, settings.metrics_host, settings.metrics_port))
