"""Logging of a running service: one line an event on stderr, as text or as JSON, and no secret in any of them.

What a request is called and whose it is comes along by itself: the lines of every layer and thread that works for it
carry its request_id. Lines cannot be forged: nothing that a caller sends can begin a line of its own.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
_key_id: ContextVar[str | None] = ContextVar("key_id", default=None)
_trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)

# What a line may carry beside its words, in this order: by the context, or as `extra` of the call that logs.
_CONTEXT = {"request_id": _request_id, "key_id": _key_id, "trace_id": _trace_id}
_EXTRA = ("method", "route", "status", "duration_ms", "client")
SELDOM_S = 60.0
_SAID_BY_THE_MESSAGE = frozenset({"method", "route", "status"})

# Ends a line, or moves a terminal's cursor: C0, DEL, C1, and what Unicode adds to line ends and writing directions.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# The net under all care: our keys, whole or cut; signatures and tokens of links, ours and object storage's; the
# passwords of database addresses, which drivers like to repeat in their errors.
_SECRETS = (
    (re.compile(r"pk_[0-9A-Za-z]{8,}"), "pk_[hidden]"),
    (re.compile(r"(?i)((?:signature|credential|token|sig|password|api_?key)=['\"]?)[^&\s'\"]+"), r"\1[hidden]"),
    (re.compile(r"(?i)((?:authorization|x-[a-z]+-key|x-[a-z]+-market-key)['\"]?\s*[:=]\s*)[^\n]+"), r"\1[hidden]"),
    (re.compile(r"(://)[^/@\s]*:[^/@\s]*@"), r"\1[hidden]@"),
)


def set_up_logging(level: str, form: str = "text") -> None:
    """Send all logs, the server's and Python's warnings too, to stderr.

    `level` is "debug", "info", "warning" or "error"; `form` is "text" or "json".
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    handler.addFilter(RateLimitFilter("opentelemetry"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # It warns of every form that is cut or forged, which the answer says already and a flood would fill the disk with.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    # It writes the heads of answers, in which addresses with secrets may be.
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    # A dozen lines about its own plug-ins on every first start.
    logging.getLogger("alembic").setLevel(max(logging.WARNING, logging.getLogger().level))
    # uvicorn says at start and end what the service says itself.
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, logging.getLogger().level))


class RateLimitFilter(logging.Filter):
    """Lets a line of a library through once a minute: a collector that is away is told of every few seconds."""

    def __init__(self, library: str) -> None:
        super().__init__()
        self._library, self._quiet_until = library, 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] != self._library:
            return True
        passes = record.created >= self._quiet_until
        if passes:
            self._quiet_until = record.created + SELDOM_S
        return passes


@contextmanager
def bind_request(request_id: str, trace_id: str | None = None) -> Iterator[None]:
    """Lines that are written inside, in threads too, carry these names, and the key's as soon as it is known."""
    tokens = [(_request_id, _request_id.set(request_id)), (_trace_id, _trace_id.set(trace_id))]
    tokens.append((_key_id, _key_id.set(None)))
    try:
        yield
    finally:
        for variable, token in tokens:
            variable.reset(token)


def bind_key(key_id: str) -> None:
    """From here on the lines of this request say whose it is: by the key's id, never by the key."""
    _key_id.set(key_id)


class JsonFormatter(logging.Formatter):
    """A line as one JSON object: time, level, logger, message, what is known of the request, and the exception."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": _time(record), "level": record.levelname.lower(), "logger": record.name}
        line["message"] = hide_secrets(record.getMessage())
        trace = _trace_of(self, record)
        known = {**line, **_known(record), **({"exception": trace} if trace else {})}
        return json.dumps(known, default=str)  # ASCII: control characters and line ends are escaped


class TextFormatter(logging.Formatter):
    """A line for people: time, level, logger, message, name=value. The lines of an exception follow, indented."""

    def format(self, record: logging.LogRecord) -> str:
        words = [_time(record), record.levelname, record.name, hide_secrets(record.getMessage())]
        words += [f"{name}={value}" for name, value in _known(record).items() if name not in _SAID_BY_THE_MESSAGE]
        lines = [" ".join(words), *_trace_of(self, record).split("\n")]
        return "\n    ".join(_one_line(line) for line in lines if line)


def hide_secrets(text: str) -> str:
    """The text without what looks like a key, a signature or a password."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _known(record: logging.LogRecord) -> dict[str, object]:
    by_context = {name: variable.get() for name, variable in _CONTEXT.items()}
    by_call = {name: getattr(record, name, None) for name in _EXTRA}
    return {name: value for name, value in (by_call | by_context).items() if value is not None}


def _time(record: logging.LogRecord) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trace_of(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return hide_secrets(formatter.formatException(record.exc_info)) if record.exc_info and record.exc_info[1] else ""


def _one_line(text: str) -> str:
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
