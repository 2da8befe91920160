"""Ambiguous bytes, and floods of lines and chunks: rejected at a fixed count, with the error body of the path's
dialect.
"""

from __future__ import annotations

import re
import socket

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from packshot.api import framing
from packshot.api.errors import HeadTooLarge, MalformedRequest
from packshot.api.framing import ChunkedBody, Head, SizedBody, take_head
from tests.api.test_neutral import Check, form_error
from tests.contract.envelope import failure
from tests.kit.images import good
from tests.kit.native import PACKSHOTS, problem
from tests.kit.server import ENDPOINT, PATIENCE_S, Running, head, multipart, received

GET, HEALTH = b"GET / HTTP/1.1\r\nHost: packshot\r\n", b"GET /healthz HTTP/1.1\r\nHost: packshot\r\n\r\n"
LAST = HEALTH.replace(b"Host:", b"Connection: close\r\nHost:")
names = st.sampled_from([b"x-a", b"X-Requested-With", b"!#$%&'*+.^_`|~9", b"cookie"])
values = st.binary(max_size=40).map(lambda each: re.sub(rb"[\x00-\x08\x0a-\x1f\x7f]", b"", each))
fields = st.lists(st.tuples(names, st.sampled_from([b":", b": ", b":\t"]), values), max_size=5)
heads = fields.map(lambda each: GET + b"".join(b"".join(field) + b"\r\n" for field in each) + b"\r\n")


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    """The data in pieces of these sizes, used in rotation."""
    found: list[bytes] = []
    while data:
        size = sizes[len(found) % len(sizes)]
        found.append(data[:size])
        data = data[size:]
    return found


cuts = st.lists(st.integers(1, 60), min_size=1, max_size=5)


