"""Pages of other origins in a browser: only the configured origins can read a response, of any kind and dialect."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from packshot.api.ailab.routes import KEY_HEADERS
from packshot.api.middleware import MOST_HEADER_NAMES_BYTES
from tests.contract.envelope import success_path
from tests.kit.images import good
from tests.kit.native import PACKSHOTS
from tests.kit.server import ENDPOINT, Running, received, serving

SHOP, OTHER = "https://shop.example", "https://other.example"
ORIGINS = (SHOP, "http://localhost:3000", "https://*.shop.example")
REMOVEBG = "/v1.0/removebg"
PATHS = (ENDPOINT, "/api/common/query-credits", PACKSHOTS, "/v1/about", REMOVEBG, "/v1.0/account", "/results/a.png")
ALLOWED, SHOWN = "access-control-allow-origin", "access-control-expose-headers"


@pytest.fixture(scope="module")
def open_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that admits the pages of a shop."""
    with serving(tmp_path_factory.mktemp("open"), cors_origins=", ".join(ORIGINS)) as running:
        yield running


def ask(running: Running, method: str, path: str, origin: str | None, **more: object) -> httpx.Response:
    headers = {"origin": origin} if origin is not None else {}
    return running.http.request(method, path, headers={**headers, **more.pop("headers", {})}, **more)  # type: ignore[arg-type, dict-item]


def preflight(running: Running, path: str, origin: str, *names: str, method: str = "POST") -> httpx.Response:
    asks = {"access-control-request-method": method}
    if names:
        asks["access-control-request-headers"] = ",".join(names)
    return ask(running, "OPTIONS", path, origin, headers=asks)


def varies(answer: httpx.Response) -> set[str]:
    return {name.strip().lower() for name in answer.headers.get("vary", "").split(",") if name.strip()}


def seen_by(answer: httpx.Response) -> str | None:
    """The origin whose pages may read the response and all its headers; None if the browser hides them."""
    assert "access-control-allow-credentials" not in answer.headers
    found = answer.headers.get(ALLOWED)
    assert found is None or answer.headers[SHOWN] == "*"
    return found


def answers(running: Running, origin: str | None) -> dict[str, httpx.Response]:
    """One response of each kind: pictures, links, ranges, and errors of every dialect and layer."""
    key, photo = running.new_key(), good("jpeg")
    own = {"x-api-market-key": key, "x-api-key": key}

    def sent(path: str, name: str = "image", **headers: str) -> httpx.Response:
        return ask(running, "POST", path, origin, files={name: photo}, headers={**own, **headers})

    found = {
        "200 envelope": sent(ENDPOINT),
        "200 picture": sent(PACKSHOTS),
        "200 form": sent(REMOVEBG, "image_file"),
        "200 account": ask(running, "GET", "/v1.0/account", origin, headers=own),
        "400 form": sent(REMOVEBG),
        "401 envelope": sent(ENDPOINT, **{"x-api-market-key": "pk_unknown"}),
        "403 form": sent(REMOVEBG, **{"x-api-key": "pk_unknown"}),
        "405 envelope": ask(running, "GET", ENDPOINT, origin),
        "405 OPTIONS": ask(running, "OPTIONS", PACKSHOTS, origin),
    }
    for prefix in ("/api", "/cutout", "/v1", "/v1.0", "/results", ""):
        found[f"404 {prefix}"] = ask(running, "GET", f"{prefix}/none/at/all", origin)
    for path in ("/openapi.json", "/docs", "/healthz", "/v1/about"):
        found[f"200 {path}"] = ask(running, "GET", path, origin)
    link = success_path(found["200 envelope"])
    for path in (link, link.removeprefix("/cutout")):
        found[f"200 GET {path}"] = ask(running, "GET", path, origin)
        found[f"200 HEAD {path}"] = ask(running, "HEAD", path, origin)
        found[f"206 {path}"] = ask(running, "GET", path, origin, headers={"range": "bytes=0-9"})
        found[f"416 {path}"] = ask(running, "GET", path, origin, headers={"range": "bytes=99999999-"})
        found[f"403 {path}"] = ask(running, "GET", f"{path}x", origin)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running.service.network, "predict", None)
        found["500 envelope"] = sent(ENDPOINT)
    line = f"Origin: {origin}\r\n" if origin else ""
    for fault in ("Host: b\r\n", "a: b\r\n" * 300):
        for path in (ENDPOINT, PACKSHOTS, REMOVEBG):
            found[f"{fault[:6]} at {path}"] = raw(running, f"POST {path} HTTP/1.1\r\nHost: a\r\n{line}{fault}\r\n")
    return found


def raw(running: Running, request: str) -> httpx.Response:
    with socket.create_connection(running.address) as connection:
        connection.sendall(request.encode())
        return received(connection)


