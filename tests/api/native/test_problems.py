"""Every status of the native API, provoked over a socket; the message names the field, the value and the allowed
values.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from packshot.api.errors import PROBLEM_DETAILS
from packshot.core.picture import Float32
from tests.kit.images import flat_png, good, padded
from tests.kit.native import CHECKS, PACKSHOTS, problem, send
from tests.kit.server import Clock, Running, gated, received, serving

DAMAGED = b"\xff\xd8\xff\xe0 not much of a JPEG"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Small limits, no queue, one worker, short timeouts."""
    limits = {"v1_max_file_bytes": 40_000, "v1_max_pixels": 200 * 200, "body_deadline_s": 0.5, "deadline_s": 0.5}
    with serving(tmp_path_factory.mktemp("strict"), workers=1, queue_limit=0, **limits) as running:
        yield running


class Test400:
    def test_no_form(self, running: Running) -> None:
        headers = {"authorization": f"Bearer {running.new_key()}"}
        answer = running.http.post(PACKSHOTS, json={"image": "..."}, headers=headers)
        assert "multipart/form-data" in problem(answer, 400, "malformed-request")["hint"]

    def test_no_image(self, running: Running) -> None:
        headers = {"authorization": f"Bearer {running.new_key()}"}
        answer = running.http.post(PACKSHOTS, files={"crop": (None, "true")}, headers=headers)
        assert problem(answer, 400, "missing-image")["field"] == "image"

    def test_an_empty_one_and_one_that_is_damaged(self, running: Running) -> None:
        headers = {"authorization": f"Bearer {running.new_key()}"}
        problem(running.http.post(PACKSHOTS, files={"image": b""}, headers=headers), 400, "empty-file")
        problem(send(running, DAMAGED), 400, "unreadable-image")

    def test_two_of_them(self, running: Running) -> None:
        files = [("image", good("jpeg")), ("image", good("jpeg"))]
        headers = {"authorization": f"Bearer {running.new_key()}"}
        answer = running.http.post(PACKSHOTS, files=files, headers=headers)
        assert "one photo" in problem(answer, 400, "malformed-request")["hint"]

    @pytest.mark.parametrize("text", ["{", "[]", '"white"', "NaN", '{"max_upscale": NaN}', "[" * 60_000, "\xff"])
    def test_options_that_are_no_json_object(self, running: Running, text: str) -> None:
        answer = send(running, files={"options": text.encode("latin-1")})
        assert problem(answer, 400, "malformed-request")["field"] == "options"


class Test401To406:
    def test_no_key_and_an_unknown_one(self, running: Running) -> None:
        answer = running.http.post(PACKSHOTS)
        problem(answer, 401, "missing-key")
        assert answer.headers["www-authenticate"] == "Bearer"
        problem(send(running, key="pk_nobody"), 401, "unknown-key")

    def test_no_credits(self, running: Running) -> None:
        problem(send(running, key=running.new_key(0)), 402, "out-of-credits")

    def test_a_locked_key(self, running: Running) -> None:
        new = running.service.accounts.create("locked")
        running.service.accounts.lock(new.id)
        problem(send(running, key=new.key), 403, "locked-key")

    def test_an_unknown_path_and_a_wrong_method(self, running: Running) -> None:
        problem(running.http.get("/v1/packshot"), 404, "unknown-path")
        answer = running.http.get(PACKSHOTS)
        problem(answer, 405, "wrong-method")
        assert answer.headers["allow"] == "POST"

    def test_an_answer_that_the_client_does_not_take(self, running: Running) -> None:
        key = running.new_key(1)
        problem(send(running, b"no picture", key=key, accept="text/html"), 406, "not-acceptable")  # before the photo
        body = problem(send(running, key=key, accept="image/webp, text/html"), 406, "not-acceptable")
        assert body["allowed"] == ["image/png", "application/json"]
        assert "image/webp" in body["detail"]
        assert running.credits_of(key) == 1