class TestHeads:
    @given(heads, cuts, st.sampled_from([b"", b"\r\n"]), st.binary(max_size=5))
    @settings(max_examples=40)
    def test_a_sound_head_is_taken_once_it_is_whole(
        self, sound: bytes, cut: list[int], before: bytes, rest: bytes
    ) -> None:
        buffer, taken = bytearray(), list[Head]()
        for piece in pieces(before + sound, cut):
            assert not taken
            buffer += piece
            taken += [each for each in [take_head(buffer)] if each]
        assert [each.data for each in taken] == [sound]
        buffer += sound + rest
        assert take_head(buffer)
        assert buffer == rest

    @given(heads, st.data())
    @settings(max_examples=40)
    def test_a_line_end_without_cr_is_refused_at_once(self, sound: bytes, data: st.DataObject) -> None:
        ends = [found.start() for found in re.finditer(rb"\r\n", sound)]
        at = data.draw(st.sampled_from(ends))
        with pytest.raises(MalformedRequest):
            take_head(bytearray(sound[:at] + b"\n"))
        with pytest.raises(MalformedRequest):
            take_head(bytearray(sound[:at] + sound[at + 1 :]))

    @given(
        heads, st.data(), st.sampled_from([b"\0", b"\r", b"\x0b", b"\x7f", b"\r\n ", b"\r\n\t", b"\r\nx : ", b"\r\n: "])
    )
    @settings(max_examples=40)
    def test_signs_that_readers_take_differently(self, sound: bytes, data: st.DataObject, sign: bytes) -> None:
        colons = [found.start() for found in re.finditer(rb":", sound[len(GET) - 2 :])]
        at = len(GET) - 2 + data.draw(st.sampled_from(colons)) + 1 if colons else len(GET) - 4
        with pytest.raises(MalformedRequest):
            take_head(bytearray(sound[:at] + sign + sound[at:]))

    @given(
        st.integers(framing.MOST_HEADER_LINES + 3, 5000),
        st.sampled_from([b"a:", b" b", b"a: b", b"", b"\0"]),
        st.booleans(),
    )
    @settings(max_examples=40)
    def test_a_flood_of_lines_is_refused_before_its_end(self, lines: int, line: bytes, ends: bool) -> None:
        flood = GET + (line + b"\r\n") * lines + (b"\r\n" if ends else b"")
        with pytest.raises(HeadTooLarge if line else MalformedRequest):
            while take_head(buffer := bytearray(flood)) and not line:
                flood = bytes(buffer)

    @pytest.mark.parametrize("begin", [b"GET /", GET + b"x: "])
    def test_a_line_without_an_end_is_refused(self, begin: bytes) -> None:
        assert take_head(bytearray(begin + b"a" * 1000)) is None
        with pytest.raises(HeadTooLarge):
            take_head(bytearray(begin + b"a" * framing.MOST_HEAD_BYTES))

    @pytest.mark.parametrize(
        "said",
        [
            "Content-Length: 5, 5",
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: +5",
            "Content-Length: 0x5",
            "Content-Length: 5 5",
            "Content-Length:",
            "Content-Length: \u0665",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "transfer-encoding: chunked\r\ncontent-length: 5",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: chunked;q=1",
            "Transfer-Encoding:",
            "Content-Length : 5",
            "Host: other",
        ],
    )
    def test_two_readings_of_where_the_body_ends(self, said: str) -> None:
        with pytest.raises(MalformedRequest):
            take_head(bytearray(GET + said.encode() + b"\r\n\r\n"))

    @pytest.mark.parametrize(
        "first",
        ["GET /  HTTP/1.1", "GET\t/ HTTP/1.1", "GET / HTTP/2.0", "GET /\0 HTTP/1.1", "GET /", " GET / HTTP/1.1"],
    )
    def test_first_lines_that_are_none(self, first: str) -> None:
        with pytest.raises(MalformedRequest):
            take_head(bytearray(first.encode() + b"\r\nHost: a\r\n\r\n"))

    def test_what_must_be_there_and_what_belongs_to_the_other_version(self) -> None:
        assert take_head(bytearray(b"GET / HTTP/1.0\r\n\r\n"))
        for head_ in (b"GET / HTTP/1.1\r\n\r\n", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"):
            with pytest.raises(MalformedRequest):
                take_head(bytearray(head_))


class TestChunks:
    @given(
        st.lists(st.binary(min_size=1, max_size=300), max_size=30),
        cuts,
        st.sampled_from([b"", b";a", b";a=b", b"  ", b'; a="b"']),
        st.sampled_from([b"", b"a: b\r\n", b"a:\r\nb:c\r\n"]),
    )
    @settings(max_examples=40)
    def test_any_chunking_read_in_any_pieces_is_the_same_body(
        self, chunks: list[bytes], cut: list[int], extension: bytes, trailers: bytes
    ) -> None:
        sent = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
        sent += b"0" + extension + b"\r\n" + trailers + b"\r\n"
        body, buffer, found = ChunkedBody(), bytearray(), b""
        for piece in pieces(sent, cut):
            assert not found.endswith(b"0\r\n\r\n") or found.count(b"\r\n") > 2
            buffer += piece
            found += body.take(buffer)
        assert not buffer
        data = b""
        while not found.startswith(b"0\r\n\r\n"):
            size, _, found = found.partition(b"\r\n")
            data += found[: int(size, 16)]
            found = found[int(size, 16) + 2 :]
        assert data == b"".join(chunks)

    def test_all_chunks_of_a_read_are_one_for_the_parser(self) -> None:
        buffer = bytearray(b"1\r\nx\r\n" * framing.FREE_CHUNKS)
        assert ChunkedBody().take(buffer) == b"%x\r\n%b\r\n" % (framing.FREE_CHUNKS, b"x" * framing.FREE_CHUNKS)

    @given(st.integers(1, framing.LEAST_BYTES_PER_CHUNK - 1), st.sampled_from([b"", b";" + b"a" * 200]))
    @settings(max_examples=10)
    def test_tiny_chunks_end_at_a_count(self, size: int, extension: bytes) -> None:
        chunk = b"%x%b\r\n%b\r\n" % (size, extension, b"x" * size)
        body, counted = ChunkedBody(), 0
        with pytest.raises(MalformedRequest):
            for counted in range(3 * framing.FREE_CHUNKS):  # noqa: B007
                body.take(bytearray(chunk))
        assert counted == framing.FREE_CHUNKS

    @pytest.mark.parametrize(
        "sent",
        [
            b"zz\r\n",
            b"\r\n",
            b"-1\r\n",
            b"0x5\r\n",
            b"5\nabcde\r\n",
            b"5;a\nb\r\n",
            b"5;\rx\r\n",
            b"5\r\nabcdeX",
            b"5\r\nabcde\n",
            b"5;" + b"a" * 300,
            b"1" * 20 + b"\r\n",
            b"0\r\na b: c\r\n\r\n",
            b"0\r\na: b\n\r\n",
            b"0\r\n b\r\n\r\n",
            b"0\r\n" + b"a:\r\n" * 300,
            b"0\r\na: " + b"b" * 10_000,
        ],
    )
    @pytest.mark.parametrize("at_once", [True, False])
    def test_chunks_that_can_be_read_in_two_ways(self, sent: bytes, at_once: bool) -> None:
        body, buffer = ChunkedBody(), bytearray()
        with pytest.raises(MalformedRequest):
            for piece in [sent] if at_once else pieces(sent, [1]):
                buffer += piece
                body.take(buffer)

    @given(st.integers(0, 50), st.binary(max_size=80), cuts)
    def test_a_sized_body_takes_no_more(self, size: int, sent: bytes, cut: list[int]) -> None:
        body, buffer, taken = SizedBody(size), bytearray(), b""
        for piece in pieces(sent, cut):
            buffer += piece
            taken += body.take(buffer)
        assert (taken, bytes(buffer)) == (sent[:size], sent[size:])


DIALECTS: list[tuple[Check, str, str]] = [
    (problem, "malformed-request", "/healthz"),
    (problem, "malformed-request", PACKSHOTS),
    (failure, "ERROR_PARAMETERS", ENDPOINT),
    (form_error, "invalid_request", "/v1.0/removebg"),
]


def statuses(running: Running, sent: list[bytes]) -> list[int]:
    """The statuses of all responses until the server closes."""
    with socket.create_connection(running.address, timeout=PATIENCE_S) as connection:
        for piece in sent:
            connection.sendall(piece)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d\d\d) ", answer)]


