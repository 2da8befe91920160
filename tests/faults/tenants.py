"""Two tenants: attacks on each other through ids, request names and uploads that end early."""

from __future__ import annotations

import socket

from tests.contract.envelope import failure, success_path
from tests.faults.proof import Place, proof
from tests.kit.images import good
from tests.kit.server import head, multipart, wait_until


@proof("abuse", "another tenant's Idempotency-Key", "its own result, its own credit; nothing is learnt")
def anothers_idempotency_key(place: Place) -> str:
    running, name = place.running, {"idempotency-key": "order-1"}
    first, second = running.new_key(5), running.new_key(5)
    path = success_path(running.send(good("jpeg"), key=first, headers=name))
    same_photo = success_path(running.send(good("jpeg"), key=second, headers=name))
    assert same_photo.partition("?")[0] != path.partition("?")[0]
    third = running.new_key(5)
    success_path(running.send(good("png", 99, 77), key=third, headers=name))  # no 409, which would tell of the first
    assert [running.credits_of(key) for key in (first, second, third)] == [4, 4, 4]
    return "three tenants, three results, a credit each"


@proof("abuse", "a request sent again, 5 times", "the same link, one credit")
def replayed(place: Place) -> str:
    running, key, name = place.running, place.running.new_key(5), {"idempotency-key": "order-2"}
    paths = {success_path(running.send(good("jpeg"), key=key, headers=name)) for _ in range(5)}
    assert len(paths) == 1
    assert running.credits_of(key) == 4
    failure(running.send(good("png"), key=key, headers=name), 409, "ERROR_TASK_CONFLICT")
    return "one link, one credit; another photo under that name: 409"


@proof("abuse", "another tenant's id under one's own signature", "403; a deleted neighbour's picture is not found")
def anothers_result(place: Place) -> str:
    running = place.running
    mine, theirs = (success_path(running.send(good("jpeg"), key=running.new_key())) for _ in range(2))
    their_id, my_signature = theirs.partition("?")[0], mine.partition("?")[2]
    assert running.http.get(f"{their_id}?{my_signature}").status_code == 403
    assert running.http.delete(theirs).status_code == 405
    assert running.http.get(theirs).status_code == 200
    return "403; DELETE 405"


@proof("abuse", "an upload cut off, after a whole one of another tenant", "400 or nothing; never the other's picture")
def truncated_second_upload(place: Place) -> str:
    running = place.running
    first, second = running.new_key(5), running.new_key(5)
    success_path(running.send(good("jpeg", 300, 200), key=first))
    body, kind = multipart("image", good("jpeg"))
    with socket.create_connection(running.address) as connection:  # less than announced, then disconnected
        connection.sendall(head(second, kind, len(body)) + body[: len(body) // 2])
        wait_until(lambda: running.server.server_state.tasks)
    wait_until(lambda: not running.server.server_state.tasks)
    cut = good("jpeg")[: len(good("jpeg")) // 2]
    failure(running.send(cut, key=second), 400, "FILE_DECODING_FAILURE")
    assert running.credits_of(second) == 5
    return "400, no credit"


@proof(
    "abuse", "an upload cut off, then whole, under one name", "the cut one leaves nothing behind: the whole one is done"
)
def cut_then_whole(place: Place) -> str:
    running, key = place.running, place.running.new_key(5)
    body, kind = multipart("image", good("jpeg"))
    named = head(key, kind, len(body)).replace(b"\r\n\r\n", b"\r\nIdempotency-Key: order-3\r\n\r\n")
    with socket.create_connection(running.address) as connection:
        connection.sendall(named + body[:-30])
        wait_until(lambda: running.server.server_state.tasks)
    wait_until(lambda: not running.server.server_state.tasks)
    success_path(running.send(good("jpeg"), key=key, headers={"idempotency-key": "order-3"}))
    assert running.credits_of(key) == 4
    return "done once, one credit"
