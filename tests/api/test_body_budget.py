"""The memory budget of all uploads together: an upload above it must retry later, and finished uploads free their
share.
"""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.contract.envelope import failure, success_url
from tests.kit.images import good, padded
from tests.kit.native import problem, send
from tests.kit.server import gated, head, multipart, received, serving, wait_until

FILE_BYTES = 1_000_000
ROOM_BYTES = 3 * FILE_BYTES + 1024**2


@pytest.mark.slow
def test_bodies_that_do_not_fit_together_come_one_after_the_other(tmp_path: Path) -> None:
    limits = {"max_file_bytes": FILE_BYTES, "v1_max_file_bytes": FILE_BYTES, "upload_memory_bytes": ROOM_BYTES}
    photo = padded(good("jpeg"), FILE_BYTES)
    body, kind = multipart("image", photo)
    with serving(tmp_path, **limits) as running:
        key = running.new_key()
        with socket.create_connection(running.address) as first, socket.create_connection(running.address) as second:
            for slow in (first, second):
                slow.sendall(head(key, kind, len(body)) + body[:-1000])
            third = {"background_picture": bytes(FILE_BYTES), "touch_up": bytes(FILE_BYTES)}

            def refused() -> bool:  # true as soon as the server has read the bytes of both
                return send(running, photo, key=key, files=third).status_code == 503

            wait_until(refused)
            answer = send(running, photo, key=key, files=third)
            problem(answer, 503, "uploads-full")
            assert int(answer.headers["retry-after"]) >= 1
            for slow in (first, second):
                slow.sendall(body[-1000:])
                success_url(received(slow))
        wait_until(lambda: not running.server.server_state.tasks)
        assert send(running, photo, key=key, files=third).status_code == 422  # it fits, but its zeros are no pictures


@pytest.mark.slow
def test_whoever_has_no_key_takes_no_room(tmp_path: Path) -> None:
    with serving(
        tmp_path, max_file_bytes=FILE_BYTES, v1_max_file_bytes=FILE_BYTES, upload_memory_bytes=ROOM_BYTES
    ) as running:
        body, kind = multipart("image", padded(good("jpeg"), FILE_BYTES))
        crowd = [socket.create_connection(running.address) for _ in range(5)]
        try:
            for stranger in crowd:
                stranger.sendall(head("", kind, len(body)) + body)
                failure(received(stranger), 401, "ERROR_APPLICATIONS_NOT_EXISTS")
            success_url(running.send(good("jpeg")))
        finally:
            for stranger in crowd:
                stranger.close()


@pytest.mark.slow
def test_a_photo_whose_work_is_done_later_takes_no_room_meanwhile(tmp_path: Path) -> None:
    with serving(
        tmp_path, max_file_bytes=FILE_BYTES, v1_max_file_bytes=FILE_BYTES, upload_memory_bytes=ROOM_BYTES, workers=1
    ) as running:
        hd, photo = "/api/cutout/general/hd-universal-background-removal", padded(good("jpeg"), FILE_BYTES)
        with gated(running) as gate:
            for _ in range(5):  # more than the budget allows
                assert running.send(photo, path=hd).status_code == 200
            gate.wait_for_arrival()
        wait_until(lambda: not running.service.worker.running)
