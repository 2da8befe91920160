"""Multipart forms: bytes around the parts, truncated forms, and compressed bodies."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from packshot.api.errors import MalformedRequest
from packshot.api.upload import Form, UploadLimits, read_form
from tests.api.test_neutral import Check, form_error
from tests.contract.envelope import failure
from tests.kit.images import good
from tests.kit.native import PACKSHOTS, problem
from tests.kit.server import ENDPOINT, Running

LIMITS = UploadLimits({"image": 10_000}, 5)
BOUNDARIES = st.from_regex(r"[A-Za-z0-9'()+_,./:=?-]{1,70}", fullmatch=True).map(str.encode)
Case = tuple[Check, str, str, str]
CALLS: list[Case] = [
    (problem, "malformed-request", PACKSHOTS, "image"),
    (failure, "ERROR_PARAMETERS", ENDPOINT, "image"),
    (form_error, "invalid_request", "/v1.0/removebg", "image_file"),
]


def form(parts: list[tuple[str, bytes]], boundary: bytes = b"XX") -> bytes:
    """A multipart body; a part named `image` is a file."""
    body = b""
    for name, content in parts:
        file = b'; filename="a"\r\nContent-Type: image/png' if name.startswith("image") else b""
        body += b'--%b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n' % (boundary, name.encode(), file)
        body += content + b"\r\n"
    return body + b"--%b--" % boundary


def read(body: bytes, boundary: bytes = b"XX", chunk: int = 1000) -> Form:
    """The form as the service reads it, from a body in pieces of this size."""
    messages: list[Message] = [
        {"type": "http.request", "body": body[at : at + chunk], "more_body": True} for at in range(0, len(body), chunk)
    ]
    left = iter([*messages, {"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Message:
        return next(left)

    kind = b'multipart/form-data; boundary="%b"' % boundary
    return asyncio.run(read_form(Request({"type": "http", "headers": [(b"content-type", kind)]}, receive), LIMITS))


def post(running: Running, path: str, body: bytes, **headers: str) -> httpx.Response:
    kind = {"content-type": "multipart/form-data; boundary=XX"}
    key = {"x-api-market-key" if path == ENDPOINT else "x-api-key": running.new_key()}
    return running.http.post(path, content=body, headers=kind | key | headers)


fields = st.tuples(st.sampled_from(["image", "a", "b"]), st.binary(max_size=30))
parts = st.lists(fields, min_size=1, max_size=4).filter(lambda each: sum(name == "image" for name, _ in each) < 2)


@pytest.mark.slow
@given(parts, BOUNDARIES, st.binary(max_size=60), st.binary(max_size=60), st.integers(1, 50))
@settings(max_examples=60)
def test_a_preamble_and_an_epilogue_are_passed_over(
    said: list[tuple[str, bytes]], boundary: bytes, before: bytes, after: bytes, chunk: int
) -> None:
    body = form(said, boundary)
    if any(b"--" + boundary in each for each in (before, *(content for _, content in said))):
        return
    plain = read(body, boundary, chunk)
    assert [name for name, _ in plain] == [name for name, _ in said]
    assert [value for name, value in plain if name == "image"] == [each for name, each in said if name == "image"]
    assert read(before + b"\r\n" + body + b"\r\n" + after, boundary, chunk) == plain


@pytest.mark.slow
@given(parts, st.sampled_from([b"", b"preamble\r\n"]), st.data())
@settings(max_examples=80)
def test_a_form_cut_anywhere_is_called_so(said: list[tuple[str, bytes]], before: bytes, data: st.DataObject) -> None:
    body = before + form(said)
    at = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(MalformedRequest, match="truncated"):
        read(body[:at])


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "left", ["nothing", "boundary", "headers", "half", "all but the last boundary", "its last sign"]
)
def test_each_dialect_says_that_a_form_was_cut(running: Running, call: Case, left: str) -> None:
    check, code, path, name = call
    body = form([(name, good("jpeg"))])
    kept = {"nothing": 0, "boundary": 4, "headers": 30, "half": len(body) // 2}
    answer = post(running, path, body[: kept.get(left, len(body) - (1 if "sign" in left else 6))])
    check(answer, 400, code)
    assert "truncated" in answer.text


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
def test_each_dialect_passes_over_a_preamble(running: Running, call: Case) -> None:
    _, _, path, name = call
    body = b"This is a multi-part message in MIME format.\r\n" + form([(name, good("jpeg"))]) + b"\r\nepilogue"
    assert post(running, path, body).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"--XX\r\n" * 5000,
        b"--XX\r\n\r\n" * 5000 + b"--XX--",
        form([("a", b"x")] * 500),
        form([("image", b"x")] * 2),
        b"--XX\r\n" + b"a: b\r\n" * 3000 + b"\r\n\r\n--XX--",
        b"--XX\r\nContent-Disposition: form-data; name=a\r\n--XX--",
        b"--XX\r\nContent-Disposition: form-data\r\n\r\n\r\n--XX--",
        form([("a", b"x" * 5000)]),
    ],
    ids=range(8),
)
def test_forms_of_many_or_broken_parts_are_refused(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        read(body)


def test_a_form_without_parts_has_none() -> None:
    assert read(b"--XX--\r\n") == []


@pytest.mark.parametrize("padding", [b"", b" ", b"\t  "])
def test_blanks_after_a_boundary_belong_to_it(padding: bytes) -> None:
    body = form([("a", b"--XXY\r\n--X")]).replace(b"--XX\r\n", b"--XX" + padding + b"\r\n")
    assert read(body) == [("a", "--XXY\r\n--X")]


@pytest.mark.parametrize(
    "call",
    [
        (problem, "unsupported-encoding", PACKSHOTS, "image"),
        (failure, "UNSUPPORTED_FILE_TYPES", ENDPOINT, "image"),
        (form_error, "unsupported_encoding", "/v1.0/removebg", "image_file"),
    ],
)
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip", "X-Unknown"])
def test_a_compressed_body(running: Running, call: Case, coding: str) -> None:
    check, code, path, name = call
    body = form([(name, good("jpeg"))])
    answer = post(
        running,
        path,
        zlib.compress(body) if coding == "deflate" else gzip.compress(body),
        **{"content-encoding": coding},
    )
    check(answer, 415, code)
    assert "Content-Encoding" in answer.text
    assert answer.headers["accept-encoding"] == "identity"


def test_identity_is_no_coding(running: Running) -> None:
    body = form([("image", good("jpeg"))])
    assert post(running, PACKSHOTS, body, **{"content-encoding": "Identity"}).status_code == 200
