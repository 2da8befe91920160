"""Logging of a running service: one line per event on stderr, as text or as JSON, without secrets.

Lines carry the request_id and key_id automatically, in every layer and thread that works for the request. Lines cannot
be forged: text from callers can never begin a new line.
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

# The fields of a line besides its message, in this order: from the context, or from `extra` of the logging call.
_CONTEXT = {"request_id": _request_id, "key_id": _key_id, "trace_id": _trace_id}
_EXTRA = ("method", "route", "status", "duration_ms", "client")
SELDOM_S = 60.0
_SAID_BY_THE_MESSAGE = frozenset({"method", "route", "status"})

# Characters that end a line or move the cursor: C0, DEL, C1, and Unicode's line ends and writing directions.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# The last safety net. It hides packshot's keys, whole or cut, and signatures and tokens in links, also of object
# storage. It also hides passwords in database URLs, which drivers repeat in their errors.
_SECRETS = (
    (re.compile(r"pk_[0-9A-Za-z]{8,}"), "pk_[hidden]"),
    (re.compile(r"(?i)((?:signature|credential|token|sig|password|api_?key)=['\"]?)[^&\s'\"]+"), r"\1[hidden]"),
    (re.compile(r"(?i)((?:authorization|x-[a-z]+-key|x-[a-z]+-market-key)['\"]?\s*[:=]\s*)[^\n]+"), r"\1[hidden]"),
    (re.compile(r"(://)[^/@\s]*:[^/@\s]*@"), r"\1[hidden]@"),
)


def set_up_logging(level: str, form: str = "text") -> None:
    """Send all logs to stderr, including the server's and Python's warnings.

    `level` is "debug", "info", "warning" or "error"; `form` is "text" or "json".
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    handler.addFilter(RateLimitFilter("opentelemetry"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # It warns of every cut or forged form. The response says so already, and a flood would fill the disk.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    # It logs response heads, which may hold URLs with secrets.
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    # It logs a dozen lines about plug-ins at the first start.
    logging.getLogger("alembic").setLevel(max(logging.WARNING, logging.getLogger().level))
    # It repeats the service's own messages at start and end.
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, logging.getLogger().level))


class RateLimitFilter(logging.Filter):
    """Passes one line of a library per minute. Without it, an unavailable collector logs every few seconds."""

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
    """Add these ids to all log lines of the block, also in threads. `bind_key` adds the key's id."""
    tokens = [(_request_id, _request_id.set(request_id)), (_trace_id, _trace_id.set(trace_id))]
    tokens.append((_key_id, _key_id.set(None)))
    try:
        yield
    finally:
        for variable, token in tokens:
            variable.reset(token)


def bind_key(key_id: str) -> None:
    """Add the key's id, never the key, to the following log lines of this request."""
    _key_id.set(key_id)


class JsonFormatter(logging.Formatter):
    """Formats a line as one JSON object: time, level, logger, message, the request's fields, and the exception."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": _time(record), "level": record.levelname.lower(), "logger": record.name}
        line["message"] = hide_secrets(record.getMessage())
        trace = _trace_of(self, record)
        known = {**line, **_known(record), **({"exception": trace} if trace else {})}
        return json.dumps(known, default=str)  # ASCII, with control characters and line ends escaped


class TextFormatter(logging.Formatter):
    """Formats a line for people: time, level, logger, message, name=value. Exceptions follow, indented."""

    def format(self, record: logging.LogRecord) -> str:
        words = [_time(record), record.levelname, record.name, hide_secrets(record.getMessage())]
        words += [f"{name}={value}" for name, value in _known(record).items() if name not in _SAID_BY_THE_MESSAGE]
        lines = [" ".join(words), *_trace_of(self, record).split("\n")]
        return "\n    ".join(_one_line(line) for line in lines if line)


def hide_secrets(text: str) -> str:
    """The text with everything hidden that looks like a key, a signature or a password."""
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