class TestAnswers:
    @pytest.mark.parametrize(("check", "code", "path"), DIALECTS)
    @pytest.mark.parametrize(
        "fault", ["x: a\n\r\n", "x : a\r\n\r\n", "x: a\r\n b\r\n\r\n", "Content-Length: 1, 1\r\n\r\n", "x: \0\r\n\r\n"]
    )
    def test_a_bad_head_is_answered_in_the_words_of_its_path(
        self, running: Running, check: Check, code: str, path: str, fault: str
    ) -> None:
        sent = f"POST {path} HTTP/1.1\r\nHost: packshot\r\n{fault}".encode()
        with socket.create_connection(running.address) as connection:
            connection.sendall(sent)
            answer = received(connection)
            check(answer, 400, code)
            assert answer.headers["connection"] == "close"
        assert statuses(running, [sent + HEALTH]) == [400]  # the server ignores the bytes after it

    @pytest.mark.parametrize(
        "expected",
        [
            (problem, 431, "head-too-large", "/healthz"),
            (problem, 431, "head-too-large", PACKSHOTS),
            (failure, 413, "ERROR_CONTENT_TOO_LONG", ENDPOINT),
            (form_error, 431, "head_too_large", "/v1.0/removebg"),
        ],
    )
    @pytest.mark.parametrize("line", [b"a: b\r\n", b" b\r\n", b"x: " + b"b" * 40_000])
    def test_a_flood_of_headers(self, running: Running, expected: tuple[Check, int, str, str], line: bytes) -> None:
        check, status, code, path = expected
        with socket.create_connection(running.address) as connection:
            connection.sendall(b"GET %b HTTP/1.1\r\nHost: a\r\n" % path.encode() + line * (240_000 // len(line)))
            check(received(connection), status, code)

    @pytest.mark.parametrize(
        "sent", [b"\x16\x03\x01\x02\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\n", b"GET /\xff"]
    )
    def test_what_is_no_http_1_is_told_so(self, running: Running, sent: bytes) -> None:
        assert statuses(running, [sent + b"\r\n\r\n"]) == [400]

    @pytest.mark.parametrize(("check", "code", "path"), DIALECTS[1:])
    def test_tiny_chunks_of_a_caller_with_a_key(self, running: Running, check: Check, code: str, path: str) -> None:
        begin = head(running.new_key(), "multipart/form-data; boundary=b", 0).replace(ENDPOINT.encode(), path.encode())
        begin = begin.replace(b"x-api-market-key", b"x-api-key" if "v1" in path else b"x-api-market-key")
        with socket.create_connection(running.address) as connection:
            connection.sendall(
                begin.replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"1\r\nx\r\n" * 50_000
            )
            answer = received(connection)
            check(answer, 400, code)
            assert "chunks" in answer.text
            assert answer.headers["connection"] == "close"

    def test_tiny_chunks_of_a_stranger_end_his_connection(self, running: Running) -> None:
        begin = head("", "multipart/form-data; boundary=b", 0).replace(
            b"Content-Length: 0", b"Transfer-Encoding: chunked"
        )
        assert statuses(running, [begin + b"1\r\nx\r\n" * 50_000]) in ([400], [401])

    def test_chunks_of_kilobytes_are_a_body(self, running: Running) -> None:
        body, kind = multipart("image", good("jpeg"))
        chunks = (
            b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces(body, [1000])) + b"0\r\nx: y\r\n\r\n"
        )
        begin = head(running.new_key(), kind, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        assert statuses(running, pieces(begin + chunks + LAST, [777])) == [200, 200]

    def test_who_still_sends_gets_the_refusal(self, running: Running) -> None:
        # If the server closed at once, the connection would be reset, and the response lost.
        body = bytes(20_000_000)
        begin = head("", "multipart/form-data; boundary=b", len(body)).replace(b"Host:", b"Connection: close\r\nHost:")
        assert statuses(running, [begin + body]) == [401]

    def test_requests_that_come_together_are_answered_in_turn(self, running: Running) -> None:
        assert statuses(running, [HEALTH * 3 + b"\r\n" + LAST]) == [200] * 4
        assert statuses(running, [HEALTH * 3 + GET + b"x : a\r\n\r\n" + LAST]) == [200, 200, 200, 400]

    @given(heads, st.binary(max_size=6), st.integers(0, 200))
    @example(GET + b"\r\n", b"\n\n", 30)
    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_bytes_anywhere_in_a_head(self, running: Running, sound: bytes, put: bytes, at: int) -> None:
        sent = sound[:at] + put + sound[at:]
        found = statuses(running, [sent + b"\r\n\r\n" + LAST])
        assert set(found) <= {200, 304, 400, 404, 405}