class Test409And410:
    def test_the_same_idempotency_key_for_something_else(self, running: Running) -> None:
        key, named = running.new_key(), {"idempotency-key": "1"}
        assert send(running, key=key, headers=named).status_code == 200
        problem(send(running, key=key, headers=named, crop="true"), 409, "conflict")
        problem(send(running, key=key, headers=named, files={"touch_up": good("png")}), 409, "conflict")

    @pytest.mark.slow
    def test_a_picture_that_is_not_kept_any_more(self, tmp_path: Path) -> None:
        clock = Clock()
        with serving(tmp_path, result_ttl_s=60, now=clock) as running:
            key, named = running.new_key(), {"idempotency-key": "1"}
            assert send(running, key=key, headers=named).status_code == 200
            for file in (tmp_path / "results").glob("??/*"):
                file.unlink()
            problem(send(running, key=key, headers=named), 410, "result-expired")


class Test413To422:
    @pytest.mark.slow
    def test_too_many_bytes(self, strict: Running) -> None:
        body = problem(send(strict, padded(good("jpeg"), 40_001)), 413, "file-too-large")
        assert (body["field"], body["max_bytes"], body["bytes"]) == ("image", 40_000, 40_001)
        body = problem(send(strict, files={"background_picture": bytes(50_000)}), 413, "file-too-large")
        assert body["field"] == "background_picture"
        problem(send(strict, bytes(300_000)), 413, "file-too-large")
        problem(send(strict, bytes(1_200_000)), 413, "body-too-large")

    def test_a_kind_that_is_not_read(self, running: Running) -> None:
        problem(send(running, b"%PDF-1.7" + bytes(100)), 415, "unsupported-format")

    def test_too_many_and_too_few_pixels(self, strict: Running) -> None:
        assert problem(send(strict, good("jpeg", 201, 200)), 422, "image-too-large")["max_pixels"] == 40_000
        problem(send(strict, good("jpeg", 31, 200)), 422, "image-too-small")

    @pytest.mark.parametrize(
        ("fields", "field", "allowed"),
        [
            ({"quality": "0", "format": "jpeg"}, "quality", "a whole number from 1 to 100"),
            ({"quality": "ninety"}, "quality", "a whole number from 1 to 100"),
            ({"form": "mesk"}, "form", ["cutout", "mask", "flattened"]),
            ({"max_upscale": "nan"}, "max_upscale", "a number from 1 to 4"),
            ({"crop": "perhaps"}, "crop", "true or false"),
            ({"form": "cutout", "format": "jpeg"}, "format", "png, webp, tiff or avif"),
        ],
    )
    def test_values_that_an_option_does_not_take(
        self, running: Running, fields: dict[str, str], field: str, allowed: object
    ) -> None:
        key = running.new_key(1)
        body = problem(send(running, key=key, **fields), 422, "invalid-option")
        assert (body["field"], body["allowed"]) == (field, allowed)
        assert fields[field] in body["detail"]
        assert running.credits_of(key) == 1

    def test_an_option_that_nobody_knows(self, running: Running) -> None:
        body = problem(send(running, backgruond="white"), 422, "invalid-option")
        assert body["hint"] == "Did you mean background?"
        problem(send(running, files={"mask": good("png")}), 422, "invalid-option")

    def test_an_option_that_is_given_twice(self, running: Running) -> None:
        twice = {"options": b'{"background": "white"}'}
        body = problem(send(running, files=twice, background="red"), 422, "invalid-option")
        assert body["field"] == "background"
        problem(send(running, files={"options": b'{"crop": true, "crop": false}'}), 422, "invalid-option")

    @pytest.mark.parametrize("value", ['["white"]', "{}", "7", "1e400", "9" * 400, "true", '"\\ud800"'])
    def test_json_of_the_wrong_type(self, running: Running, value: str) -> None:
        body = problem(send(running, files={"options": b'{"background": %s}' % value.encode()}), 422, "invalid-option")
        assert body["field"] == "background"

    def test_a_file_where_a_text_belongs_and_the_other_way_round(self, running: Running) -> None:
        body = problem(send(running, files={"background": good("png")}), 422, "invalid-option")
        assert body["field"] == "background"
        body = problem(send(running, files={"options": b'{"touch_up": "aGk="}'}), 422, "invalid-option")
        assert body["field"] == "touch_up"

    @pytest.mark.parametrize("name", ["background_picture", "touch_up"])
    def test_files_among_the_options_are_held_to_the_same_limits(self, strict: Running, name: str) -> None:
        key = strict.new_key(1)
        body = problem(send(strict, key=key, files={name: good("jpeg", 201, 200)}), 422, "invalid-option")
        assert body["field"] == name
        assert "40,000" in body["detail"]
        assert problem(send(strict, key=key, files={name: DAMAGED}), 422, "invalid-option")["field"] == name
        assert strict.credits_of(key) == 1

    def test_nothing_in_the_picture(self, running: Running) -> None:
        problem(send(running, flat_png(64, 64, 200)), 422, "no-foreground")


