"""HTTP's rules for every route: HEAD as well as GET, targets in other forms, slashes, proxy prefixes."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.test_neutral import UNKNOWN, Check, form_error
from tests.contract.envelope import failure, success_url
from tests.kit.images import good
from tests.kit.native import PACKSHOTS, problem
from tests.kit.server import ENDPOINT, Running, multipart, received, serving

# Headers that differ per request or over time.
OWN = {"x-request-id", "date", "x-ratelimit-reset"}
REMOVEBG = "/v1.0/removebg"


def lasting(headers: httpx.Headers) -> dict[str, str]:
    """The headers that two equal requests share; of a result that expires, without the seconds that are left."""
    return {name: re.sub(r"max-age=\d+", "max-age", value) for name, value in headers.items() if name not in OWN}


@pytest.fixture(scope="module")
def result(running: Running) -> httpx.URL:
    return httpx.URL(success_url(running.send(good("jpeg"))))


def paths_of(running: Running) -> list[str]:
    document = running.http.get("/openapi.json").json()
    documented = [path for path, operations in document["paths"].items() if "get" in operations and "{" not in path]
    return [*documented, "/", "/docs", "/openapi.json"]


@pytest.mark.slow
def test_head_is_get_without_the_body(running: Running, result: httpx.URL) -> None:
    key = running.new_key()
    for path in [*paths_of(running), result.raw_path.decode()]:
        headers = {"x-api-key": key, "ailabapi-api-key": key}
        get, head = (running.http.request(method, path, headers=headers) for method in ("GET", "HEAD"))
        status = 400 if path.endswith("/query-async-task-result") else 200  # it needs a task id
        assert (get.status_code, head.status_code, head.content) == (status, status, b""), path
        assert get.content
        assert lasting(head.headers) == lasting(get.headers), path


def test_head_is_refused_as_get_is(running: Running) -> None:
    for path in ("/v1/account", "/none", PACKSHOTS, ENDPOINT):
        get, head = running.http.get(path), running.http.head(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers["content-type"] == get.headers["content-type"]


def test_allow_names_head_where_get_is(running: Running) -> None:
    described = running.http.get("/openapi.json").json()["paths"]
    for path in paths_of(running):
        answer = running.http.request("PATCH", path)
        methods = {"GET", "HEAD", *(each.upper() for each in described.get(path, {}))}
        assert (answer.status_code, answer.headers["allow"]) == (405, ", ".join(sorted(methods))), path


def asked(running: Running, target: str, name: str = "image", key: str | None = None) -> int:
    """The status for a photo sent to exactly this target, bypassing any client library's normalisation."""
    body, kind = multipart(name, good("jpeg"))
    header = f"x-api-market-key: {key or running.new_key()}\r\nx-api-key: {key}"
    with socket.create_connection(running.address) as connection:
        head = f"POST {target} HTTP/1.1\r\nHost: a\r\n{header}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}"
        connection.sendall(head.encode() + b"\r\n\r\n" + body)
        return received(connection).status_code


@pytest.mark.slow
@pytest.mark.parametrize("authority", ["http://packshot", "HTTP://a:80", "https://[::1]:8000", "http://user@a"])
@pytest.mark.parametrize("query", ["", "?x=1", "?url=http://b/c"])
def test_targets_in_absolute_form(running: Running, authority: str, query: str) -> None:
    assert asked(running, f"{authority}{PACKSHOTS}{query}", key=running.new_key()) == 200
    with socket.create_connection(running.address) as connection:
        connection.sendall(f"GET {authority}{query} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert received(connection).headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("check", "code", "path"),
    [
        (problem, "unknown-path", "/v1/a"),
        (failure, "ERROR_AI_NOT_EXISTS", "/api/a"),
        (form_error, "not_found", "/v1.0/a"),
    ],
)
@pytest.mark.parametrize("begin", ["", "/", "http://host", "http://host/"])
def test_an_unknown_target_in_any_form_is_answered_in_the_words_of_its_path(
    running: Running, check: Check, code: str, path: str, begin: str
) -> None:
    with socket.create_connection(running.address) as connection:
        connection.sendall(f"GET {begin}{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        check(received(connection), 404, code)


@st.composite
def slashed(draw: st.DrawFn, paths: list[str]) -> tuple[str, str]:
    """A path, and the same path with doubled slashes and slashes at the end."""
    path = draw(st.sampled_from(paths))
    runs = st.sampled_from(["/", "//", "///"])
    return path, "".join(draw(runs) + part for part in path.split("/")[1:]) + draw(st.sampled_from(["", "/", "//"]))


@pytest.mark.slow
@given(slashed([PACKSHOTS, ENDPOINT, REMOVEBG]))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_slashes_too_many_mean_nothing(running: Running, target: tuple[str, str]) -> None:
    path, spelt = target
    assert asked(running, spelt, "image_file" if path == REMOVEBG else "image", key=running.new_key()) == 200


def told(running: Running, method: str, target: str, key: str = "") -> httpx.Response:
    """The response to a request without a body for exactly this target."""
    headers = f"Host: a\r\nx-api-key: {key}\r\nailabapi-api-key: {key}\r\nContent-Length: 0"
    with socket.create_connection(running.address) as connection:
        connection.sendall(f"{method} {target} HTTP/1.1\r\n{headers}\r\n\r\n".encode())
        return received(connection)


ASKED = ["/v1/about", "/v1/account", "/v1.0/account", "/api/common/query-credits", "/results/", "/cutout/results/"]


@given(slashed(ASKED))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_slashes_too_many_mean_nothing_to_what_is_asked_for(
    running: Running, result: httpx.URL, target: tuple[str, str]
) -> None:
    path, spelt = target
    if "results" in path:
        name, query = result.path.rpartition("/")[2], result.query.decode()
        path, spelt = f"{path}{name}?{query}", f"{spelt}{name}?{query}"
    key = running.new_key()
    plain, same = told(running, "GET", path, key), told(running, "GET", spelt, key)
    assert (same.status_code, same.headers["content-type"]) == (200, plain.headers["content-type"])


@given(slashed([path for _, _, paths in UNKNOWN for path in paths]))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_unknown_path_with_slashes_too_many_is_answered_in_the_words_of_its_dialect(
    running: Running, target: tuple[str, str]
) -> None:
    [(check, code)] = [(check, code) for check, code, paths in UNKNOWN if target[0] in paths]
    check(told(running, "GET", target[1]), 404, code)


@pytest.mark.slow
def test_a_prefix_that_a_proxy_takes_off(running: Running, tmp_path: Path) -> None:
    servers = running.http.get("/openapi.json").json()["servers"]
    assert urljoin("https://shop.example/cut/openapi.json", servers[0]["url"]) == "https://shop.example/cut/"
    with serving(tmp_path, public_base_url="https://shop.example/cut") as behind:
        base = f"http://127.0.0.1:{behind.service.settings.port}"
        assert httpx.get(f"{base}/openapi.json").json()["servers"] == [{"url": "https://shop.example/cut"}]
        assert 'href="/' not in httpx.get(f"{base}/docs").text
