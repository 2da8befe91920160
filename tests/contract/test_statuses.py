"""Every row of the contract's status table, provoked over a real socket: errors that the caller can fix.

The rows from 500 on are in test_statuses_5xx.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update

from packshot.api.ailab.routes import RESULTS
from packshot.core.picture import Float32
from packshot.service.results import new_result_id
from packshot.service.tables import IDEMPOTENCY
from tests.contract.envelope import failure, success_path, success_url
from tests.kit.images import as_png, flat_png, good, padded, photo
from tests.kit.server import ENDPOINT, Clock, Running, gated, multipart, serving

MAX_FILE_BYTES = 3 * 1024 * 1024
FORGED = "ERROR_ILLEGAL_FILE"


class Test400:
    @pytest.mark.parametrize(
        ("name", "content", "filename", "code"),
        [
            ("picture", b"data", "photo.jpg", "MISSING_PARAMETERS"),
            ("image", b"", "photo.jpg", "PARAMETERS_CANNOT_EMPTY"),
            ("image", b"", None, "PARAMETERS_CANNOT_EMPTY"),
        ],
        ids=["no image part", "empty file", "empty field"],
    )
    def test_the_part(self, running: Running, name: str, content: bytes, filename: str | None, code: str) -> None:
        body, kind = multipart(name, content, filename)
        headers = {"content-type": kind, "x-api-market-key": running.new_key()}
        assert "`image`" in failure(running.http.post(ENDPOINT, content=body, headers=headers), 400, code)

    def test_a_file_that_does_not_decode(self, running: Running) -> None:
        failure(running.send(good("jpeg")[:-500]), 400, "FILE_DECODING_FAILURE")

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("application/json", b'{"image": "..."}'),
            ("application/x-www-form-urlencoded", b"image=1"),
            ("", b""),
            ("multipart/form-data", b"--no boundary was named--"),
            ("multipart/form-data; boundary=frontier", b"what is this"),
            ("multipart/form-data; boundary=frontier", b""),
            ("multipart/form-data; boundary=\xff", b"--\xff--"),
        ],
        ids=["json", "urlencoded", "nothing", "no boundary", "no form", "empty", "odd boundary"],
    )
    def test_not_multipart(self, running: Running, kind: str, body: bytes) -> None:
        headers = {"content-type": kind.encode("latin-1"), "x-api-market-key": running.new_key().encode()}
        response = running.http.post(ENDPOINT, content=body, headers=headers)
        code = "MISSING_PARAMETERS" if response.json()["error_code_str"] == "MISSING_PARAMETERS" else "ERROR_PARAMETERS"
        assert "multipart/form-data" in failure(response, 400, code)


class Test401And403:
    @pytest.mark.parametrize("key", [None, "", "nonsense", "pk_" + "a" * 49, "\xff" * 9], ids=repr)
    def test_no_key_and_unknown_keys(self, running: Running, key: str | None) -> None:
        headers = {} if key is None else {"x-api-market-key": key.encode("latin-1")}
        response = running.http.post(ENDPOINT, files={"image": good("jpeg")}, headers=headers)
        assert "key" in failure(response, 401, "ERROR_APPLICATIONS_NOT_EXISTS")

    def test_a_key_past_its_life(self, running: Running) -> None:
        key = running.service.accounts.create("past", expires_at=1.0).key
        failure(running.send(good("jpeg"), key=key), 401, "ERROR_APPLICATIONS_NOT_EXISTS")

    @pytest.mark.parametrize("end", ["lock", "revoke"])
    def test_locked_and_revoked_keys(self, running: Running, end: str) -> None:
        new = running.service.accounts.create("soon over")
        getattr(running.service.accounts, end)(new.id)
        failure(running.send(good("jpeg"), key=new.key), 403, "ERROR_USER_LOCKED")

    def test_a_forged_result_url(self, running: Running) -> None:
        failure(running.http.get(f"{RESULTS}/{new_result_id()}.png?expires=9999999999&signature=x"), 403, FORGED)


class Test404405And410:
    @pytest.mark.parametrize(
        "path", ["/cutout", "/cutout/%00", "/api", "/api/v2", ENDPOINT + "/", f"{RESULTS}/", f"{RESULTS}/a/b"]
    )
    def test_unknown_paths(self, running: Running, path: str) -> None:
        failure(running.http.get(path), 404, "ERROR_AI_NOT_EXISTS")

    def test_an_unknown_result(self, running: Running) -> None:
        name, expires = f"{new_result_id()}.png", 9_999_999_999
        signature = running.service.signer.sign(name, expires)
        response = running.http.get(f"{RESULTS}/{name}?expires={expires}&signature={signature}")
        failure(response, 404, "ERROR_RESOURCE_NOT_FOUND")

    @pytest.mark.parametrize(
        ("method", "path"), [("GET", ENDPOINT), ("DELETE", ENDPOINT), ("POST", f"{RESULTS}/a.png")]
    )
    def test_wrong_methods(self, running: Running, method: str, path: str) -> None:
        response = running.http.request(method, path)
        failure(response, 405, "ERROR_ILLEGAL_OPERATION")
        assert response.headers["allow"]

    @pytest.mark.slow
    def test_a_result_past_its_life_and_the_order_of_the_checks(self, tmp_path: Path) -> None:
        clock = Clock()
        with serving(tmp_path, now=clock) as running:
            path = success_path(running.send(good("jpeg")))
            assert running.http.get(path).status_code == 200
            clock.ahead_s = 24 * 3600 + 1
            failure(running.http.get(path), 410, "ERROR_RESOURCE_RECLAIMED")
            # signature, then expiry, then existence: 403 before 410 before 404
            failure(running.http.get(path[:-1] + ("A" if path[-1] != "A" else "B")), 403, FORGED)
            name = f"{new_result_id()}.png"
            signature = running.service.signer.sign(name, 1)
            failure(
                running.http.get(f"{RESULTS}/{name}?expires=1&signature={signature}"), 410, "ERROR_RESOURCE_RECLAIMED"
            )


class Test409:
    def test_the_same_idempotency_key_with_another_body(self, running: Running) -> None:
        key, headers = running.new_key(5), {"Idempotency-Key": "order-1"}
        first = success_url(running.send(good("jpeg"), key=key, headers=headers))
        assert success_url(running.send(good("jpeg"), key=key, headers=headers)) == first
        assert running.credits_of(key) == 4  # the repetition cost nothing
        failure(running.send(good("png"), key=key, headers=headers), 409, "ERROR_TASK_CONFLICT")
        other_form = running.send(good("jpeg"), key=key, headers=headers, return_form="mask")
        failure(other_form, 409, "ERROR_TASK_CONFLICT")
        assert success_url(running.send(good("png"), headers=headers)) != first  # another owner's keys are separate

    def test_while_the_first_is_running(self, running: Running) -> None:
        key, headers = running.new_key(), {"Idempotency-Key": "order-2"}
        with gated(running) as gate:
            first = running.send_meanwhile(good("jpeg"), key=key, headers=headers)
            gate.wait_for_arrival()
            failure(running.send(good("jpeg"), key=key, headers=headers), 409, "ERROR_TASK_CONFLICT")
        success_url(first.result())

    def test_a_failure_frees_the_idempotency_key(self, running: Running) -> None:
        key, headers = running.new_key(), {"Idempotency-Key": "order-3"}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(running.service.network, "predict", blind)
            failure(running.send(good("jpeg"), key=key, headers=headers), 422, "ERROR_NO_RECOGNITION_TARGET_DETECTED")
        success_url(running.send(good("jpeg"), key=key, headers=headers))

    @pytest.mark.slow
    def test_a_key_whose_result_is_past_its_life(self, tmp_path: Path) -> None:
        clock = Clock()
        with serving(tmp_path, result_ttl_s=60, now=clock) as running:
            key, headers = running.new_key(), {"Idempotency-Key": "order-4"}
            success_url(running.send(good("jpeg"), key=key, headers=headers))
            clock.ahead_s = 61
            failure(running.send(good("jpeg"), key=key, headers=headers), 410, "ERROR_RESOURCE_RECLAIMED")

    def test_a_key_that_another_release_remembered_in_another_form(self, running: Running) -> None:
        key, headers = running.new_key(), {"Idempotency-Key": "order-5"}
        success_url(running.send(good("jpeg"), key=key, headers=headers))
        running.service.database.change(update(IDEMPOTENCY).values(outcome='{"result_id": "abc"}'))
        failure(running.send(good("jpeg"), key=key, headers=headers), 410, "ERROR_RESOURCE_RECLAIMED")


class Test413415And422:
    def test_three_megabytes_and_one_byte_more(self, running: Running) -> None:
        success_url(running.send(padded(good("jpeg"), MAX_FILE_BYTES)))
        message = failure(running.send(padded(good("jpeg"), MAX_FILE_BYTES + 1)), 413, "FILE_SIZE_EXCEEDS_LIMIT")
        assert "3,145,728" in message

    @pytest.mark.parametrize("chunked", [False, True])
    @pytest.mark.parametrize("more", [100_000, 5_000_000])
    def test_a_photo_that_is_merely_too_large_is_called_so(self, running: Running, more: int, chunked: bool) -> None:
        body, kind = multipart("image", bytes(MAX_FILE_BYTES + more))
        content = iter([body[:1000], body[1000:]]) if chunked else body
        headers = {"content-type": kind, "x-api-market-key": running.new_key()}
        response = running.http.post(ENDPOINT, content=content, headers=headers)
        assert "3,145,728" in failure(response, 413, "FILE_SIZE_EXCEEDS_LIMIT")

    def test_a_body_far_over_the_limit(self, running: Running) -> None:
        body, kind = multipart("image", bytes(5 * MAX_FILE_BYTES))
        headers = {"content-type": kind, "x-api-market-key": running.new_key()}
        response = running.http.post(ENDPOINT, content=body, headers=headers)
        failure(response, 413, "ERROR_REQUEST_BODY_TOO_LARGE")

    def test_unsupported_kinds_and_depths(self, running: Running) -> None:
        assert "GIF" in failure(running.send(b"GIF89a" + bytes(100)), 415, "UNSUPPORTED_FILE_TYPES")
        assert "bits per pixel" in failure(
            running.send(as_png(photo(64, 64)[..., 0])), 415, "ERROR_UNSUPPORTED_GRAYSCALE_IMAGE"
        )

    @pytest.mark.parametrize(
        ("width", "height", "code"),
        [
            (2000, 2000, "FILE_RESOLUTION_EXCEEDS_LIMITS"),
            (2000, 100, "FILE_RESOLUTION_EXCEEDS_LIMITS"),
            (100, 2000, "FILE_RESOLUTION_EXCEEDS_LIMITS"),
            (31, 100, "ERROR_LOW_RESOLUTION"),
            (100, 31, "ERROR_LOW_RESOLUTION"),
        ],
    )
    def test_sizes(self, running: Running, width: int, height: int, code: str) -> None:
        assert f"{width}x{height}" in failure(running.send(flat_png(width, height)), 422, code)

    @pytest.mark.parametrize("value", ["Mask", "cutout", '"', '""mask""', "x" * 1000])
    def test_an_unknown_return_form(self, running: Running, value: str) -> None:
        message = failure(running.send(good("jpeg"), return_form=value), 422, "UNSUPPORTED_PARAMETER_VALUES")
        assert "mask, whiteBK, crop" in message

    def test_nothing_in_the_foreground(self, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(running.service.network, "predict", blind)
        failure(running.send(good("jpeg")), 422, "ERROR_NO_RECOGNITION_TARGET_DETECTED")


def blind(rgb: Float32) -> Float32:
    """A network that finds no product, independent of the real network's abilities."""
    return np.zeros(rgb.shape[2:], np.float32)


class Test429:
    def test_out_of_credits(self, running: Running) -> None:
        key = running.new_key(1)
        success_url(running.send(good("jpeg"), key=key))
        response = running.send(good("jpeg"), key=key)
        failure(response, 429, "ERROR_NOT_ENOUGH_CREDITS")
        assert "retry-after" not in response.headers  # waiting would not help

    @pytest.mark.slow
    def test_the_keys_own_rate_limit(self, tmp_path: Path) -> None:
        with serving(tmp_path, rate_limit="2/hour") as running:
            key = running.new_key()
            for _ in range(2):
                failure(running.send(b"GIF89a", key=key), 415, "UNSUPPORTED_FILE_TYPES")
            response = running.send(b"GIF89a", key=key)
            failure(response, 429, "EXCEEDING_LIMITS")
            assert 3500 < int(response.headers["retry-after"]) <= 3600
            failure(running.send(b"GIF89a"), 415, "UNSUPPORTED_FILE_TYPES")  # another key has a separate window
