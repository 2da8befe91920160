"""Metrics for Prometheus: the right counts after real requests, and no text from callers."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from packshot.errors import BadSettings
from tests.contract.envelope import success_path
from tests.kit.figures import Figures, scrape
from tests.kit.images import good, padded
from tests.kit.native import send
from tests.kit.processes import free_port
from tests.kit.server import ENDPOINT, Running, gated, head, multipart, serving, wait_until


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    state = tmp_path_factory.mktemp("counted")
    with serving(state, workers=1, queue_limit=0, metrics_port=free_port()) as running:
        yield running


def settled(running: Running) -> Figures:
    """A scrape after all responses were counted: the client has the last byte a moment earlier."""
    wait_until(lambda: scrape(running).sum("packshot_requests_in_flight") == 0)
    return scrape(running)


def difference(before: Figures, after: Figures, name: str, **labels: str) -> float:
    return after.sum(name, **labels) - before.sum(name, **labels)


@pytest.mark.slow
def test_a_photo_that_is_done(counted: Running) -> None:
    before = settled(counted)
    path = success_path(counted.send(good("jpeg")))
    stored = counted.http.get(path).content
    after = settled(counted)
    for name, labels in (
        ("packshot_requests_total", {"route": ENDPOINT, "method": "POST", "status": "200"}),
        ("packshot_requests_total", {"route": "/cutout/results/{name}", "method": "GET", "status": "200"}),
        ("packshot_request_duration_seconds_count", {"route": ENDPOINT}),
        ("packshot_photos_total", {"outcome": "done"}),
        ("packshot_photos_total", {}),
        ("packshot_credits_charged_total", {}),
        ("packshot_results_stored_total", {}),
        *(
            ("packshot_stage_duration_seconds_count", {"stage": stage})
            for stage in ("wait", "decode", "matte", "render", "encode", "store")
        ),
    ):
        assert difference(before, after, name, **labels) == 1, (name, labels)
    assert difference(before, after, "packshot_results_stored_bytes_total") == len(stored)
    assert difference(before, after, "packshot_credits_refunded_total") == 0
    assert difference(before, after, "packshot_errors_total") == 0
    took_s = difference(before, after, "packshot_request_duration_seconds_sum", route=ENDPOINT)
    assert took_s >= difference(before, after, "packshot_stage_duration_seconds_sum") > 0


@pytest.mark.slow
def test_photos_that_nothing_is_kept_of_store_nothing(counted: Running) -> None:
    before = settled(counted)
    assert send(counted, good("jpeg")).status_code == 200
    after = settled(counted)
    assert difference(before, after, "packshot_photos_total", outcome="done") == 1
    assert difference(before, after, "packshot_results_stored_total") == 0


def test_failures_by_their_slug_and_credits_given_back(counted: Running) -> None:
    before = settled(counted)
    assert counted.http.post(ENDPOINT).status_code == 401
    assert counted.send(good("jpeg")[:400]).status_code == 400
    after = settled(counted)
    assert difference(before, after, "packshot_errors_total", error="missing-key") == 1
    assert difference(before, after, "packshot_errors_total", error="unreadable-image") == 1
    charged = difference(before, after, "packshot_credits_charged_total")
    assert charged == difference(before, after, "packshot_credits_refunded_total")
    assert charged == difference(before, after, "packshot_photos_total", outcome="refused")


@pytest.mark.slow
def test_a_full_queue_is_seen_while_it_is_full(counted: Running) -> None:
    before = settled(counted)
    with gated(counted) as gate:
        waiting = counted.send_meanwhile(good("jpeg"), key=counted.new_key())
        gate.wait_for_arrival()
        during = scrape(counted)
        assert during.sum("packshot_workers_busy") == during.sum("packshot_workers") == 1
        assert counted.send(good("jpeg")).status_code == 503
        gate.open()
        assert waiting.result().status_code == 200
    after = settled(counted)
    assert difference(before, after, "packshot_queue_rejections_total", reason="queue-full") == 1
    assert (
        difference(before, after, "packshot_credits_charged_total") == 1
    )  # for the other: what is not read costs none
    assert after.sum("packshot_workers_busy") == after.sum("packshot_uploads_in_flight_bytes") == 0


def test_bytes_of_uploads_while_they_arrive(counted: Running) -> None:
    body, kind = multipart("image", padded(good("jpeg"), 10_000))
    with socket.create_connection(counted.address) as slow:
        slow.sendall(head(counted.new_key(), kind, len(body)) + body[:5000])
        wait_until(lambda: scrape(counted).sum("packshot_uploads_in_flight_bytes") == 5000)
    wait_until(lambda: scrape(counted).sum("packshot_uploads_in_flight_bytes") == 0)


@pytest.mark.slow
def test_a_store_that_fails_is_told_from_a_database_that_fails(tmp_path: Path) -> None:
    with serving(tmp_path, metrics_port=free_port()) as running:
        assert running.send(good("jpeg")).status_code == 200
        (tmp_path / "results").rename(tmp_path / "gone")
        (tmp_path / "results").write_text("a file where the folder was")
        assert running.send(good("jpeg")).status_code == 502
        after = settled(running)
        assert after.sum("packshot_backend_errors_total", part="store") == 1
        assert after.sum("packshot_backend_errors_total", part="database") == 0
        assert after.sum("packshot_photos_total", outcome="failed") == 1
        assert after.sum("packshot_credits_refunded_total") == 1


@pytest.mark.slow
def test_a_database_that_fails(tmp_path: Path) -> None:
    with serving(tmp_path, metrics_port=free_port()) as running:
        key = running.new_key()
        with sqlite3.connect(tmp_path / "accounts.sqlite3") as other:
            other.execute("ALTER TABLE keys RENAME TO gone")
            assert running.send(good("jpeg"), key=key).status_code >= 500
            other.execute("ALTER TABLE gone RENAME TO keys")
        other.close()
        after = settled(running)
        assert after.sum("packshot_backend_errors_total", part="database") == 1
        assert after.sum("packshot_backend_errors_total", part="store") == 0


@pytest.mark.slow
def test_a_redis_that_is_away_is_counted_though_callers_do_not_notice(tmp_path: Path) -> None:
    port = free_port()
    away = {"rate_limit": "100/minute", "rate_limit_url": "redis://127.0.0.1:1", "metrics_port": port}
    with serving(tmp_path, **away) as running:
        assert running.send(good("jpeg")).status_code == 200
        assert settled(running).sum("packshot_backend_errors_total", part="limits") == 1


@pytest.mark.slow
def test_labels_hold_nothing_that_a_caller_wrote(counted: Running) -> None:
    key = counted.new_key()
    before = settled(counted)
    for number in range(20):
        counted.http.get(f"/nowhere/{number}/{key}")
        counted.http.get(f"/results/{number:022}.png?expires=1&signature={key}")
        counted.http.request(f"MADE{number}", "/v1/packshots", headers={"x-api-key": key})
    after = settled(counted)
    assert difference(before, after, "packshot_requests_total", route="other", status="404") == 20
    assert difference(before, after, "packshot_requests_total", method="other") == 20
    assert len(after.samples) - len(before.samples) < 100  # a few more routes, for any number of paths
    assert key not in str(after.samples)
    assert not {value for value in after.values_of("route") if "nowhere" in value}


def test_the_release_and_the_process_are_there(counted: Running) -> None:
    figures = scrape(counted)
    assert figures.sum("packshot_build_info", model=counted.service.network.card.name) == 1
    assert figures.sum("process_resident_memory_bytes") > 10e6
    assert figures.sum("process_open_fds") > 3


@pytest.mark.slow
def test_two_services_in_one_process_do_not_mix(counted: Running, tmp_path: Path) -> None:
    with serving(tmp_path, metrics_port=free_port()) as other:
        before = settled(counted)
        other.http.get("/v1/about")
        assert settled(other).sum("packshot_requests_total", route="/v1/about") == 1
        assert difference(before, settled(counted), "packshot_requests_total", route="/v1/about") == 0


def test_callers_cannot_fetch_them(running: Running) -> None:
    assert running.http.get("/metrics").status_code == 404
    assert running.service.settings.metrics_port is None


def test_a_silent_client_does_not_keep_prometheus_out(counted: Running) -> None:
    settings = counted.service.settings
    with socket.create_connection((settings.metrics_host, settings.metrics_port)):
        assert httpx.get(f"http://127.0.0.1:{settings.metrics_port}/metrics", timeout=2).status_code == 200


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(BadSettings, match=f"127.0.0.1:{port}: .*PACKSHOT_METRICS_PORT"),
            serving(tmp_path, metrics_port=port),
        ):
            pass