class Test429To504:
    @pytest.mark.slow
    def test_too_many_requests(self, tmp_path: Path) -> None:
        with serving(tmp_path, rate_limit="1/hour") as running:
            key = running.new_key()
            problem(send(running, DAMAGED, key=key), 400, "unreadable-image")
            answer = send(running, key=key)
            assert problem(answer, 429, "rate-limited")["retry_after_s"] == int(answer.headers["retry-after"])

    def test_a_fault_of_ours_leaks_nothing(self, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(rgb: Float32) -> Float32:
            raise ZeroDivisionError("the secret is in /var/lib/secret")

        monkeypatch.setattr(running.service.network, "predict", broken)
        key = running.new_key(1)
        answer = send(running, key=key)
        problem(answer, 500, "error")
        assert "secret" not in answer.text
        assert "Zero" not in answer.text
        assert running.credits_of(key) == 1

    @pytest.mark.slow
    def test_a_store_that_fails(self, tmp_path: Path) -> None:
        with serving(tmp_path) as running:
            (tmp_path / "results").rename(tmp_path / "gone")
            (tmp_path / "results").write_text("a file where the folder was")
            key = running.new_key(1)
            problem(send(running, key=key, accept="application/json"), 502, "store-unavailable")
            assert running.credits_of(key) == 1
            assert send(running, key=key).status_code == 200  # the picture itself needs no store

    def test_a_full_queue(self, strict: Running) -> None:
        small = good("jpeg")
        with gated(strict) as gate:
            first = strict.threads.submit(send, strict, small)
            gate.wait_for_arrival()
            answer = send(strict, small)
            assert int(answer.headers["retry-after"]) >= 1
            problem(answer, 503, "queue-full")
        assert first.result().status_code in {200, 504}

    @pytest.mark.slow
    def test_work_that_takes_too_long(self, strict: Running) -> None:
        key = strict.new_key(1)
        with gated(strict):
            problem(send(strict, key=key), 504, "deadline-exceeded")
        assert strict.credits_of(key) == 1

    def test_a_body_that_takes_too_long(self, strict: Running) -> None:
        head = (
            f"POST {PACKSHOTS} HTTP/1.1\r\nHost: a\r\nX-Api-Key: {strict.new_key()}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n--b"
        )
        with socket.create_connection(strict.address) as slow:
            slow.sendall(head.encode())
            problem(received(slow), 504, "body-too-slow")


class TestChecks:
    def test_a_preset_must_be_named_and_known(self, running: Running) -> None:
        body = problem(send(running, path=CHECKS), 422, "invalid-option")
        assert body["field"] == "preset"
        assert "amazon" in body["allowed"]
        assert "amazon" in problem(send(running, path=CHECKS, preset="amazn"), 422, "invalid-option")["hint"]

    def test_other_options_have_no_place(self, running: Running) -> None:
        body = problem(send(running, path=CHECKS, preset="amazon", crop="true"), 422, "invalid-option")
        assert body["field"] == "crop"

    def test_a_picture_without_a_product(self, running: Running) -> None:
        problem(send(running, flat_png(64, 64, 200), path=CHECKS, preset="amazon"), 422, "no-foreground")


def test_431_a_head_of_too_many_lines(running: Running) -> None:
    headers = {f"x-{number}": "a" for number in range(300)}
    problem(running.http.post(PACKSHOTS, headers=headers), 431, "head-too-large")


def test_the_statuses_above_are_all_there_are() -> None:
    provoked = {400, 401, 402, 403, 404, 405, 406, 409, 410, 413, 415, 422, 429, 431, 500, 502, 503, 504}
    assert {row.status for row in PROBLEM_DETAILS.table.values()} == provoked
