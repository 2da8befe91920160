"""Requests with an ambiguous end, and heads without end: the starting points of request smuggling and floods."""

from __future__ import annotations

import time

from packshot.service.accounts import new_api_key
from tests.faults.proof import Place, proof
from tests.faults.sockets import exchange, statuses
from tests.kit.images import good
from tests.kit.server import ENDPOINT, multipart

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: packshot\r\n\r\n"


@proof("abuse", "requests with two lengths, or two ends", "one refusal each, the connection closed, nothing smuggled")
def two_lengths(place: Place) -> str:
    begin = f"POST {ENDPOINT} HTTP/1.1\r\nHost: packshot\r\nx-api-market-key: {place.running.new_key(0)}\r\n".encode()
    chunked = b"0\r\n\r\n"
    hostile = {
        "length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
        "chunks and length": b"Transfer-Encoding: chunked\r\nContent-Length: 60\r\n\r\n" + chunked,
        "two lengths": b"Content-Length: 0\r\nContent-Length: 60\r\n\r\n",
        "a list of lengths": b"Content-Length: 0, 60\r\n\r\n",
        "a signed length": b"Content-Length: +0\r\n\r\n",
        "a length in hex": b"Content-Length: 0x0\r\n\r\n",
        "a coding nobody knows": b"Transfer-Encoding: xchunked\r\n\r\n" + chunked,
        "two codings": b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked,
        "the coding twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
        "a space before the colon": b"Content-Length : 0\r\n\r\n",
        "a chunk size that is none": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "a line end within a header": b"x-a: b\rContent-Length: 60\r\n\r\n",
    }
    wrong = {}
    for name, tail in hostile.items():
        found = statuses(exchange(place.running.address, begin + tail + SMUGGLED, patience_s=0.5))
        if not found or 404 in found or 200 in found or len(found) != 1:
            wrong[name] = found
    assert not wrong, wrong
    return f"{len(hostile)} of {len(hostile)} refused, no second answer"


@proof("abuse", "heads of 10 MB: one line, and 100,000 lines", "cut at 32 kB; the service goes on")
def head_floods(place: Place) -> str:
    begin, before = b"GET /healthz HTTP/1.1\r\nHost: packshot\r\n", time.monotonic()
    floods = {"one line": b"x: " + b"a" * 10_000_000, "many lines": b"x-y: z\r\n" * 100_000, "target": b""}
    for name, flood in floods.items():
        sent = begin + flood if flood else b"GET /" + b"a" * 10_000_000
        found = statuses(exchange(place.running.address, sent, patience_s=0.5))
        assert found in ([], [400], [431]), f"{name}: {found}"
    took_s = time.monotonic() - before
    assert took_s < 5
    assert place.running.send(good("jpeg")).status_code == 200
    return f"3 of 3 cut in {took_s:.1f} s"


@proof("abuse", "guessing keys: 300 that look right", "all 401, no credit touched, and no hope in the rate")
def guessed_keys(place: Place) -> str:
    true = place.running.new_key(1)
    began = time.monotonic()
    for _ in range(300):
        answer = place.running.http.post(ENDPOINT, headers={"x-api-market-key": new_api_key()})
        assert answer.status_code == 401
        assert len(answer.content) < 1000
    rate = 300 / (time.monotonic() - began)
    assert place.running.credits_of(true) == 1
    years = 2**256 / (1e6 * rate * 3.15e7)
    return f"300 x 401, {rate:.0f} a second; {years:.0e} years with a million such attackers"


@proof("abuse", "a whole photo behind a key that is none", "401 at once, and the photo is not waited for")
def photo_without_a_key(place: Place) -> str:
    body, kind = multipart("image", good("jpeg"))
    told = f"POST {ENDPOINT} HTTP/1.1\r\nHost: packshot\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    found = statuses(exchange(place.running.address, told.encode(), patience_s=0.5))
    assert found == [401]
    return "401"
