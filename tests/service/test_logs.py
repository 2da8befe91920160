"""The two forms of a log line: complete, one line per event, and without forbidden content."""

from __future__ import annotations

import io
import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from packshot.service.accounts import new_api_key
from packshot.service.logs import JsonFormatter, TextFormatter, bind_key, bind_request, hide_secrets, set_up_logging

Written = Callable[[], str]
HOSTILE = "a.jpg\n2026-01-01T00:00:00.000Z INFO packshot.access forged\r\x1b[2Jgone\x85\u2028end\u202e\x00"


@pytest.fixture(params=["text", "json"])
def written(request: pytest.FixtureRequest) -> Iterator[tuple[logging.Logger, io.StringIO, str]]:
    """A logger and its output, in each form."""
    stream, logger = io.StringIO(), logging.getLogger(f"test.{request.param}")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if request.param == "json" else TextFormatter())
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield logger, stream, request.param
    logger.removeHandler(handler)


def test_a_line_of_json_says_when_where_and_what() -> None:
    record = logging.LogRecord("packshot.access", logging.WARNING, "", 0, "GET %s", ("/v1/about",), None)
    record.status, record.duration_ms = 200, 1.5
    with bind_request("REQUEST", trace_id="TRACE"):
        bind_key("0123456789ab")
        line = json.loads(JsonFormatter().format(record))
    moment = datetime.fromisoformat(line.pop("time"))
    assert moment.utcoffset() == timedelta(0)
    assert abs(moment.timestamp() - record.created) < 0.001
    assert line == {
        "level": "warning",
        "logger": "packshot.access",
        "message": "GET /v1/about",
        "status": 200,
        "duration_ms": 1.5,
        "request_id": "REQUEST",
        "key_id": "0123456789ab",
        "trace_id": "TRACE",
    }


def test_a_line_of_text_can_be_searched_by_its_request() -> None:
    record = logging.LogRecord("packshot.access", logging.INFO, "", 0, "GET /v1/about 200", (), None)
    record.duration_ms = 1.5
    with bind_request("REQUEST"):
        text = TextFormatter().format(record)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO packshot\.access GET /v1/about 200 "
        r"duration_ms=1\.5 request_id=REQUEST",
        text,
    )


def test_what_is_known_of_one_request_does_not_stick_to_the_next() -> None:
    record = logging.LogRecord("a", logging.INFO, "", 0, "said", (), None)
    with bind_request("FIRST"):
        bind_key("first")
    with bind_request("SECOND"):
        second = json.loads(JsonFormatter().format(record))
    assert second["request_id"] == "SECOND"
    assert "key_id" not in second
    assert "request_id" not in json.loads(JsonFormatter().format(record))


def test_no_line_can_be_forged(written: tuple[logging.Logger, io.StringIO, str]) -> None:
    logger, stream, _ = written
    logger.info("named %s", HOSTILE)
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert text[:-1].isprintable()
    assert "forged" in text  # no text is lost, but it has no effect


def test_an_exception_forges_none_either(written: tuple[logging.Logger, io.StringIO, str]) -> None:
    logger, stream, form = written
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        logger.exception("it failed")
    lines = stream.getvalue().split("\n")[:-1]
    assert "ValueError" in stream.getvalue()
    assert all(line.isprintable() for line in lines)
    if form == "json":
        assert "Traceback" in json.loads(stream.getvalue())["exception"]
    assert [line for line in lines if not line.startswith("    ")] == lines[:1]


@pytest.mark.parametrize(
    ("said", "hidden"),
    [
        ("/results/a.png?expires=1&signature=abcDEF-_1 gone", "abcDEF"),
        ("https://s3/b/k?X-Amz-Credential=AKIA%2Fx&X-Amz-Signature=99ff", "99ff"),
        ("https://s3/b/k?X-Amz-Credential=AKIA%2Fx&X-Amz-Signature=99ff", "AKIA"),
        ("X-Amz-Security-Token=tok&a=b", "tok&"),
        ("postgresql+psycopg://packshot:hunter2@db:5432/packshot", "hunter2"),
        ("redis://:hunter2@cache:6379/0", "hunter2"),
        ("Authorization: Bearer sk-foreign-secret", "foreign"),
        ("{'x-api-market-key': 'foreign-secret'}", "foreign"),
        ("connect(password='hunter2')", "hunter2"),
    ],
)
def test_secrets_that_get_into_a_line_are_hidden(said: str, hidden: str) -> None:
    assert hidden not in hide_secrets(said)
    assert "[hidden]" in hide_secrets(said)


@pytest.mark.parametrize("length", [None, 20])
def test_a_key_in_a_line_is_hidden_cut_off_too(length: int | None) -> None:
    key = new_api_key()[:length]
    assert key not in hide_secrets(f"key {key}")


@pytest.mark.parametrize(
    "said", ["packshot serves on http://127.0.0.1:8000", "pk_ is the prefix", "12:30 a@b", "significant=yes"]
)
def test_what_is_no_secret_stays(said: str) -> None:
    assert hide_secrets(said) == said


def test_a_log_call_that_is_wrong_costs_no_request(written: tuple[logging.Logger, io.StringIO, str]) -> None:
    logger, stream, _ = written
    logger.info("an object: %s", object())
    # Straight to the handler: pytest's reports cannot carry a lone surrogate between processes.
    ours = next(each for each in logger.handlers if getattr(each, "stream", None) is stream)
    ours.handle(logging.LogRecord("test", logging.INFO, "", 0, "lone: %s", ("\ud800",), None))
    stream.getvalue().encode("utf-8", "backslashreplace")
    assert stream.getvalue().count("\n") == 2


def test_all_of_the_process_goes_the_same_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from packshot.service import logs

    root = logging.getLogger()
    before: Any = root.handlers[:], root.level, warnings.showwarning
    try:
        root.handlers.clear()
        logs.set_up_logging("info", "json")
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
        with warnings.catch_warnings(action="always"):
            warnings.showwarning("old", DeprecationWarning, "file.py", 1)
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:], warnings.showwarning = before[0], before[2]
        root.setLevel(before[1])
    assert [line["logger"] for line in lines] == ["uvicorn.error", "py.warnings"]
    assert "\n" in lines[1]["message"] or "old" in lines[1]["message"]


def test_a_library_that_repeats_itself_is_heard_once_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    root, exporter = logging.getLogger(), logging.getLogger("opentelemetry.exporter")
    before = root.handlers[:], root.level
    try:
        set_up_logging("info")
        for number in range(3):
            exporter.error("the collector is away")
            logging.getLogger("packshot.access").info("request %d", number)
    finally:
        root.handlers[:], root.level = before
        logging.captureWarnings(capture=False)
    said = capsys.readouterr().err
    assert said.count("the collector is away") == 1
    assert said.count("request") == 3
