"""OpenTelemetry traces: a span for each request, and below it the wait, the steps of the pipeline and the store.

Off unless asked for, and then set up by the standard OTEL_ variables, which the SDK reads by itself. Provider and
exporter belong to one service; nothing is registered for the whole process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from packshot import __version__
from packshot.errors import BadSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.trace import Span

# What a collector that does not answer may cost at shutdown.
FLUSH_S = 2.0


class RequestSpan:
    """The span of one request; without tracing it is nothing."""

    def __init__(self, span: Span | None = None) -> None:
        self._span = span

    @property
    def trace_id(self) -> str | None:
        """What the trace is found by: 32 hexadecimal digits."""
        return f"{self._span.get_span_context().trace_id:032x}" if self._span else None

    def end(self, method: str, route: str, status: int, request_id: str) -> None:
        """Say what it was; the route is known only afterwards."""
        if self._span is None:
            return
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - an extra

        self._span.update_name(f"{method} {route}")
        self._span.set_attributes(
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "packshot.request_id": request_id,
            }
        )
        if status >= 500 or not status:
            self._span.set_attribute("error.type", str(status))
            self._span.set_status(Status(StatusCode.ERROR))


class Traces:
    """Spans of one service. Without a provider every method does nothing."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("packshot", __version__) if provider else None

    @contextmanager
    def request(self, headers: Mapping[str, str]) -> Iterator[RequestSpan]:
        """A span for what happens inside, in the trace that the caller's `traceparent` names, if one came."""
        if self._tracer is None:
            yield RequestSpan()
            return
        from opentelemetry.trace import SpanKind  # noqa: PLC0415 - an extra
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        parent = TraceContextTextMapPropagator().extract(headers)
        with self._tracer.start_as_current_span(
            "request", parent, SpanKind.SERVER, record_exception=False, set_status_on_exception=False
        ) as span:
            yield RequestSpan(span)

    def steps(self, timings_ms: Mapping[str, float]) -> None:
        """Spans of the steps that have just ended, one after the other, by how long each took."""
        if self._tracer is None:
            return
        at_ns = time.time_ns() - int(1e6 * sum(timings_ms.values()))
        for name, took_ms in timings_ms.items():
            span = self._tracer.start_span(name, start_time=at_ns)
            at_ns += int(1e6 * took_ms)
            span.end(at_ns)

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """A span for what happens inside. Its exceptions are told in the log, not here: they may name files."""
        if self._tracer is None:
            yield
            return
        with self._tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False):
            yield

    def close(self) -> None:
        """Send what is left, for a bounded time: the SDK itself may try for half a minute."""
        if self._provider is not None:
            closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
            closing.start()
            closing.join(FLUSH_S)


def make_traces(*, wanted: bool) -> Traces:
    """Traces that go where OTEL_EXPORTER_OTLP_ENDPOINT says; with `wanted` false, none.

    Raises
    ------
    BadSettings
        They are wanted and the packages are not there.
    """
    if not wanted:
        return Traces()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise BadSettings(
            "Traces are asked for by PACKSHOT_TRACING or OTEL_EXPORTER_OTLP_ENDPOINT, and OpenTelemetry is not "
            "installed.",
            hint="Install packshot[tracing], or unset the variable.",
        ) from error
    return traces_to(BatchSpanProcessor(OTLPSpanExporter()))


def traces_to(processor: SpanProcessor) -> Traces:
    """Traces over any processor. The service is called packshot unless OTEL_SERVICE_NAME says otherwise."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

    named = Resource({"service.name": "packshot", "service.version": __version__})
    provider = TracerProvider(resource=named.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return Traces(provider)
