"""Finds the end of a request's head and body in raw bytes, and rejects ambiguous requests before they are parsed.

The cost per received byte is a small constant. Limits on lines and tiny chunks stop floods.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from packshot.api.errors import HeadTooLarge, MalformedRequest
from packshot.errors import PackshotError

READING = "packshot.reading"  # in the request's scope: its Reading
MOST_HEAD_BYTES = 32 * 1024  # the limit of nginx in deploy/
MOST_HEADER_LINES = 200  # browsers behind several proxies send 50
MOST_CHUNK_LINE_BYTES = 256  # the size and its extensions
MOST_TRAILER_BYTES = 8 * 1024
# Clients send chunks of kilobytes, and some small chunks for the parts of a form. Each chunk costs parsing time, and
# 256 KB received can hold 43,000 chunks of one byte.
FREE_CHUNKS = 1024
LEAST_BYTES_PER_CHUNK = 64  # average over all chunks, checked beyond FREE_CHUNKS
LONGEST_TARGET_SHOWN = 2000  # of a rejected head: enough to find the dialect

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_VALUE = rb"[\t\x20-\x7e\x80-\xff]*+"
_REQUEST_LINE = re.compile(_TOKEN + rb" [\x21-\x7e]++ HTTP/1\.[0-9]")
_FIELDS = re.compile(rb"(?:" + _TOKEN + rb":" + _VALUE + rb"\r\n)*+\r\n")
_HEAD = re.compile(_REQUEST_LINE.pattern + rb"\r\n" + _FIELDS.pattern)
_NAME = re.compile(_TOKEN)
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|host):[ \t]*+([^\r]*+)", re.IGNORECASE)
_LENGTH = re.compile(rb"[0-9]{1,18}")
_HOST = re.compile(rb"[\w.~%!$&'()*+,;=:\[\]-]*+")
_BEGINNING = re.compile(rb"(" + _TOKEN + rb") (?:([\x21-\x7e]{1,%d}+))?" % LONGEST_TARGET_SHOWN)
_ORIGIN = re.compile(rb"\norigin:[ \t]*+([\x21-\x7e]{1,300}+)[ \t]*+\r?\n", re.IGNORECASE)
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15}+)[ \t]*+(?:;" + _VALUE + rb")?\r\n")
_CRLF, _BLANK = b"\r\n", b"\r\n\r\n"


@dataclass
class Reading:
    """The fault that the server found in a request's bytes. After a fault it parses nothing more on the connection."""

    fault: PackshotError | None = None


class Body(Protocol):
    """A request's body while it arrives."""

    def take(self, buffer: bytearray) -> bytes:
        """Remove the body's bytes from the front of the buffer, and return them in the head's framing.

        Raises
        ------
        MalformedRequest
        """


class SizedBody:
    """A body with a Content-Length, or no body (0 bytes)."""

    def __init__(self, size_bytes: int) -> None:
        self._left = size_bytes

    def take(self, buffer: bytearray) -> bytes:
        with memoryview(buffer) as whole:
            piece = bytes(whole[: self._left])
        del buffer[: len(piece)]
        self._left -= len(piece)
        return piece


class ChunkedBody:
    """A chunked body (RFC 9112, 7.1). `take` joins all chunks of one read into one chunk and drops trailers."""

    def __init__(self) -> None:
        self._left = 0  # of the chunk that is being read
        self._in_chunk = self._in_trailers = False
        self._chunks = self._bytes = 0

    def take(self, buffer: bytearray) -> bytes:
        at, joined, ended = 0, bytearray(), False
        while True:
            if self._in_trailers:
                end = _end_of_trailers(buffer, at)
                at, ended = end or at, bool(end)
                break
            if self._left:
                piece = buffer[at : at + self._left]
                joined += piece
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    break
            if self._in_chunk:
                after = buffer[at : at + 2]
                if not _CRLF.startswith(after):
                    raise _bad_chunk("A chunk of the body is longer than its declared size.")
                if after != _CRLF:
                    break
                at += 2
                self._in_chunk = False
            line = _CHUNK_LINE.match(buffer, at, at + MOST_CHUNK_LINE_BYTES)
            if line is None:
                begun = buffer[at : at + MOST_CHUNK_LINE_BYTES]
                if b"\n" in begun or len(begun) == MOST_CHUNK_LINE_BYTES:
                    raise _bad_chunk("A chunk of the body has no readable size.")
                break
            at = line.end()
            self._begin_chunk(int(line[1], 16))
        del buffer[:at]
        framed = b"%x\r\n%b\r\n" % (len(joined), bytes(joined)) if joined else b""
        return framed + b"0\r\n\r\n" if ended else framed

    def _begin_chunk(self, size_bytes: int) -> None:
        self._left = size_bytes
        self._in_chunk, self._in_trailers = size_bytes > 0, size_bytes == 0
        self._chunks += 1
        self._bytes += size_bytes
        if self._chunks > FREE_CHUNKS and self._bytes < self._chunks * LEAST_BYTES_PER_CHUNK and size_bytes:
            raise MalformedRequest(
                "The chunks of the body are too small.", hint="Send larger chunks (kilobytes), or a Content-Length."
            )


class Head(NamedTuple):
    """An unambiguous request head, and the body that follows it."""

    data: bytes
    body: Body


