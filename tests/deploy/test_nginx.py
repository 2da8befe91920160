"""nginx with the operators' file: its own errors are JSON of the dialect, like a replica's."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Iterator

import httpx
import pytest

from packshot.api.ailab.cutouts import HD
from packshot.api.ailab.envelope import Envelope
from packshot.api.ailab.routes import PATHS
from packshot.api.errors import Problem
from packshot.service.settings import Settings
from tests.deploy.kit import Nginx, nginx_before, received
from tests.kit.images import good
from tests.kit.server import Running, head, wait_until

pytestmark = pytest.mark.services
SHOP = "https://shop.example"
DIALECTS = {"envelope": PATHS[0], "problem": "/v1/packshots", "form": "/v1.0/removebg"}
RESULT = f"results/{'a' * 22}.png?expires=1&signature=SIGNATURE"


@pytest.fixture(scope="module")
def nginx(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with nginx_before(tmp_path_factory.mktemp("nginx"), [running.service.settings.port]) as nginx:
        yield nginx


@pytest.fixture(scope="module")
def deserted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """nginx in front of a stopped replica."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with nginx_before(tmp_path_factory.mktemp("deserted"), [port]) as nginx:
        yield nginx


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """nginx in front of a replica that accepts requests and never responds; the timeout of 75 seconds becomes one
    second.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        port = listener.getsockname()[1]
        with nginx_before(
            tmp_path_factory.mktemp("silent"), [port], {"proxy_read_timeout 75s": "proxy_read_timeout 1s"}
        ) as nginx:
            yield nginx


def check(answer: httpx.Response, dialect: str, status: int) -> None:
    """The response's body is in the dialect, and agrees with its status line."""
    body = answer.json()
    assert answer.status_code == status
    uuid.UUID(answer.headers["x-request-id"])
    if dialect == "envelope":
        envelope = Envelope.model_validate(body)
        assert envelope.error_code == envelope.error_detail.status_code == status
        assert envelope.request_id == envelope.log_id == answer.headers["x-request-id"]
        assert envelope.error_code_str
        assert envelope.error_msg
    elif dialect == "problem":
        assert answer.headers["content-type"] == "application/problem+json"
        assert body["status"] == status
        assert body.keys() == {"type", "title", "status", "detail", "slug", "hint", "request_id"}
    else:
        assert [entry.keys() >= {"title", "code"} for entry in body["errors"]] == [True]


@pytest.mark.parametrize(("prefix", "dialect"), [("/", "problem"), ("/cutout/", "envelope")])
def test_the_access_log_has_no_signature(nginx: Nginx, deserted: Nginx, prefix: str, dialect: str) -> None:
    for each, status in ((nginx, 403), (deserted, 502)):
        answer = httpx.get(f"{each.url}{prefix}{RESULT}")
        check(answer, dialect, status)
        log = each.folder / "access.log"
        wait_until(lambda log=log: f'"{prefix}results' in log.read_text())
        assert "SIGNATURE" not in log.read_text()
        line = json.loads(log.read_text().splitlines()[-1])
        assert line["status"] == status
        assert line["path"].startswith(f"{prefix}results/")
        assert line["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_body_too_large_for_any_photo_or_job(nginx: Nginx, dialect: str) -> None:
    with socket.create_connection(("127.0.0.1", nginx.port)) as connection:
        connection.sendall(
            head("key", "multipart/form-data; boundary=x", 300 * 1024**2).replace(
                PATHS[0].encode(), DIALECTS[dialect].encode()
            )
        )
        answer = received(connection)
    check(answer, dialect, 400 if dialect == "form" else 413)
    if dialect == "form":
        assert answer.json()["errors"][0]["code"] == "file_too_large"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_replica(deserted: Nginx, dialect: str) -> None:
    answer = httpx.post(deserted.url + DIALECTS[dialect], files={"image": b"photo"})
    check(answer, dialect, 502)
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_replica_that_does_not_answer(silent: Nginx, dialect: str) -> None:
    check(httpx.post(silent.url + DIALECTS[dialect], files={"image": b"photo"}), dialect, 504)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_page_that_operators_let_in_sees_what_nginx_answers(
    tmp_path_factory: pytest.TempPathFactory, deserted: Nginx, dialect: str
) -> None:
    example = '# "https://shop.example" $http_origin;'
    with nginx_before(tmp_path_factory.mktemp("open"), [1], {example: example.removeprefix("# ")}) as nginx:
        for url, origin, seen in (
            (nginx.url, SHOP, SHOP),
            (nginx.url, f"{SHOP}.net", None),
            (deserted.url, SHOP, None),
        ):
            answer = httpx.get(url + DIALECTS[dialect], headers={"origin": origin})
            assert answer.status_code == 502
            assert answer.headers.get("access-control-allow-origin") == seen


def test_a_request_that_is_none(nginx: Nginx) -> None:
    with socket.create_connection(("127.0.0.1", nginx.port), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert Problem.model_validate_json(body).status == 400


def test_a_replicas_own_answers_come_through(nginx: Nginx, running: Running) -> None:
    refused = httpx.post(nginx.url + PATHS[0], files={"image": b"photo"})
    assert refused.json()["error_code_str"] == "ERROR_APPLICATIONS_NOT_EXISTS"
    photo = good("jpeg")
    made = httpx.post(
        nginx.url + PATHS[0], files={"image": photo}, headers={"x-api-market-key": running.new_key()}, timeout=30
    )
    assert made.status_code == 200
    result = httpx.get(nginx.url + httpx.URL(made.json()["data"]["image_url"]).raw_path.decode())
    assert result.headers["content-type"] == "image/png"
    assert result.headers["content-security-policy"]


def test_photos_as_large_as_allowed_reach_a_replica(nginx: Nginx) -> None:
    """nginx's limits are above the service's, so the service itself rejects a file that is too large."""
    defaults = Settings.model_validate({})
    places = (
        (PATHS[0], defaults.max_file_bytes),
        (HD.paths[0], 40 * 1024**2),
        ("/v1/packshots", defaults.v1_max_file_bytes),
    )
    for path, largest in places:
        answer = httpx.post(nginx.url + path, files={"image": bytes(largest)}, timeout=30)
        assert answer.status_code == 401  # the replica's response: no key was sent


def test_a_stranger_is_refused_before_the_body_is_sent(nginx: Nginx) -> None:
    """nginx streams the body: the replica responds from the head alone."""
    with socket.create_connection(("127.0.0.1", nginx.port), timeout=10) as connection:
        connection.sendall(head("pk_unknown", "multipart/form-data; boundary=x", 3_000_000) + b"--x")
        assert received(connection).status_code == 401
