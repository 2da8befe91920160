"""Where Prometheus fetches the metrics: a small server on a port of its own, away from what callers can reach.

It has threads of its own too: it answers while the service has its hands full, which is when the figures matter.
"""

from __future__ import annotations

import socket
import threading
from wsgiref.simple_server import WSGIRequestHandler

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from packshot.service.listening import cannot_listen

SILENCE_S = 10


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


class MetricsServer:
    """Listens from the moment it is made, and answers from `start` to `close`."""

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
