"""The large photo's endpoint: returns a task id at once, and the result by a query, on any replica, for a week."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from packshot.core.picture import Float32
from packshot.service.queue import LEASE_S
from tests.contract.envelope import failure
from tests.kit.images import good
from tests.kit.server import Clock, Gate, Running, gated, serving, wait_until

HD = "/api/cutout/general/hd-universal-background-removal"
QUERY = "/api/common/query-async-task-result"


def begun(running: Running, key: str, photo: bytes | None = None, **headers: str) -> str:
    answer = running.send(photo or good("jpeg", 160, 120), key=key, path=HD, headers=headers)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["error_code"], body["task_type"]) == (0, "async")
    assert "data" not in body
    task_id: str = body["task_id"]
    return task_id


def asked(running: Running, key: str, task_id: str) -> dict[str, Any]:
    answer = running.http.get(QUERY, params={"task_id": task_id}, headers={"ailabapi-api-key": key})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert body["error_code"] == 0
    return body


def ended(running: Running, key: str, task_id: str) -> dict[str, Any]:
    wait_until(lambda: asked(running, key, task_id)["task_status"] != 1)
    return asked(running, key, task_id)


@contextmanager
def blind(running: Running) -> Iterator[None]:
    """A network that finds no product."""

    def predict(rgb: Float32) -> Float32:
        return np.zeros(rgb.shape[2:], np.float32)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running.service.network, "predict", predict)
        yield


def test_the_answer_comes_before_the_work_is_done(running: Running) -> None:
    key = running.new_key(5)
    with gated(running) as gate:
        task_id = begun(running, key)
        gate.wait_for_arrival()
        assert asked(running, key, task_id)["task_status"] == 1
        assert "data" not in asked(running, key, task_id)
    body = ended(running, key, task_id)
    assert body["task_status"] == body["data"]["task_status"] == 2
    made = Image.open(io.BytesIO(httpx.get(body["data"]["image_url"]).content))
    assert (made.mode, made.size) == ("RGBA", (160, 120))
    assert running.credits_of(key) == 4


@pytest.mark.parametrize(
    ("photo", "status", "code"),
    [
        (b"GIF89a" + bytes(50), 415, "UNSUPPORTED_FILE_TYPES"),
        (b"", 400, "PARAMETERS_CANNOT_EMPTY"),
        (good("jpeg", 20, 20), 422, "ERROR_LOW_RESOLUTION"),
    ],
)
def test_what_is_wrong_with_the_file_is_said_at_once(running: Running, photo: bytes, status: int, code: str) -> None:
    key = running.new_key(5)
    failure(running.send(photo, key=key, path=HD), status, code)
    assert running.credits_of(key) == 5
    failure(running.send(good("jpeg"), key=running.new_key(0), path=HD), 429, "ERROR_NOT_ENOUGH_CREDITS")


def test_a_failure_in_the_work_is_told_and_costs_nothing(running: Running) -> None:
    key = running.new_key(5)
    with blind(running):
        body = ended(running, key, begun(running, key))
    assert body["task_status"] == 3
    assert body["error_detail"]["code"] == "ERROR_NO_RECOGNITION_TARGET_DETECTED"
    assert body["error_detail"]["message"]
    assert running.credits_of(key) == 5


def test_a_fault_of_ours_tells_nothing(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(rgb: Float32) -> Float32:
        raise RuntimeError("a secret")

    monkeypatch.setattr(running.service.network, "predict", broken)
    key = running.new_key(5)
    body = ended(running, key, begun(running, key))
    assert (body["task_status"], body["error_detail"]["code"]) == (3, "SERVICE_INTERNAL_ERROR")
    assert "secret" not in str(body)
    assert running.credits_of(key) == 5


def test_a_task_is_its_owners_alone(running: Running) -> None:
    key = running.new_key(5)
    task_id = begun(running, key)
    ended(running, key, task_id)
    for other, name in ((running.new_key(), task_id), (key, "x" * 22), (key, "x" * 5000)):
        answer = running.http.get(QUERY, params={"task_id": name}, headers={"ailabapi-api-key": other})
        failure(answer, 404, "ERROR_RESOURCE_NOT_FOUND")
    failure(running.http.get(QUERY, params={"task_id": task_id}), 401, "ERROR_APPLICATIONS_NOT_EXISTS")
    failure(running.http.get(QUERY, headers={"ailabapi-api-key": key}), 400, "MISSING_PARAMETERS")


def test_the_same_idempotency_key_has_the_same_task(running: Running) -> None:
    key = running.new_key(5)
    first = begun(running, key, **{"Idempotency-Key": "order-1"})
    assert begun(running, key, **{"Idempotency-Key": "order-1"}) == first
    ended(running, key, first)
    assert begun(running, key, **{"Idempotency-Key": "order-1"}) == first
    assert running.credits_of(key) == 4
    other = running.send(good("png"), key=key, path=HD, headers={"Idempotency-Key": "order-1"})
    failure(other, 409, "ERROR_TASK_CONFLICT")
    assert begun(running, running.new_key(), **{"Idempotency-Key": "order-1"}) != first
    too_long = running.send(good("jpeg"), key=key, path=HD, headers={"Idempotency-Key": "x" * 256})
    failure(too_long, 422, "UNSUPPORTED_PARAMETER_VALUES")


@pytest.mark.slow
def test_a_failed_task_begins_again(running: Running) -> None:
    key = running.new_key(5)
    with blind(running):
        first = begun(running, key, **{"Idempotency-Key": "order-2"})
        assert ended(running, key, first)["task_status"] == 3
    assert begun(running, key, **{"Idempotency-Key": "order-2"}) == first
    assert ended(running, key, first)["task_status"] == 2
    assert running.credits_of(key) == 4


@pytest.mark.slow
def test_a_task_is_known_after_a_restart_and_forgotten_after_a_week(tmp_path: Path) -> None:
    clock = Clock()
    with serving(tmp_path, now=clock) as running:
        key = running.new_key(5)
        task_id = begun(running, key)
        assert ended(running, key, task_id)["task_status"] == 2
    with serving(tmp_path, now=clock) as running:
        assert asked(running, key, task_id)["task_status"] == 2
        clock.ahead_s = 7 * 24 * 3600 + 1
        running.service.background.forget_old()
        answer = running.http.get(QUERY, params={"task_id": task_id}, headers={"ailabapi-api-key": key})
        failure(answer, 404, "ERROR_RESOURCE_NOT_FOUND")


@pytest.mark.slow
def test_a_service_that_stops_leaves_its_tasks_to_the_next(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, serving(tmp_path, drain_s=0.1) as running:
        patch.setattr("packshot.service.build.LAST_STAGE_S", 0.1)
        gate = Gate(running.service.network.predict)
        patch.setattr(running.service.network, "predict", gate)
        key = running.new_key(5)
        task_id = begun(running, key)
        gate.wait_for_arrival()
        running.server.should_exit = True
        wait_until(lambda: not running.service.worker.running)
        gate.open()
    with serving(tmp_path) as running:
        assert ended(running, key, task_id)["task_status"] == 2
        assert running.credits_of(key) == 4


@pytest.mark.slow
def test_a_task_whose_process_has_died_is_done_by_another(tmp_path: Path) -> None:
    later = Clock()
    later.ahead_s = 2 * LEASE_S  # every lease has expired, also one that the first process renews meanwhile
    with serving(tmp_path) as dead:
        key = dead.new_key(5)
        with gated(dead) as gate:
            task_id = begun(dead, key)
            gate.wait_for_arrival()
            with serving(tmp_path, now=later) as other:
                assert ended(other, key, task_id)["task_status"] == 2
                assert other.credits_of(key) == 4
        wait_until(lambda: not dead.service.worker.running)  # the result comes too late, and changes nothing
        assert dead.credits_of(key) == 4
        assert sum(day.succeeded for day in dead.service.ledger.usage()) == 1
