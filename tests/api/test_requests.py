"""Request handling: the order of its steps, the cost of slow or absent clients, and its leftovers."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from tests.contract.envelope import failure, success_url
from tests.kit.images import good
from tests.kit.server import ENDPOINT, Running, gated, head, multipart, received, serving, wait_until

OVER_THE_LIMIT = 100 * 1024 * 1024
FORM = "multipart/form-data; boundary=frontier"


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("impatient"), workers=1, idle_timeout_s=0.4) as running:
        yield running


@pytest.fixture
def connection(running: Running) -> Iterator[socket.socket]:
    with socket.create_connection(running.address) as connection:
        yield connection


class TestOrder:
    def test_the_path_comes_before_the_key(self, running: Running) -> None:
        failure(running.http.post("/cutout/portrait"), 404, "ERROR_AI_NOT_EXISTS")

    def test_the_key_comes_before_the_body(self, running: Running) -> None:
        failure(running.http.post(ENDPOINT, content=b"{}"), 401, "ERROR_APPLICATIONS_NOT_EXISTS")

    def test_without_a_key_no_body_is_waited_for(self, connection: socket.socket) -> None:
        connection.sendall(head("", FORM, 1000))
        failure(received(connection), 401, "ERROR_APPLICATIONS_NOT_EXISTS")

    def test_who_is_refused_is_not_told_to_go_on(self, connection: socket.socket) -> None:
        # curl asks before it sends more than 1 MB; a 100 here would request the whole body.
        connection.sendall(head("", FORM, 3_000_000).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        failure(received(connection), 401, "ERROR_APPLICATIONS_NOT_EXISTS")

    def test_a_body_too_large_by_its_head_is_refused_before_it_is_read(
        self, running: Running, connection: socket.socket
    ) -> None:
        connection.sendall(head(running.new_key(), FORM, OVER_THE_LIMIT))
        failure(received(connection), 413, "ERROR_REQUEST_BODY_TOO_LARGE")

    def test_the_type_is_refused_before_the_body_is_read(self, running: Running, connection: socket.socket) -> None:
        connection.sendall(head(running.new_key(), "image/jpeg", 1000))
        failure(received(connection), 400, "ERROR_PARAMETERS")

    @pytest.mark.slow
    def test_the_rate_limit_comes_before_the_body(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        with serving(tmp_path_factory.mktemp("limited"), rate_limit="1/hour") as running:
            key = running.new_key()
            failure(running.http.post(ENDPOINT, headers={"x-api-market-key": key}), 400, "ERROR_PARAMETERS")
            failure(running.http.post(ENDPOINT, headers={"x-api-market-key": key}), 429, "EXCEEDING_LIMITS")

    def test_what_cannot_be_computed_waits_for_no_worker_and_costs_no_credit(self, running: Running) -> None:
        key = running.new_key(1)
        with gated(running) as gate:
            running.send_meanwhile(good("jpeg"), key=running.new_key())
            gate.wait_for_arrival()
            failure(running.send(b"GIF89a", key=key), 415, "UNSUPPORTED_FILE_TYPES")
        assert running.credits_of(key) == 1

    def test_a_file_is_not_looked_at_for_a_key_without_credits(self, running: Running) -> None:
        failure(running.send(b"GIF89a", key=running.new_key(0)), 429, "ERROR_NOT_ENOUGH_CREDITS")

    def test_a_picture_that_fails_late_costs_no_credit(self, running: Running) -> None:
        key = running.new_key(1)
        failure(running.send(good("jpeg")[:-500], key=key), 400, "FILE_DECODING_FAILURE")
        assert running.credits_of(key) == 1


class TestForms:
    def test_two_files_are_one_too_many(self, running: Running) -> None:
        files = [("image", ("a.jpg", good("jpeg"))), ("image", ("b.jpg", good("jpeg")))]
        response = running.http.post(ENDPOINT, files=files, headers={"x-api-market-key": running.new_key()})
        failure(response, 400, "ERROR_PARAMETERS")

    def test_fields_that_nobody_knows_do_no_harm(self, running: Running) -> None:
        response = running.http.post(
            ENDPOINT,
            files={"image": good("jpeg")},
            data={"colour": "#fff", "Type": "1"},
            headers={"x-api-market-key": running.new_key()},
        )
        success_url(response)

    @pytest.mark.parametrize("fields", [{str(n): "" for n in range(100)}, {"colour": "x" * 100_000}], ids=len)
    def test_many_or_long_fields_are_refused(self, running: Running, fields: dict[str, str]) -> None:
        response = running.http.post(
            ENDPOINT, files={"image": good("jpeg")}, data=fields, headers={"x-api-market-key": running.new_key()}
        )
        failure(response, 400, "ERROR_PARAMETERS")

    @pytest.mark.parametrize("charset", ["undefined", "punycode", "none-such"])
    def test_a_charset_that_is_no_texts_is_the_callers_fault_or_none(self, running: Running, charset: str) -> None:
        body, kind = multipart("-_", b"text", None)
        headers = {"content-type": f"{kind}; charset={charset}", "x-api-market-key": running.new_key()}
        code = "MISSING_PARAMETERS" if charset == "none-such" else "ERROR_PARAMETERS"
        failure(running.http.post(ENDPOINT, content=body, headers=headers), 400, code)

    def test_the_files_name_and_its_declared_type_mean_nothing(self, running: Running) -> None:
        files = {"image": ("../../etc/passwd\0.svg", good("png"), "text/html")}
        success_url(running.http.post(ENDPOINT, files=files, headers={"x-api-market-key": running.new_key()}))

    def test_a_picture_without_a_file_name_is_a_picture(self, running: Running) -> None:
        body, kind = multipart("image", good("jpeg"), None)
        headers = {"content-type": kind, "x-api-market-key": running.new_key()}
        success_url(running.http.post(ENDPOINT, content=body, headers=headers))

    def test_text_instead_of_a_picture_is_a_file_of_the_wrong_kind(self, running: Running) -> None:
        body, kind = multipart("image", b"data:image/png;base64,AAAA", None)
        headers = {"content-type": kind, "x-api-market-key": running.new_key()}
        failure(running.http.post(ENDPOINT, content=body, headers=headers), 415, "UNSUPPORTED_FILE_TYPES")


class TestDisconnects:
    def test_who_leaves_the_queue_is_never_computed_and_pays_nothing(self, running: Running) -> None:
        key = running.new_key(1)
        body, kind = multipart("image", good("jpeg"))
        with gated(running) as gate:
            first = running.send_meanwhile(good("jpeg"), key=running.new_key())
            gate.wait_for_arrival()
            with socket.create_connection(running.address) as leaving:
                leaving.sendall(head(key, kind, len(body)) + body)
                wait_until(lambda: running.service.admission.queued)
                assert running.credits_of(key) == 0
            wait_until(lambda: not running.service.admission.queued)
            wait_until(lambda: running.credits_of(key) == 1)
        success_url(first.result())
        assert gate.arrived == 1

    def test_who_leaves_within_the_body_leaves_nothing_behind(self, running: Running) -> None:
        key = running.new_key(1)
        body, kind = multipart("image", good("jpeg"))
        with socket.create_connection(running.address) as leaving:
            leaving.sendall(head(key, kind, len(body)) + body[:-10])
            wait_until(lambda: running.server.server_state.tasks)
        wait_until(lambda: not running.server.server_state.tasks)
        assert running.credits_of(key) == 1

    def test_the_idempotency_key_of_who_left_is_free_again(self, running: Running) -> None:
        key = running.new_key()
        body, kind = multipart("image", good("jpeg"))
        sent = head(key, kind, len(body)).replace(b"\r\n\r\n", b"\r\nIdempotency-Key: 1\r\n\r\n") + body
        with gated(running) as gate:
            first = running.send_meanwhile(good("jpeg"), key=running.new_key())
            gate.wait_for_arrival()
            with socket.create_connection(running.address) as leaving:
                leaving.sendall(sent)
                wait_until(lambda: running.service.admission.queued)
            wait_until(lambda: not running.server.server_state.tasks or not running.service.admission.queued)
        success_url(first.result())
        wait_until(lambda: not running.server.server_state.tasks)
        success_url(running.send(good("jpeg"), key=key, headers={"Idempotency-Key": "1"}))


class TestSlowClients:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        "begun", [b"", b"POST ", b"GET / HTTP/1.1\r\nHost: a\r\n"], ids=["silent", "method", "head"]
    )
    def test_a_connection_without_a_whole_head_is_closed(self, impatient: Running, begun: bytes) -> None:
        with socket.create_connection(impatient.address, timeout=5) as slow:
            slow.sendall(begun)
            assert slow.recv(1000) == b""

    def test_a_head_that_dribbles_is_closed_too(self, impatient: Running) -> None:
        with socket.create_connection(impatient.address, timeout=5) as slow:
            ends = time.monotonic() + 5
            with pytest.raises(ConnectionError):
                while time.monotonic() < ends:
                    slow.sendall(b"G")
                    time.sleep(0.05)

    def test_a_connection_is_closed_when_it_is_idle_after_an_answer(self, impatient: Running) -> None:
        with socket.create_connection(impatient.address, timeout=5) as idle:
            idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert received(idle).status_code == 200
            assert idle.recv(1000) == b""

    @pytest.mark.slow
    @pytest.mark.parametrize("pipelined", [False, True])
    def test_work_that_takes_longer_than_a_silence_may_is_not_cut(self, impatient: Running, pipelined: bool) -> None:
        body, kind = multipart("image", good("jpeg"))
        before = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" if pipelined else b""
        with gated(impatient) as gate, socket.create_connection(impatient.address, timeout=5) as patient:
            patient.sendall(before + head(impatient.new_key(), kind, len(body)) + body)
            if pipelined:
                assert received(patient).status_code == 200
            gate.wait_for_arrival()
            time.sleep(0.6)
            gate.open()
            success_url(received(patient))

    def test_the_rest_of_a_refused_body_is_not_read_for_ever(self, impatient: Running) -> None:
        with socket.create_connection(impatient.address, timeout=5) as slow:
            slow.sendall(head("", FORM, 1000))
            assert received(slow).status_code == 401
            assert slow.recv(1000) == b""
