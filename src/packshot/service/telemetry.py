"""What the service tells about its work: figures and traces, behind one small object that the use cases speak to."""

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
    """Each method is a hook: it costs microseconds, raises nothing, and changes nothing."""

    metrics: Metrics
    traces: Traces
    server: MetricsServer | None = None

    def start(self) -> None:
        """Answer to Prometheus from now on, if a port is set."""
        if self.server is not None:
            self.server.start()

    def close(self) -> None:
        """The end: what was not sent yet is sent, for a bounded time."""
        self.traces.close()
        if self.server is not None:
            self.server.close()

    @contextmanager
    def request(self, headers: Mapping[str, str]) -> Iterator[RequestSpan]:
        """A request, from its head to its answer's end."""
        self.metrics.request_began()
        with self.traces.request(headers) as span:
            yield span

    def computed(self, result: Result) -> None:
        """A photo has just gone through the pipeline, in this thread."""
        self.metrics.computed(result)
        self.traces.steps(result.timings_ms)

    @contextmanager
    def storing(self, size_bytes: int) -> Iterator[None]:
        """A result is put into the store inside."""
        started_s = time.perf_counter()
        with self.traces.span("store"):
            yield
        self.metrics.stored(size_bytes, time.perf_counter() - started_s)

    @contextmanager
    def fetching(self) -> Iterator[None]:
        """A picture is brought from a URL inside, however that ends."""
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
        """The work of a charge happens inside, however it ends."""
        try:
            yield
        except BaseException as error:
            self.metrics.photo_ended(error)
            raise
        self.metrics.photo_ended(None)


def make_telemetry(settings: Settings, model: str, admission: Admission) -> Telemetry:
    """What the settings ask for.

    Raises
    ------
    BadSettings
        The metrics' port is taken, or traces are asked for where OpenTelemetry is not installed.
    """
    metrics = Metrics(model)
    metrics.watch(admission, settings.queue_limit, settings.workers)
    traces = make_traces(wanted=settings.tracing)
    if settings.metrics_port is None:
        return Telemetry(metrics, traces)
    return Telemetry(metrics, traces, MetricsServer(metrics.registry, settings.metrics_host, settings.metrics_port))
