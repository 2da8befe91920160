"""The machine's clock jumps by two days while a service runs."""

from __future__ import annotations

import time

import pytest

from packshot.service.ledger import new_charge_id
from tests.contract.envelope import success_path
from tests.faults.proof import Place, proof
from tests.kit.images import good
from tests.kit.server import Clock, Running, serving

DAYS_S = 2 * 86_400


def _fill(running: Running, key: str) -> int:
    """Send until the key's rate is used up; returns the Retry-After of the refusal."""
    headers = {"x-api-key": key}
    for _ in range(20):
        answer = running.http.get("/v1/account", headers=headers)
        if answer.status_code == 429:
            return int(answer.headers["Retry-After"])
        assert answer.status_code == 200
    raise AssertionError("the rate limit has no effect")


@proof("fault", "the clock steps back two days", "no key is locked; what died is given back; links go on")
def clock_set_back(place: Place) -> str:
    return _with_a_step(place, -DAYS_S)


@proof("fault", "the clock steps ahead two days, and back", "no key is locked; links end, and are there again")
def clock_set_ahead(place: Place) -> str:
    return _with_a_step(place, DAYS_S)


def _with_a_step(place: Place, step_s: float) -> str:
    clock, rate = Clock(), "2/second"
    with (
        serving(place.folder, workers=1, now=clock, rate_limit=rate) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        key, named = running.new_key(20), {"Idempotency-Key": "1"}
        first = running.send(good("jpeg"), key=key, headers=named)
        path = success_path(first)
        key_id = running.service.accounts.authenticate(key).id
        running.service.ledger.charge(key_id, new_charge_id())  # of a process that died
        running.service.jobs.idempotency.begin(key_id, "2", "of a process that died")
        waits_s = [_fill(running, key)]
        clock.ahead_s, now = step_s, time.time
        patch.setattr(time, "time", lambda: now() + clock.ahead_s)
        waits_s.append(_fill(running, key))
        assert max(waits_s) == 1, waits_s
        time.sleep(1.1)
        assert running.send(good("jpeg"), key=key, headers={"Idempotency-Key": "2"}).status_code == 200
        linked = running.http.get(path).status_code
        assert linked == (200 if step_s < 0 else 410)
        assert running.service.ledger.give_back_lost(older_than_s=180) == 1
        clock.ahead_s = 0.0
        assert running.http.get(path).status_code == 200
        time.sleep(1.1)
        assert running.credits_of(key) == 20 - 2
    return f"Retry-After {max(waits_s)} s; the link: {linked}, then 200; 2 photos, 2 credits"
