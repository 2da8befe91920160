"""OpenTelemetry traces: a span for each request, with child spans for the wait, the pipeline steps and the store.

Off by default. The SDK reads its configuration from the standard OTEL_ variables. Provider and exporter belong to one
service; nothing is registered globally.
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

# Longest wait at shutdown for a collector that does not answer.
FLUSH_S = 2.0


class RequestSpan:
    """The span of one request. Does nothing without tracing."""

    def __init__(self, span: Span | None = None) -> None:
        self._span = span

    @property
    def trace_id(self) -> str | None:
        """The id of the trace: 32 hexadecimal digits. None without tracing."""
        return f"{self._span.get_span_context().trace_id:032x}" if self._span else None

    def end(self, method: str, route: str, status: int, request_id: str) -> None:
        """Name the span and set its attributes, once the route is known."""
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
        """A span for the block, in the trace of the caller's `traceparent` header if it was sent."""
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
        """Add spans for steps that have just ended, one after the other. timings_ms: duration by name."""
        if self._tracer is None:
            return
        at_ns = time.time_ns() - int(1e6 * sum(timings_ms.values()))
        for name, took_ms in timings_ms.items():
            span = self._tracer.start_span(name, start_time=at_ns)
            at_ns += int(1e6 * took_ms)
            span.end(at_ns)

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """A span for the block. Leaves exceptions to the log, because they may name files."""
        if self._tracer is None:
            yield
            return
        with self._tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False):
            yield

    def close(self) -> None:
        """Send the remaining spans within FLUSH_S. Without this limit the SDK may try for half a minute."""
        if self._provider is not None:
            closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
            closing.start()
            closing.join(FLUSH_S)


def make_traces(*, wanted: bool) -> Traces:
    """Traces to OTEL_EXPORTER_OTLP_ENDPOINT; with `wanted` false, traces that do nothing.

    Raises
    ------
    BadSettings
        `wanted` is true, but the packages are not installed.
    """
    if not wanted:
        return Traces()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise BadSettings(
            "PACKSHOT_TRACING or OTEL_EXPORTER_OTLP_ENDPOINT turns traces on, but OpenTelemetry is not installed.",
            hint="Install packshot[tracing], or unset the variable.",
        ) from error
    return traces_to(BatchSpanProcessor(OTLPSpanExporter()))


def traces_to(processor: SpanProcessor) -> Traces:
    """Traces through any processor. The service name is packshot, unless OTEL_SERVICE_NAME sets another."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

    named = Resource({"service.name": "packshot", "service.version": __version__})
    provider = TracerProvider(resource=named.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return Traces(provider)
