"""Bodies that are too large, too many or too deep: rejected in a time that does not grow with their size."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.faults.proof import Place, proof
from tests.faults.sockets import drain, exchange, statuses
from tests.kit.files import PNG_SIGNATURE, png_file, png_header, zeros_deflated
from tests.kit.images import good
from tests.kit.native import PACKSHOTS
from tests.kit.server import ENDPOINT, Running, head, multipart

FORM = "multipart/form-data; boundary=frontier"
BIG = 60 * 1024 * 1024


@contextmanager
def no_credit(running: Running) -> Iterator[str]:
    """A key with one credit. At the end the key still has that credit, and the service works."""
    key = running.new_key(1)
    yield key
    assert running.credits_of(key) == 1
    assert running.send(good("jpeg")).status_code == 200


def resident_mb() -> float:
    """The resident memory of this process, in MB; the service runs in the same process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


@proof("abuse", "a 60 MB body that says so", "413 before a byte of it is read")
def announced(place: Place) -> str:
    with no_credit(place.running) as key:
        began = time.monotonic()
        answer = exchange(place.running.address, head(key, FORM, BIG), patience_s=0.3)
        assert statuses(answer) == [413]
    return f"413, {time.monotonic() - began:.1f} s"


@proof("abuse", "a 60 MB body in chunks, of no announced length", "413 once it is over the limit; memory comes back")
def chunked(place: Place) -> str:
    chunk = bytes(1 << 20)
    body, kind = multipart("image", chunk)
    told = head("KEY", kind, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    before_mb = resident_mb()
    with no_credit(place.running) as key, socket.create_connection(place.running.address) as connection:
        connection.sendall(told.replace(b"KEY", key.encode()))
        with contextlib.suppress(OSError):  # cut: the service may do so after its response
            for part in (body[:-20], *[chunk] * 59):
                connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        assert statuses(drain(connection, 0.3)) == [413]
    more_mb = resident_mb() - before_mb
    assert more_mb < 55, f"{more_mb:.0f} MB more"
    return f"413, memory {more_mb:+.0f} MB"


@proof("abuse", "a 60 MB file under /v1, where 50 MB are allowed", "413 that names the limit; no credit")
def over_the_native_limit(place: Place) -> str:
    with no_credit(place.running) as key:
        body, kind = multipart("image", bytes(BIG))
        headers = {"content-type": kind, "authorization": f"Bearer {key}"}
        answer = place.running.http.post(PACKSHOTS, content=body, headers=headers)
        assert answer.status_code == 413, answer.text
        assert "52,428,800" in answer.json()["detail"]
    return answer.json()["detail"]


@proof("abuse", "a million form fields", "refused within a second, by number or by size")
def a_million_fields(place: Place) -> str:
    field = b'--frontier\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    seen = []
    for path in (ENDPOINT, PACKSHOTS):
        with no_credit(place.running) as key:
            headers = {"content-type": FORM, "x-api-market-key": key}
            began = time.monotonic()
            answer = httpx.post(place.running.base_url + path, content=_stream(field), headers=headers, timeout=20)
            took_s = time.monotonic() - began
            assert answer.status_code in {400, 413}, answer.text
            assert took_s < 3
            seen.append(f"{answer.status_code} in {took_s:.1f} s")
    return ", ".join(seen)


def _stream(field: bytes) -> Iterator[bytes]:
    for _ in range(1000):
        yield field * 1000
    yield b"--frontier--\r\n"


@proof("abuse", "options of 64 kB: nested, huge numbers, twice", "a refusal that names the part, within a second")
def options_part(place: Place) -> str:
    hostile = {
        "nested lists": b"[" * 60_000,
        "nested objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        "a number of 60,000 digits": b'{"width": ' + b"9" * 60_000 + b"}",
        "1e9999": b'{"width": 1e9999}',
        "NaN": b'{"margin": NaN}',
        "twice": b'{"background": "white", "background": "black"}',
        "one surrogate": b'{"background": "\\ud800"}',
        "no UTF-8": b'{"background": "\xff\xfe"}',
        "100 kB": json.dumps({"background": "a" * 100_000}).encode(),
        "10,000 names": json.dumps({str(number): 1 for number in range(5000)}).encode(),
    }
    with no_credit(place.running) as key:
        for name, part in hostile.items():
            began = time.monotonic()
            files = {"image": good("jpeg"), "options": part}
            answer = place.running.http.post(PACKSHOTS, files=files, headers={"x-api-key": key})
            assert answer.status_code in {400, 413, 422}, f"{name}: {answer.status_code} {answer.text[:200]}"
            assert time.monotonic() - began < 1, name
            assert len(answer.content) < 2000, f"{name}: {len(answer.content)} bytes of answer"
    return f"{len(hostile)} of {len(hostile)} refused"


@proof("abuse", "photos that inflate to gigabytes, or lie about their size", "refused or read within 2 s, 300 MB")
def bombs(place: Place) -> str:
    stream = zeros_deflated(2 << 30)
    hostile = {
        "100x100 px with 2 GB of data": png_file(png_header(100, 100), stream),
        "30000x30000 px": png_file(png_header(30_000, 30_000), stream[:1_000_000]),
        "cut in the header": PNG_SIGNATURE + b"\0\0\0\rIHDR",
    }
    before_mb, seen = resident_mb(), []
    for photo in hostile.values():
        began = time.monotonic()
        answer = place.running.send(photo)
        assert answer.status_code in {200, 400, 413, 415, 422}, answer.text
        assert time.monotonic() - began < 2
        seen.append(str(answer.status_code))
    assert resident_mb() - before_mb < 300
    return ", ".join(seen)
