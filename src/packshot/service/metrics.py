"""The figures that operators watch, in Prometheus' terms, and the port where it fetches them.

docs/observability.md says what each is for.

A label never holds what a caller wrote: routes are templates, methods and statuses come from short lists, errors are
slugs. So the number of series is bounded by the code, not by the traffic, and no key or file name can get into them.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from packshot import __version__
from packshot.errors import (
    CapacityError,
    DatabaseUnavailable,
    FileTooLarge,
    InputError,
    LimiterUnavailable,
    NoForeground,
    PackshotError,
    QueueFull,
    ShuttingDown,
    StoreUnavailable,
    UrlRefused,
    UrlTooSlow,
)
from packshot.service.environment import cannot_listen

if TYPE_CHECKING:
    from packshot.engine.result import Result
    from packshot.service.admission import Admission

OTHER = "other"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# From a probe's milliseconds to the longest deadline that anybody sets.
REQUEST_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60)
STAGE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.12, 0.2, 0.4, 0.8, 1.6, 5, 15, 60)
SILENCE_S = 10  # of a client of the metrics' port
_PARTS = {StoreUnavailable: "store", DatabaseUnavailable: "database"}
_FETCHES: dict[type, str] = {
    UrlRefused: "refused",
    UrlTooSlow: "timeout",
    FileTooLarge: "too-large",
    CapacityError: "busy",
    Exception: "failed",
    BaseException: "abandoned",  # cancelled: the client has gone
}


class Metrics:
    """All metrics of one service, in a registry of its own: two services in one process do not mix."""

    def __init__(self, model: str) -> None:
        self.registry = CollectorRegistry()
        self._make_http()
        self._make_work()
        self._make_gauges()
        Info("packshot_build", "The release and the network at work.", registry=self.registry).info(
            {"version": __version__, "model": model}
        )
        ProcessCollector(registry=self.registry)

    def _make_http(self) -> None:
        self._requests = self._counter("requests", "Requests answered.", "route", "method", "status")
        self._request_s = Histogram(
            "packshot_request_duration_seconds",
            "From a request's head to the last byte of its answer.",
            ("route",),
            buckets=REQUEST_BUCKETS_S,
            registry=self.registry,
        )
        self._errors = self._counter("errors", "Requests that failed, by the error's slug.", "error")
        self._rejections = self._counter("queue_rejections", "Requests turned away with 503.", "reason")
        self._backend_errors = self._counter("backend_errors", "Failures of what the service needs.", "part")
        for reason in ("queue-full", "uploads-full", "shutting-down"):
            self._rejections.labels(reason)  # there from the start: rate() does not see a counter's first step
        for part in (*_PARTS.values(), "limits"):
            self._backend_errors.labels(part)

    def _make_work(self) -> None:
        self._stage_s = Histogram(
            "packshot_stage_duration_seconds",
            "Each step of a photo, the wait for a worker among them.",
            ("stage",),
            buckets=STAGE_BUCKETS_S,
            registry=self.registry,
        )
        self._photos = self._counter("photos", "Photos in work, by how they ended.", "outcome")
        self._reviews = self._counter("reviews", "Photos done that a human should look at.")
        self._stored = self._counter("results_stored", "Results put into the store.")
        self._stored_bytes = self._counter("results_stored_bytes", "Bytes of the results put into the store.")
        self._charged = self._counter("credits_charged", "Credits taken.")
        self._refunded = self._counter("credits_refunded", "Credits given back.")
        for outcome in ("done", "refused", "busy", "failed", "abandoned"):
            self._photos.labels(outcome)
        self._fetches = self._counter("url_fetches", "Pictures asked for by a URL, by how that ended.", "outcome")
        for outcome in ("ok", *_FETCHES.values()):
            self._fetches.labels(outcome)

        self._work = self._counter("work", "Photos and webhooks of jobs, by how they ended.", "kind", "outcome")
        for kind in ("photo", "webhook"):
            for outcome in ("done", "again", "failed"):
                self._work.labels(kind, outcome)
        self._looks = self._counter(
            "mattes_looked_up", "Renderings of photos that are kept, by what was found.", "found"
        )
        for found in ("hit", "miss"):
            self._looks.labels(found)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"packshot_{name}_total", about, labels, registry=self.registry)

    def _make_gauges(self) -> None:
        self.uploads_bytes = Gauge(
            "packshot_uploads_in_flight_bytes", "Bytes of request bodies held now.", registry=self.registry
        )
        self._in_flight = Gauge("packshot_requests_in_flight", "Requests being answered now.", registry=self.registry)

    def watch(self, admission: Admission, queue_limit: int, workers: int) -> None:
        """Read queue and workers when somebody asks: nothing is counted twice, and nothing is paid in between."""
        self._read("packshot_queue_depth", "Requests that wait for a worker.", lambda: admission.queued)
        self._read("packshot_queue_limit", "Requests that may wait.", lambda: queue_limit)
        self._read("packshot_workers_busy", "Worker threads at work.", lambda: admission.running)
        self._read("packshot_workers", "Worker threads.", lambda: workers)
        self._read("packshot_draining", "1 while new work is refused.", lambda: admission.draining)

    def watch_photos(self, held_bytes: Callable[[], int], max_bytes: int) -> None:
        """The same for the photos and mattes in memory."""
        self._read("packshot_photo_cache_bytes", "Bytes of photos and mattes held in memory.", held_bytes)
        self._read("packshot_photo_cache_limit_bytes", "Bytes that they may take.", lambda: max_bytes)

    def matte_looked_up(self, found: bool) -> None:
        """Whether the matte of a photo was known from an earlier request."""
        self._looks.labels("hit" if found else "miss").inc()

    def _read(self, name: str, about: str, value: Callable[[], float]) -> None:
        Gauge(name, about, registry=self.registry).set_function(value)

    def request_began(self) -> None:
        self._in_flight.inc()

    def request_ended(self, route: str, method: str, status: int, took_s: float) -> None:
        """`route` is a template of ours or OTHER, `method` comes from METHODS or is OTHER."""
        self._in_flight.dec()
        self._requests.labels(route, method, str(status)).inc()
        self._request_s.labels(route).observe(took_s)

    def error(self, error: PackshotError) -> None:
        """An error that a caller was told."""
        self._errors.labels(error.slug).inc()
        if isinstance(error, (QueueFull, ShuttingDown)):
            self._rejections.labels(error.slug).inc()
        elif part := _PARTS.get(type(error)):
            self._backend_errors.labels(part).inc()

    def limits_not_shared(self) -> None:
        """The Redis of the rate limits failed. Callers may not notice, so no error of theirs tells it."""
        self._backend_errors.labels("limits").inc()

    def computed(self, result: Result) -> None:
        """A photo that went through the pipeline."""
        for stage, took_ms in result.timings_ms.items():
            self._stage_s.labels(stage).observe(took_ms / 1000)
        if result.review:
            self._reviews.inc()

    def stored(self, size_bytes: int, took_s: float) -> None:
        self._stage_s.labels("store").observe(took_s)
        self._stored.inc()
        self._stored_bytes.inc(size_bytes)

    def fetched(self, error: BaseException | None, took_s: float) -> None:
        """A picture that was asked for by its URL; None where it came."""
        if error is None:
            self._stage_s.labels("fetch").observe(took_s)
        outcome = "ok" if error is None else next(_FETCHES[kind] for kind in type(error).__mro__ if kind in _FETCHES)
        self._fetches.labels(outcome).inc()

    def work_ended(self, kind: str, outcome: str) -> None:
        """A photo or a webhook of a job: done, failed, or to be tried again."""
        self._work.labels(kind, outcome).inc()

    def charged(self, count: int) -> None:
        self._charged.inc(count)

    def refunded(self, count: int) -> None:
        self._refunded.inc(count)

    def photo_ended(self, error: BaseException | None) -> None:
        """A photo that a credit was taken for."""
        self._photos.labels(_outcome(error)).inc()


def _outcome(error: BaseException | None) -> str:
    match error:
        case None:
            return "done"
        case InputError() | NoForeground():
            return "refused"
        case DatabaseUnavailable() | LimiterUnavailable():
            return "failed"
        case CapacityError():
            return "busy"
        case Exception():
            return "failed"
        case _:  # cancelled: the client has gone
            return "abandoned"


class MetricsServer:
    """A small server on a port of its own, away from what callers can reach.

    It listens from the moment it is made, and answers from `start` to `close`. Its threads are its own too: it answers
    while the service has its hands full, which is when the figures matter.
    """

    def __init__(self, registry: CollectorRegistry, host: str, port: int) -> None:
        """Raises BadSettings when the address cannot be listened on."""
        kind = _Server6 if ":" in host else _Server
        try:
            self._server = kind((host, port), _Handler)
        except OSError as error:
            raise cannot_listen(error, host, port, host_setting="metrics_host", port_setting="metrics_port") from error
        self._server.set_app(make_wsgi_app(registry))

        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Handler(WSGIRequestHandler):
    """One that logs nothing and does not wait for ever."""

    timeout = SILENCE_S

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parent's word
        pass


class _Server(ThreadingWSGIServer):
    def server_bind(self) -> None:
        # The parents look their own name up in the DNS, which takes seconds where there is none.
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves in the middle is no event."""


class _Server6(_Server):
    address_family = socket.AF_INET6
