"""The same application on Ray Serve: each replica makes it from the same settings, Ray's proxies share requests out.

What is left to Ray: sockets and their deadlines, placing and restarting replicas, drain. What stays with the
application: keys, limits of bodies and time, the queue, results (docs/decisions/0035-deploy.md).
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from packshot.batch.cluster import connect
from packshot.errors import BadSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from packshot.service.settings import Settings

NAME = "packshot"


def serve_on_ray(settings: Settings, replicas: int, announce: Callable[[], None]) -> None:
    """Run replicas of the service on a Ray cluster until SIGTERM or Ctrl-C; then let the work in flight finish.

    The caller has built a service from the same settings: what is wrong with them has been said. `announce` is called
    when all replicas are ready.

    Raises
    ------
    BadSettings
        Ray or Ray Serve is missing, the cluster cannot be reached or has no room, or several replicas would have to
        share what only one can have.
    """
    _check(settings, replicas)
    connect()  # before Ray Serve is imported: it also sets what Ray reads only then
    serve = _import_serve()
    stop = _stop_signal()  # after Ray has set its own handlers, which end the process at once
    quiet = serve.schema.LoggingConfig(enable_access_log=False)  # it would hold the signatures of result links
    serve.start(
        proxy_location="HeadOnly" if settings.is_loopback else "EveryNode",
        http_options={
            "host": settings.host,
            "port": settings.port,
            "keep_alive_timeout_s": max(1, round(settings.idle_timeout_s)),
            # Only for what hangs: the application's own deadlines answer first, in its dialects.
            "request_timeout_s": settings.body_deadline_s + settings.deadline_s + 15,
        },
        logging_config=quiet,
    )
    try:
        serve.run(_application(serve, settings, replicas, quiet), name=NAME, route_prefix="/")
        announce()
        stop.wait()
        serve.delete(NAME)  # waits for the replicas; a shutdown alone takes the proxies away from under them
    finally:
        serve.shutdown()


def _application(serve: Any, settings: Settings, replicas: int, logging_config: Any) -> Any:
    def build_app() -> FastAPI:
        # Runs in a replica's process. A function in a function travels by value, and with it the settings.
        from packshot.api.app import create_app  # noqa: PLC0415
        from packshot.engine.process import tune_process  # noqa: PLC0415
        from packshot.service.build import build  # noqa: PLC0415
        from packshot.service.logs import set_up_logging  # noqa: PLC0415

        tune_process()
        set_up_logging(settings.log_level, settings.log_format)
        return create_app(build(settings))

    at_once = 4 * (settings.workers + settings.queue_limit) + 64  # the application says itself when it is full
    return serve.deployment(
        serve.ingress(build_app)(),
        name=NAME,
        num_replicas=replicas,
        max_ongoing_requests=at_once,
        max_queued_requests=at_once,
        graceful_shutdown_timeout_s=settings.drain_s,
        logging_config=logging_config,
        ray_actor_options={"num_cpus": settings.workers, "num_gpus": 1 if settings.device == "cuda" else 0},
    ).bind()


def _check(settings: Settings, replicas: int) -> None:
    if replicas > 1 and settings.metrics_port:
        raise BadSettings(
            f"PACKSHOT_METRICS_PORT is set, and {replicas} replicas on one machine cannot share a port.",
            hint="Unset it and take Ray's own metrics, or run one replica.",
        )


def _stop_signal() -> threading.Event:
    """An event that SIGTERM and Ctrl-C set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _import_serve() -> Any:
    try:
        from ray import serve  # noqa: PLC0415 - an extra, and seconds
    except ImportError as error:
        raise BadSettings("--engine ray needs Ray Serve.", hint="pip install 'packshot[ray]'") from error
    return serve
