"""The service's metrics in Prometheus format, and the server for their port. docs/how-to/monitor.md explains each.

Labels never hold text from callers: routes are templates, methods and statuses come from short lists, errors are slugs.
So the code limits the number of series, not the traffic, and no key or file name gets into a label.
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
# From the milliseconds of a probe to the longest usual deadline.
REQUEST_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60)
STAGE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.12, 0.2, 0.4, 0.8, 1.6, 5, 15, 60)
SILENCE_S = 10  # timeout for clients of the metrics port
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
    """All metrics of one service. A separate registry keeps two services in one process apart."""

    def __init__(self, model: str) -> None:
        self.registry = CollectorRegistry()
        self._make_http()
        self._make_work()
        self._make_gauges()
        Info("packshot_build", "The release and the network in use.", registry=self.registry).info(
            {"version": __version__, "model": model}
        )
        ProcessCollector(registry=self.registry)

    def _make_http(self) -> None:
        self._requests = self._counter("requests", "Requests answered.", "route", "method", "status")
        self._request_s = Histogram(
            "packshot_request_duration_seconds",
            "Time from a request's head to the last byte of its response.",
            ("route",),
            buckets=REQUEST_BUCKETS_S,
            registry=self.registry,
        )
        self._errors = self._counter("errors", "Requests that failed, by the error's slug.", "error")
        self._rejections = self._counter("queue_rejections", "Requests refused with 503.", "reason")
        self._backend_errors = self._counter("backend_errors", "Failures of the service's backends.", "part")
        for reason in ("queue-full", "uploads-full", "shutting-down"):
            self._rejections.labels(reason)  # exists from the start, because rate() misses a counter's first step
        for part in (*_PARTS.values(), "limits"):
            self._backend_errors.labels(part)

    def _make_work(self) -> None:
        self._stage_s = Histogram(
            "packshot_stage_duration_seconds",
            "Time of each step of a photo, including the wait for a worker.",
            ("stage",),
            buckets=STAGE_BUCKETS_S,
            registry=self.registry,
        )
        self._photos = self._counter("photos", "Photos processed, by outcome.", "outcome")
        self._reviews = self._counter("reviews", "Finished photos that a human should review.")
        self._stored = self._counter("results_stored", "Results put into the store.")
        self._stored_bytes = self._counter("results_stored_bytes", "Bytes of the results put into the store.")
        self._charged = self._counter("credits_charged", "Credits taken.")
        self._refunded = self._counter("credits_refunded", "Credits given back.")
        for outcome in ("done", "refused", "busy", "failed", "abandoned"):
            self._photos.labels(outcome)
        self._fetches = self._counter("url_fetches", "Pictures fetched from URLs, by outcome.", "outcome")
        for outcome in ("ok", *_FETCHES.values()):
            self._fetches.labels(outcome)

        self._work = self._counter("work", "Photos and webhooks of jobs, by outcome.", "kind", "outcome")
        for kind in ("photo", "webhook"):
            for outcome in ("done", "again", "failed"):
                self._work.labels(kind, outcome)
        self._looks = self._counter("mattes_looked_up", "Lookups of mattes in the cache, by result.", "found")
        for found in ("hit", "miss"):
            self._looks.labels(found)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"packshot_{name}_total", about, labels, registry=self.registry)

    def _make_gauges(self) -> None:
        self.uploads_bytes = Gauge(
            "packshot_uploads_in_flight_bytes", "Bytes of request bodies in memory.", registry=self.registry
        )
        self._in_flight = Gauge("packshot_requests_in_flight", "Requests in progress.", registry=self.registry)

    def watch(self, admission: Admission, queue_limit: int, workers: int) -> None:
        """Read queue and workers at each scrape, which costs nothing in between and cannot count twice."""
        self._read("packshot_queue_depth", "Requests that wait for a worker.", lambda: admission.queued)
        self._read("packshot_queue_limit", "Requests that may wait.", lambda: queue_limit)
        self._read("packshot_workers_busy", "Busy worker threads.", lambda: admission.running)
        self._read("packshot_workers", "Worker threads.", lambda: workers)
        self._read("packshot_draining", "1 while new work is refused.", lambda: admission.draining)

    def watch_photos(self, held_bytes: Callable[[], int], max_bytes: int) -> None:
        """Read the size of the photo cache at each scrape."""
        self._read("packshot_photo_cache_bytes", "Bytes of photos and mattes in the cache.", held_bytes)
        self._read("packshot_photo_cache_limit_bytes", "Bytes that the cache may hold.", lambda: max_bytes)

    def matte_looked_up(self, found: bool) -> None:
        """Count a lookup of a matte. found: whether an earlier request had cached the matte."""
        self._looks.labels("hit" if found else "miss").inc()

    def _read(self, name: str, about: str, value: Callable[[], float]) -> None:
        Gauge(name, about, registry=self.registry).set_function(value)

    def request_began(self) -> None:
        self._in_flight.inc()

    def request_ended(self, route: str, method: str, status: int, took_s: float) -> None:
        """Count a request. route: one of the API's templates, or OTHER. method: from METHODS, or OTHER."""
        self._in_flight.dec()
        self._requests.labels(route, method, str(status)).inc()
        self._request_s.labels(route).observe(took_s)

    def error(self, error: PackshotError) -> None:
        """Count an error that was sent to a caller."""
        self._errors.labels(error.slug).inc()
        if isinstance(error, (QueueFull, ShuttingDown)):
            self._rejections.labels(error.slug).inc()
        elif part := _PARTS.get(type(error)):
            self._backend_errors.labels(part).inc()

    def limits_not_shared(self) -> None:
        """Count a failure of the rate limits' Redis. Callers may not notice, so no error response counts it."""
        self._backend_errors.labels("limits").inc()

    def computed(self, result: Result) -> None:
        """Record a photo that went through the pipeline."""
        for stage, took_ms in result.timings_ms.items():
            self._stage_s.labels(stage).observe(took_ms / 1000)
        if result.review:
            self._reviews.inc()

    def stored(self, size_bytes: int, took_s: float) -> None:
        self._stage_s.labels("store").observe(took_s)
        self._stored.inc()
        self._stored_bytes.inc(size_bytes)

    def fetched(self, error: BaseException | None, took_s: float) -> None:
        """Record a fetch from a URL. error: None if the picture arrived."""
        if error is None:
            self._stage_s.labels("fetch").observe(took_s)
        outcome = "ok" if error is None else next(_FETCHES[kind] for kind in type(error).__mro__ if kind in _FETCHES)
        self._fetches.labels(outcome).inc()

    def work_ended(self, kind: str, outcome: str) -> None:
        """Count a photo or a webhook of a job: done, failed, or to be tried again."""
        self._work.labels(kind, outcome).inc()

    def charged(self, count: int) -> None:
        self._charged.inc(count)

    def refunded(self, count: int) -> None:
        self._refunded.inc(count)

    def photo_ended(self, error: BaseException | None) -> None:
        """Count a charged photo by its outcome."""
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
    """A small server for metrics on a separate port, which callers cannot reach.

    Listens after construction, and answers from `start` to `close`. Separate threads let the server answer while the
    service is busy, which is when metrics matter.
    """

    def __init__(self, registry: CollectorRegistry, host: str, port: int) -> None:
        """Raises BadSettings if the server cannot listen on the address."""
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
    """A handler with a timeout, which logs nothing."""

    timeout = SILENCE_S

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parent's word
        pass


class _Server(ThreadingWSGIServer):
    def server_bind(self) -> None:
        # The parent class looks up its own name in the DNS, which takes seconds without a name server.
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a client that disconnects early."""


class _Server6(_Server):
    address_family = socket.AF_INET6
