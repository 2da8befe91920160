"""Every row of the contract's status table, provoked over a real socket: errors that the caller cannot fix.

An internal error costs the caller no credit, and requests in flight finish.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from packshot.core.picture import Float32
from tests.contract.envelope import failure, success_path, success_url
from tests.kit.images import good
from tests.kit.native import problem
from tests.kit.server import Running, gated, head, multipart, received, serving, wait_until


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """No queue, one worker, and short timeouts."""
    state = tmp_path_factory.mktemp("strict")
    with serving(state, workers=1, queue_limit=0, deadline_s=3, body_deadline_s=1) as running:
        yield running


class Test500And502:
    def test_our_own_bug_leaks_nothing_but_the_request_id(
        self, running: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(rgb: Float32) -> Float32:
            raise ZeroDivisionError("the secret is in /var/lib/secret")

        monkeypatch.setattr(running.service.network, "predict", broken)
        key = running.new_key(1)
        response = running.send(good("jpeg"), key=key)
        message = failure(response, 500, "SERVICE_INTERNAL_ERROR")
        assert "request_id" in message
        for leak in ("secret", "ZeroDivision", "Traceback", ".py", "unexpected"):
            assert leak not in response.text + str(response.headers)
        assert running.credits_of(key) == 1

    @pytest.mark.slow
    def test_a_store_that_fails(self, tmp_path: Path) -> None:
        with serving(tmp_path) as running:
            path = success_path(running.send(good("jpeg")))
            results = tmp_path / "results"
            results.rename(tmp_path / "gone")
            results.write_text("a file where the folder was: what a broken mount looks like")
            key = running.new_key(1)
            response = running.send(good("jpeg"), key=key)
            failure(response, 502, "ERROR_GATEWAY")
            assert str(tmp_path) not in response.text
            assert running.credits_of(key) == 1
            failure(running.http.get(path), 502, "ERROR_GATEWAY")
            problem(running.http.get("/readyz"), 502, "store-unavailable")
            assert running.http.get("/healthz").status_code == 200
            results.unlink()
            (tmp_path / "gone").rename(results)
            assert running.http.get(path).status_code == 200  # it recovers without a restart
            success_url(running.send(good("jpeg"), key=key))


class Test503And504:
    @pytest.mark.slow
    def test_a_full_queue(self, strict: Running) -> None:
        key = strict.new_key(2)
        with gated(strict) as gate:
            first = strict.send_meanwhile(good("jpeg"), key=key)
            gate.wait_for_arrival()
            response = strict.send(good("jpeg"), key=key)
            failure(response, 503, "AI_SERVICE_FLOW_RESTRICTION")
            assert int(response.headers["retry-after"]) >= 1
        success_url(first.result())
        assert strict.credits_of(key) == 1

    def test_a_full_queue_is_said_before_the_photo_has_come(self, strict: Running) -> None:
        body, kind = multipart("image", good("jpeg"))
        with gated(strict) as gate:
            first = strict.send_meanwhile(good("jpeg"), key=strict.new_key())
            gate.wait_for_arrival()
            with socket.create_connection(strict.address, timeout=20) as sender:
                sender.sendall(head(strict.new_key(), kind, len(body)))
                failure(received(sender), 503, "AI_SERVICE_FLOW_RESTRICTION")
        success_url(first.result())

    @pytest.mark.slow
    def test_a_deadline(self, strict: Running) -> None:
        key = strict.new_key(1)
        with gated(strict):
            failure(strict.send(good("jpeg"), key=key), 504, "AI_SERVICE_TIMEOUT")
        assert strict.credits_of(key) == 1

    @pytest.mark.slow
    def test_a_slow_body(self, strict: Running) -> None:
        body, kind = multipart("image", good("jpeg"))
        with socket.create_connection(strict.address) as slow:
            slow.sendall(head(strict.new_key(), kind, len(body)) + body[:100])
            wait_until(lambda: strict.server.server_state.tasks)
            assert strict.service.admission.running == strict.service.admission.queued == 0
            success_url(strict.send(good("jpeg")))  # the one worker is free meanwhile
            failure(received(slow), 504, "AI_SERVICE_TIMEOUT")

    @pytest.mark.slow
    def test_shutting_down(self, tmp_path: Path) -> None:
        body, kind = multipart("image", good("jpeg"))
        with serving(tmp_path, workers=1) as running:
            key = running.new_key(2)
            with gated(running) as gate, socket.create_connection(running.address) as late:
                in_flight = running.send_meanwhile(good("jpeg"), key=key)
                gate.wait_for_arrival()
                late.sendall(head(key, kind, len(body)) + body[:100])
                wait_until(lambda: len(running.server.server_state.tasks) == 2)
                running.server.handle_exit(signal.SIGTERM, None)
                late.sendall(body[100:])
                response = received(late)
                failure(response, 503, "AI_SERVICE_FLOW_RESTRICTION")
                assert int(response.headers["retry-after"]) >= 1
            success_url(in_flight.result())  # admitted requests finish

    @pytest.mark.slow
    def test_readiness_fails_first(self, tmp_path: Path) -> None:
        with serving(tmp_path) as running:
            assert running.http.get("/readyz").json()["status"] == "ok"
            running.service.admission.close()
            response = running.http.get("/readyz")
            problem(response, 503, "shutting-down")
            assert response.headers["retry-after"]
