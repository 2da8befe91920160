"""Traces: one per request, within the caller's trace, with the steps below it; by the standard variables, over a real
socket.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("opentelemetry.sdk", reason="needs packshot[tracing]")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from packshot.service.settings import Settings
from packshot.service.tracing import FLUSH_S
from tests.contract.envelope import success_path
from tests.kit.images import good
from tests.kit.server import ENDPOINT, serving, wait_until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector(ThreadingHTTPServer):
    """A receiver for OTLP over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.requests: list[ExportTraceServiceRequest] = []

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class _Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def collecting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever, args=(0.05,))
        thread.start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        try:
            yield collector
        finally:
            collector.shutdown()
            thread.join()


@pytest.mark.slow
def test_a_request_and_its_steps_in_the_callers_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting(monkeypatch) as collector, serving(tmp_path, tracing=True) as running:
        key = running.new_key()
        answer = running.send(good("jpeg"), key=key, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
        path = success_path(answer)
        refused = running.http.get(path + "x")
        wait_until(lambda: len([span for span in collector.spans if span.kind == Span.SPAN_KIND_SERVER]) == 2)
        spans = {span.name: span for span in collector.spans}
    root = spans[f"POST {ENDPOINT}"]
    assert (root.trace_id.hex(), root.parent_span_id.hex()) == (TRACE, PARENT)
    about = {item.key: item.value for item in root.attributes}
    assert about["http.response.status_code"].int_value == answer.status_code
    assert about["packshot.request_id"].string_value == answer.headers["x-request-id"]
    steps = [spans[name] for name in ("wait", "decode", "matte", "render", "encode", "store")]
    for step in steps:
        assert step.parent_span_id == root.span_id
        assert root.start_time_unix_nano <= step.start_time_unix_nano <= step.end_time_unix_nano
    starts = [step.start_time_unix_nano for step in steps]
    assert starts == sorted(starts)
    assert refused.status_code == 403
    assert spans["GET /cutout/results/{name}"].trace_id != root.trace_id
    sent = b"".join(request.SerializeToString() for request in collector.requests)
    assert b"signature" not in sent
    assert key.encode() not in sent
    named = {item.key: item.value.string_value for item in collector.requests[0].resource_spans[0].resource.attributes}
    assert named["service.name"] == "packshot"


@pytest.mark.slow
def test_a_collector_that_is_away_costs_no_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    # The exporter's retry time; its default is 10 s.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", str(FLUSH_S + 3))
    before = set(threading.enumerate())
    with serving(tmp_path, tracing=True) as running:
        assert running.send(good("jpeg")).status_code == 200
        stopping = time.monotonic()
    assert time.monotonic() - stopping < FLUSH_S + 2
    # Its threads draw random numbers for their pauses, which must not affect other tests' properties.
    exporting = {"traces", "OtelBatchSpanRecordProcessor"}
    wait_until(lambda: not [each for each in threading.enumerate() if each.name in exporting and each not in before])


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "PACKSHOT_TRACING": "false"}, False),
        ({"PACKSHOT_TRACING": "true"}, True),
    ],
)
def test_who_asks_for_traces(environ: dict[str, str], wanted: bool) -> None:
    assert Settings.from_environment(environ).tracing is wanted


WITHOUT = """
import sys
sys.modules["opentelemetry"] = None
from packshot.service.tracing import make_traces
make_traces(wanted=False)
try:
    make_traces(wanted=True)
except Exception as error:
    print(type(error).__name__, error)
"""


def test_where_opentelemetry_is_not_installed_that_is_said() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("BadSettings")
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in done.stdout
    assert "packshot[tracing]" in done.stdout