@pytest.mark.slow
def test_a_page_of_the_setting_sees_every_answer(open_: Running) -> None:
    for name, answer in answers(open_, SHOP).items():
        assert (seen_by(answer), "origin" in varies(answer)) == (SHOP, True), name
        assert str(answer.status_code) == name[:3] or answer.status_code in {400, 413, 431}, name


@pytest.mark.slow
def test_a_page_of_another_origin_sees_none(open_: Running) -> None:
    for name, answer in answers(open_, OTHER).items():
        # Vary: a cache must not give this response to the page that may read it.
        assert (seen_by(answer), "origin" in varies(answer)) == (None, True), name


@pytest.mark.slow
def test_without_the_setting_no_page_sees_anything_and_no_answer_changes(running: Running) -> None:
    for name, answer in answers(running, SHOP).items():
        assert not [each for each in answer.headers if each.startswith("access-control")], name
        assert "origin" not in varies(answer), name


@pytest.mark.slow
def test_all_pages_may_be_let_in(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path_factory.mktemp("all"), cors_origins="*") as running:
        for name, answer in answers(running, OTHER).items():
            assert seen_by(answer) == "*", name
        assert preflight(running, PACKSHOTS, "null", "authorization").headers[ALLOWED] == "*"


def test_what_an_answer_varies_by_already_is_kept(open_: Running) -> None:
    answer = open_.http.post(REMOVEBG, files={"image_file": good("jpeg")}, headers={"x-api-key": open_.new_key()})
    assert varies(answer) == {"accept", "origin"}
    assert seen_by(answer) is None


schemes, ports = st.sampled_from(["https", "http", "ws"]), st.sampled_from(["", ":443", ":3000", ":80"])
labels = st.lists(st.sampled_from(["shop", "example", "a", "com", "localhost", "evilshop", "b-1"]), max_size=5)


@pytest.mark.slow
@given(
    schemes, labels, ports, st.sampled_from(["", "/", ".", "?.shop.example", "@shop.example", " https://shop.example"])
)
@example("https", ["shop", "example"], "", "")
@example("https", ["a", "b-1", "shop", "example"], "", "")
@example("https", ["shop", "example", "com"], "", "")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_origin_is_answered_that_is_not_in_the_list(
    open_: Running, scheme: str, names: list[str], port: str, end: str
) -> None:
    origin = f"{scheme}://{'.'.join(names)}{port}{end}"
    in_list = not end and (
        (scheme, names, port) == ("http", ["localhost"], ":3000")
        or (scheme, names[-2:], port) == ("https", ["shop", "example"], "")
    )
    for answer in (ask(open_, "GET", "/v1/about", origin), preflight(open_, PACKSHOTS, origin, "x-api-key")):
        assert answer.headers.get(ALLOWED) == (origin if in_list else None)


WIDGETS = ("cache-control", "x-requested-with", "x-csrf-token", "pragma", "idempotency-key", "range", "x-rapidapi-host")


@pytest.mark.parametrize("path", [*PATHS, "/none", "//v1.0//removebg/"])
def test_a_preflight_of_any_path_allows_what_clients_send(open_: Running, running: Running, path: str) -> None:
    names = [*KEY_HEADERS, "x-api-key", "authorization", "content-type", *WIDGETS]
    for each, origin, seen in ((open_, SHOP, SHOP), (open_, OTHER, None), (running, SHOP, None)):
        answer = preflight(each, path, origin, *names)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers.get(ALLOWED) == seen
        assert answer.headers["access-control-allow-headers"].split(", ") == names
        assert {"GET", "HEAD", "POST"} == set(answer.headers["access-control-allow-methods"].split(", "))
        assert varies(answer) >= {"origin", "access-control-request-headers"}
        assert answer.headers["x-request-id"]


tokens = st.text("abcXYZ019!#$%&'*+.^_`|~-", min_size=1, max_size=30)


@given(st.lists(tokens, min_size=1, max_size=12), st.sampled_from([",", ", ", " , "]), st.sampled_from([SHOP, OTHER]))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_preflight_allows_exactly_the_headers_that_a_page_asks_for(
    open_: Running, names: list[str], between: str, origin: str
) -> None:
    answer = preflight(open_, REMOVEBG, origin, between.join(names))
    assert answer.headers["access-control-allow-headers"].split(", ") == names


@pytest.mark.parametrize("asks", ["", "a b", "a,,b", "(x)", "x" * (MOST_HEADER_NAMES_BYTES + 1), "<script>", "a;b"])
def test_a_preflight_repeats_nothing_that_is_no_list_of_headers(open_: Running, asks: str) -> None:
    answer = preflight(open_, REMOVEBG, SHOP, asks)
    assert answer.status_code == 204
    assert "access-control-allow-headers" not in answer.headers


def test_options_without_an_origin_is_a_method_like_others(open_: Running) -> None:
    for path in (ENDPOINT, PACKSHOTS, REMOVEBG):
        answer = ask(open_, "OPTIONS", path, None, headers={"access-control-request-method": "POST"})
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
