"""The form of an error: the dialect's at and below its own paths, problem details everywhere else."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from packshot.service.results import new_result_id
from tests.contract.envelope import failure
from tests.kit.native import PACKSHOTS, described, problem, send
from tests.kit.server import ENDPOINT, Clock, Running, received, serving


def form_error(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)


Check = Callable[[httpx.Response, int, str], object]
UNKNOWN: list[tuple[Check, str, tuple[str, ...]]] = [
    (problem, "unknown-path", ("/v1", "/v1/", "/v1/a", "/v2", "/healthz/", "/results", "/results/a/b", "/docs/")),
    (problem, "unknown-path", ("/cutouts", "/apis/x", "/v1.0x", "/%00", "/page/a")),
    (failure, "ERROR_AI_NOT_EXISTS", ("/cutout", "/cutout/", "/cutout/a", "/api", "/api/v1", "/api/common/a")),
    (form_error, "not_found", ("/v1.0", "/v1.0/", "/v1.0/a")),
]


@pytest.mark.parametrize(
    ("check", "code", "path"), [(check, code, path) for check, code, paths in UNKNOWN for path in paths]
)
def test_unknown_paths(running: Running, check: Check, code: str, path: str) -> None:
    check(running.http.get(path), 404, code)


@pytest.mark.parametrize("target", ["?a", "//", "//a"])
def test_targets_that_are_hardly_paths(running: Running, target: str) -> None:
    with socket.create_connection(running.address) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: packshot\r\n\r\n".encode())
        problem(received(connection), 404, "unknown-path")


@pytest.mark.parametrize(
    ("check", "code", "method", "path"),
    [
        (problem, "wrong-method", "POST", "/healthz"),
        (problem, "wrong-method", "DELETE", "/results/a.png"),
        (problem, "wrong-method", "POST", "/"),
        (problem, "wrong-method", "GET", PACKSHOTS),
        (failure, "ERROR_ILLEGAL_OPERATION", "GET", ENDPOINT),
        (failure, "ERROR_ILLEGAL_OPERATION", "POST", "/cutout/results/a.png"),
        (form_error, "method_not_allowed", "GET", "/v1.0/removebg"),
    ],
)
def test_wrong_methods(running: Running, check: Check, code: str, method: str, path: str) -> None:
    answer = running.http.request(method, path)
    check(answer, 405, code)
    assert answer.headers["allow"]


@pytest.mark.parametrize(
    ("check", "code", "path"),
    [
        (problem, "malformed-request", "/healthz"),
        (problem, "malformed-request", PACKSHOTS),
        (failure, "ERROR_PARAMETERS", ENDPOINT),
        (form_error, "invalid_request", "/v1.0/removebg"),
    ],
)
def test_a_body_with_two_lengths(running: Running, check: Check, code: str, path: str) -> None:
    with socket.create_connection(running.address) as connection:
        lengths = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: packshot\r\n{lengths}".encode())
        answer = received(connection)
        check(answer, 400, code)
        assert answer.headers["connection"] == "close"


@pytest.mark.slow
def test_links_of_the_native_api(tmp_path: Path) -> None:
    clock = Clock()
    with serving(tmp_path, now=clock) as running:
        url = httpx.URL(described(send(running, accept="application/json"))["url"])
        assert url.path.startswith("/results/")
        path = url.raw_path.decode()
        picture = running.http.get(path)
        assert picture.status_code == 200
        # One signature, two prefixes: the prefix decides only the form of an error.
        assert running.http.get(f"/cutout{path}").content == picture.content
        problem(running.http.get(path[:-1]), 403, "bad-signature")
        name = f"{new_result_id()}.png"
        signature = running.service.signer.sign(name, 9_999_999_999)
        unknown = f"/results/{name}?expires=9999999999&signature={signature}"
        problem(running.http.get(unknown), 404, "result-unknown")
        failure(running.http.get(f"/cutout{unknown}"), 404, "ERROR_RESOURCE_NOT_FOUND")
        clock.ahead_s = 24 * 3600 + 1
        problem(running.http.get(path), 410, "result-expired")
        failure(running.http.get(f"/cutout{path}"), 410, "ERROR_RESOURCE_RECLAIMED")
        clock.ahead_s = 0
        (tmp_path / "results").rename(tmp_path / "gone")
        (tmp_path / "results").write_text("a file where the folder was")
        problem(running.http.get(path), 502, "store-unavailable")
