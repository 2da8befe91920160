"""The logs of a hostile session: one line per request, and no secret, name or forged line."""

from __future__ import annotations

import io
import json
import logging
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from packshot.service.logs import JsonFormatter, TextFormatter
from tests.contract.envelope import success_path
from tests.kit.images import good
from tests.kit.server import ENDPOINT, Running, gated, multipart, serving, wait_until

FOREIGN = "sk-a-key-of-another-service-0123456789"
FORGED = "2026-01-01T00:00:00.000Z INFO packshot.access forged"
TRACE = 5  # uvicorn's own level below debug: a line per connection, and per message of a request
LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{12}Z [A-Z]+ [\w.]+ |    ")


@contextmanager
def logs() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """All log output within the block, at the most verbose level, as text and as JSON."""
    root, level = logging.getLogger(), logging.getLogger().level
    streams = io.StringIO(), io.StringIO()
    handlers = [logging.StreamHandler(stream) for stream in streams]
    for handler, formatter in zip(handlers, (TextFormatter(), JsonFormatter()), strict=True):
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield streams
    finally:
        root.setLevel(level)
        for handler in handlers:
            root.removeHandler(handler)


def parsed(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def access_lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [line for line in parsed(stream) if line["logger"] == "packshot.access" and "status" in line]


@pytest.fixture(scope="module")
def session(running: Running) -> tuple[str, str, list[str], list[httpx.Response]]:
    """The logs of a session with keys, names and signatures in every possible place: text, JSON, secrets, responses.

    Excludes the client's own lines.
    """
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    key, name = running.new_key(), f"secret-name\n{FORGED}\r.jpg"
    with logs() as (text, lines):
        answers = _talk(running, key, name)
        _rubbish(running)
        wait_until(lambda: len(access_lines(lines)) >= len(answers))
    signature = httpx.URL(success_path(answers[0])).params["signature"]
    secrets = [key, key[:20], FOREIGN, signature, "secret-name", "secret-folder"]
    return text.getvalue(), lines.getvalue(), secrets, answers


def _talk(running: Running, key: str, name: str) -> list[httpx.Response]:
    http, photo = running.http, good("jpeg")
    first = http.post(
        ENDPOINT, files={"image": (name, photo)}, headers={"x-api-market-key": key, "idempotency-key": key}
    )
    link = success_path(first)
    answers = [first, http.get(link), http.get(link + "x"), http.get(link.replace("expires=", "expires=1"))]
    everywhere = {"authorization": f"Basic {FOREIGN}", "cookie": FOREIGN, "referer": f"http://x/?key={key}"}
    headers = ("x-api-market-key", "x-api-key", "x-magicapi-key", "authorization")
    answers += [
        http.post("/v1/packshots", headers={**everywhere, header: FOREIGN}, content=b"{}") for header in headers
    ]
    answers += [
        http.post(f"/v1/packshots?key={key}", files={"image": (name, b"no picture")}, headers={"x-api-key": key}),
        http.post(
            ENDPOINT, files={"image": (name, photo)}, data={"return_form": key}, headers={"x-api-market-key": key}
        ),
        http.get(f"/secret-folder/{key}/%0a{FORGED}"),
        http.get(f"/results/%0d%0a{FORGED}?signature={key}"),
        http.get(f"/%1b[2J{FOREIGN}?token={FOREIGN}", headers={"user-agent": f"x {key}"}),
        http.request("FORGED", f"/healthz?{key}"),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running.service.network, "predict", _raise(f"{FORGED}\n{FORGED} with {key} at {link}"))
        answers.append(running.send(photo, key=key))
    return answers


def _raise(words: str) -> object:
    def broken(_: object) -> object:
        raise RuntimeError(words)

    return broken


def _rubbish(running: Running) -> None:
    """Bytes that are not HTTP: the server itself logs them."""
    with socket.create_connection(running.address) as connection:
        connection.sendall(f"{FOREIGN}\r\n{FORGED}\r\n\r\n".encode())
        connection.settimeout(5)
        connection.recv(1000)


def test_no_secret_is_in_any_line(session: tuple[str, str, list[str], list[httpx.Response]]) -> None:
    text, lines, secrets, _ = session
    for secret in secrets:
        assert secret not in text
        assert secret not in lines


def test_no_line_is_forged(session: tuple[str, str, list[str], list[httpx.Response]]) -> None:
    text, lines, _, _ = session
    for line in text.splitlines():
        assert LINE.match(line), line
        assert not line.startswith(FORGED)
        assert line.isprintable()
    assert all(json.loads(line) for line in lines.splitlines())


def test_every_answer_has_its_line(session: tuple[str, str, list[str], list[httpx.Response]]) -> None:
    _, lines, _, answers = session
    written = {line["request_id"]: line for line in access_lines(io.StringIO(lines))}
    for answer in answers:
        line = written[answer.headers["x-request-id"]]
        assert line["status"] == answer.status_code
        assert isinstance(line["duration_ms"], float)
        assert "client" not in line  # personal data, unless the operator wants it


def test_a_fault_of_ours_is_found_by_its_request_id(session: tuple[str, str, list[str], list[httpx.Response]]) -> None:
    _, lines, _, answers = session
    broken = answers[-1]
    assert broken.status_code == 500
    [line] = [line for line in parsed(io.StringIO(lines)) if line["message"] == "unexpected error"]
    assert line["request_id"] == broken.headers["x-request-id"]
    assert line["level"] == "error"
    assert "RuntimeError" in str(line["exception"])


def test_the_keys_id_stands_for_the_key(running: Running) -> None:
    new = running.service.accounts.create("logged")
    with logs() as (_, lines):
        first = running.send(good("jpeg"), key=new.key)
        second = running.http.get("/v1/about")
        wait_until(lambda: len(access_lines(lines)) == 2)
    known = {line["request_id"]: line.get("key_id") for line in access_lines(lines)}
    assert known == {first.headers["x-request-id"]: new.id, second.headers["x-request-id"]: None}


def test_lines_of_worker_threads_carry_the_request(running: Running) -> None:
    with logs() as (_, lines), gated(running) as gate:
        predict = running.service.network.predict

        def talking(rgb: object) -> object:
            logging.getLogger("packshot.test").info("at work")
            return predict(rgb)  # type: ignore[arg-type]

        gate.open()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(running.service.network, "predict", talking)
            answer = running.send(good("jpeg"))
    said = [line["request_id"] for line in parsed(lines) if line["message"] == "at work"]
    assert said == [answer.headers["x-request-id"]] * len(said)
    assert said


@pytest.mark.slow
def test_clients_are_logged_when_the_operator_wants_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path_factory.mktemp("clients"), log_clients=True) as running, logs() as (_, lines):
        running.http.get("/v1/about")
        wait_until(lambda: access_lines(lines))
        assert access_lines(lines)[0]["client"] == "127.0.0.1"


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that logs every step of a connection and a request."""
    levels = {name: logging.getLogger(name).level for name in ("uvicorn.error", "uvicorn.asgi")}
    for name in levels:
        logging.getLogger(name).setLevel(TRACE)
    try:
        with serving(tmp_path_factory.mktemp("talkative")) as running:
            yield running
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def request_of(kind: str, offer: str, key: str) -> bytes:
    """A request, optionally with an offer of another protocol, as java.net.http makes it."""
    body, content_type = multipart("image", good("jpeg")) if kind == "photo" else (b"", "text/plain")
    first = {"photo": f"POST {ENDPOINT}", "probe": "GET /healthz", "nothing": "GET /none"}[kind]
    upgrade = f"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {offer}\r\nHTTP2-Settings: AAEAAEAA\r\n"
    head = f"{first} HTTP/1.1\r\nHost: a\r\nx-api-market-key: {key}\r\n{upgrade if offer else ''}"
    return f"{head}Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


STATUS = {"photo": 200, "probe": 200, "nothing": 404}
kinds = st.tuples(st.sampled_from(sorted(STATUS)), st.sampled_from(["", "h2c", "websocket", "h2c, TLS/1.0"]))


@pytest.mark.slow
@given(st.lists(kinds, min_size=2, max_size=4), st.booleans())
@example([("probe", ""), ("photo", "h2c"), ("probe", "")], False)
@settings(max_examples=6)
def test_no_line_carries_the_id_of_a_request_that_is_over(
    talkative: Running, sent: list[tuple[str, str]], at_once: bool
) -> None:
    key = talkative.new_key()
    requests = [request_of(kind, offer, key) for kind, offer in sent]
    with logs() as (text, lines):
        with socket.create_connection(talkative.address) as connection:
            for count, request in enumerate(requests, 1):
                connection.sendall(request)
                wait_until(lambda count=count: at_once or len(access_lines(lines)) == count)
            wait_until(lambda: len(access_lines(lines)) == len(sent))
        wait_until(lambda: "HTTP connection lost" in text.getvalue())
    over: set[object] = set()
    for line in parsed(lines):
        assert line.get("request_id") not in over, line
        if line["logger"] == "packshot.access":
            over.add(line["request_id"])
    assert [line["status"] for line in access_lines(lines)] == [STATUS[kind] for kind, _ in sent]
    assert not [line for line in parsed(lines) if line["level"] in {"warning", "error"}]  # an offer is no error