def take_head(buffer: bytearray) -> Head | None:
    """Remove a complete head from the front of the buffer. Returns None while the head is incomplete.

    Raises
    ------
    MalformedRequest, HeadTooLarge
        Also for an incomplete head, as soon as its first bytes show the fault.
    """
    if buffer.startswith(_CRLF):  # some clients send one after a body (RFC 9112, 2.2)
        del buffer[:2]
    found = buffer.find(_BLANK, 0, MOST_HEAD_BYTES)
    end = found + len(_BLANK) if found >= 0 else min(len(buffer), MOST_HEAD_BYTES)
    line_ends = buffer.count(b"\n", 0, end)
    if line_ends > MOST_HEADER_LINES + 2:
        raise HeadTooLarge(
            f"The request has more than {MOST_HEADER_LINES} header lines.", hint="Send fewer headers or cookies."
        )
    if line_ends != buffer.count(_CRLF, 0, end):
        raise _bad_head("A line of the head ends in LF alone.")
    if found < 0:
        if len(buffer) >= MOST_HEAD_BYTES:
            raise HeadTooLarge(
                f"The head of the request has more than {MOST_HEAD_BYTES:,} bytes.",
                hint="Send a shorter address, and fewer headers or cookies.",
            )
        if buffer and buffer != b"\r" and not _NAME.match(buffer, 0, 1):
            raise _bad_head("The first line is not an HTTP/1 request line.")
        return None
    head = bytes(buffer[:end])
    if not _HEAD.fullmatch(head):
        raise _bad_head(_fault_of(head))
    body = _body_of(head)
    del buffer[:end]
    return Head(head, body)


def substitute_for(head: bytes) -> Head:
    """Build a valid head in place of a rejected one, with its method, target and origin as far as they are readable.

    So the error response has the dialect of the path, and CORS lets the sending page read it.
    """
    found, origin = _BEGINNING.match(head), _ORIGIN.search(head)
    method, target = (found[1], found[2] or b"/") if found else (b"GET", b"/")
    page = b"Origin: %b\r\n" % origin[1] if origin else b""
    return Head(b"%b %b HTTP/1.1\r\nHost: -\r\n%bConnection: close\r\n\r\n" % (method, target, page), SizedBody(0))


def _body_of(head: bytes) -> Body:
    """Return the body that a head announces. Raises MalformedRequest for an ambiguous or unknown framing."""
    said: dict[bytes, list[bytes]] = {b"content-length": [], b"transfer-encoding": [], b"host": []}
    for name, value in _FRAMING.findall(head):
        said[name.lower()].append(value.rstrip(b" \t"))
    lengths, codings, hosts = said.values()
    before_1_1 = head.split(_CRLF, 1)[0].endswith(b"HTTP/1.0")
    if len(hosts) > 1 or (not hosts and not before_1_1) or not all(map(_HOST.fullmatch, hosts)):
        raise _bad_head("The Host header is missing, repeated or invalid.")
    if len(lengths) + len(codings) > 1:
        raise MalformedRequest("The request has two lengths.", hint="Send Content-Length or chunks, not both.")
    if codings:
        if codings[0].lower() != b"chunked" or before_1_1:
            raise MalformedRequest("The Transfer-Encoding is not supported.", hint="Send `chunked`, with HTTP/1.1.")
        return ChunkedBody()
    if lengths and not _LENGTH.fullmatch(lengths[0]):
        raise MalformedRequest("The Content-Length is not a number.", hint="Send one number of bytes, in digits.")
    return SizedBody(int(lengths[0]) if lengths else 0)


def _fault_of(head: bytes) -> str:
    """Describe the fault of an invalid head."""
    first, *lines = head.removesuffix(_BLANK).split(_CRLF)
    if not _REQUEST_LINE.fullmatch(first):
        return "The first line is not an HTTP/1 request line."
    for line in lines:
        name, colon, _ = line.partition(b":")
        if line[:1] in {b" ", b"\t"}:
            return "A header is folded over two lines."
        if not colon or not _NAME.fullmatch(name):
            return "A header has no name, no colon, or an invalid character in its name."
    return "A header's value has a control character."


def _end_of_trailers(buffer: bytearray, at: int) -> int | None:
    """Return the index after the trailers, or None while they are incomplete."""
    if buffer.startswith(_CRLF, at):
        return at + 2
    found = buffer.find(_BLANK, at, at + MOST_TRAILER_BYTES)
    end = found + len(_BLANK) if found >= 0 else min(len(buffer), at + MOST_TRAILER_BYTES)
    line_ends = buffer.count(b"\n", at, end)
    if found >= 0:
        sound = _FIELDS.fullmatch(buffer, at, end) is not None
    else:
        sound = line_ends == buffer.count(_CRLF, at, end) and end - at < MOST_TRAILER_BYTES
    if not sound or line_ends > MOST_HEADER_LINES:
        raise _bad_chunk("The trailers after the body are invalid or too long.")
    return end if found >= 0 else None


def _bad_head(fault: str) -> MalformedRequest:
    return MalformedRequest(fault, hint="Send a head that follows RFC 9112; each line ends in CRLF.")


def _bad_chunk(fault: str) -> MalformedRequest:
    return MalformedRequest(fault, hint="Send chunks that follow RFC 9112, or a Content-Length.")
