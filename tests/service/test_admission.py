from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from packshot.errors import QueueFull, ShuttingDown
from packshot.service.admission import FIRST_RETRY_S, LARGE_BYTES, Admission
from tests.service.kit import until

LONG_S = 30


class Gate:
    """Work that reports its start, and continues when the test allows it."""

    def __init__(self) -> None:
        self.begun = 0
        self._lock = threading.Lock()
        self._open = threading.Event()

    def __call__(self) -> str:
        with self._lock:
            self.begun += 1
        assert self._open.wait(LONG_S)
        return "done"

    def open(self) -> None:
        self._open.set()


async def fill(admission: Admission, gate: Gate, count: int) -> list[asyncio.Task[str]]:
    """Send `count` requests and return when all are admitted."""
    inside = admission.running + admission.queued
    tasks = [asyncio.create_task(admission.run(gate)) for _ in range(count)]
    await until(lambda: admission.running + admission.queued == inside + count)
    return tasks


def scenario(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(test())

    run.__name__ = test.__name__
    return run


@scenario
async def test_work_runs_on_a_thread_and_its_value_or_error_comes_back() -> None:
    admission = Admission(workers=2, queue_limit=0)
    assert await admission.run(threading.get_ident) != threading.get_ident()
    for error in (ValueError("x"), TimeoutError("the work's own")):
        with pytest.raises(type(error), match=str(error)):
            await admission.run(_raiser(error))
    assert (admission.running, admission.queued) == (0, 0)


@scenario
async def test_as_many_run_as_there_are_workers_and_the_rest_wait_up_to_the_limit() -> None:
    admission, gate = Admission(workers=2, queue_limit=3), Gate()
    tasks = await fill(admission, gate, 5)
    assert (admission.running, admission.queued) == (2, 3)
    for _ in range(3):
        with pytest.raises(QueueFull) as caught:
            await admission.run(gate)
        assert caught.value.retry_after_s >= 1
    gate.open()
    assert await asyncio.gather(*tasks) == ["done"] * 5
    assert gate.begun == 5
    assert (admission.running, admission.queued) == (0, 0)


@scenario
async def test_without_a_queue_a_free_worker_is_still_used() -> None:
    admission = Admission(workers=1, queue_limit=0)
    assert await admission.run(lambda: "done") == "done"


@scenario
async def test_requests_are_served_in_the_order_of_their_coming() -> None:
    admission, order = Admission(workers=1, queue_limit=20), []
    await asyncio.gather(*(admission.run(lambda n=n: order.append(n)) for n in range(20)))
    assert order == list(range(20))


@scenario
async def test_a_request_that_leaves_the_queue_is_never_computed_and_makes_room() -> None:
    admission, gate, computed = Admission(workers=1, queue_limit=1), Gate(), []
    (first,) = await fill(admission, gate, 1)
    waiting = asyncio.create_task(admission.run(lambda: computed.append("waiting")))
    await until(lambda: admission.queued == 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert admission.queued == 0
    successor = asyncio.create_task(admission.run(lambda: computed.append("successor")))
    await until(lambda: admission.queued == 1)
    gate.open()
    await asyncio.gather(first, successor)
    assert computed == ["successor"]


@scenario
async def test_a_deadline_that_passes_in_the_queue_ends_the_wait_and_computes_nothing() -> None:
    admission, gate = Admission(workers=1, queue_limit=1), Gate()
    (first,) = await fill(admission, gate, 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(admission.run(gate), 0.02)
    assert (admission.running, admission.queued) == (1, 0)
    gate.open()
    await first
    assert gate.begun == 1


@scenario
async def test_a_slot_stays_taken_until_its_thread_ends_although_its_request_has_given_up() -> None:
    admission, gate = Admission(workers=1, queue_limit=0), Gate()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(admission.run(gate), 0.02)
    assert admission.running == 1
    with pytest.raises(QueueFull):
        await admission.run(lambda: "too early")
    gate.open()
    await until(lambda: admission.running == 0)
    assert await admission.run(lambda: "done") == "done"


@scenario
async def test_a_client_that_goes_away_during_the_work_frees_the_slot_at_its_end() -> None:
    admission, gate = Admission(workers=1, queue_limit=1), Gate()
    (first,) = await fill(admission, gate, 1)
    await until(lambda: gate.begun == 1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert admission.running == 1
    gate.open()
    await until(lambda: admission.running == 0)


@scenario
async def test_an_error_after_the_request_has_given_up_disturbs_nobody() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    admission, gate = Admission(workers=1, queue_limit=0), Gate()

    def fail() -> None:
        gate()
        raise ValueError("late")

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(admission.run(fail), 0.02)
    gate.open()
    await until(lambda: admission.running == 0)
    assert complaints == []


@scenario
async def test_counts_are_true_after_a_storm_of_requests_that_come_go_and_fail() -> None:
    admission, at_work, most = Admission(workers=3, queue_limit=10), [0], [0]
    lock = threading.Lock()

    def work() -> None:
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        time.sleep(0.002)
        with lock:
            at_work[0] -= 1

    async def request(n: int) -> None:
        task = asyncio.create_task(asyncio.wait_for(admission.run(work), 0.004 if n % 3 else LONG_S))
        await asyncio.sleep(0.001 * (n % 5))
        if n % 4 == 0:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    for _ in range(5):
        await asyncio.gather(*(request(n) for n in range(30)))
    await until(lambda: admission.running == 0)
    assert (admission.queued, at_work[0]) == (0, 0)
    assert 1 <= most[0] <= 3
    await asyncio.gather(*(admission.run(work) for _ in range(13)))  # every slot is still there
    assert most[0] == 3


@scenario
async def test_the_advice_to_come_again_follows_what_work_takes() -> None:
    async def advice() -> int:
        gate = Gate()
        tasks = await fill(admission, gate, 201)
        with pytest.raises(QueueFull) as caught:
            await admission.run(gate)
        gate.open()
        await asyncio.gather(*tasks)
        return caught.value.retry_after_s

    admission = Admission(workers=1, queue_limit=200)
    assert await advice() == FIRST_RETRY_S  # no measurement yet
    for _ in range(32):
        await admission.run(lambda: time.sleep(0.01))
    assert FIRST_RETRY_S < await advice() <= 60  # 201 requests of 0.01 s each, and room for a slow machine


@scenario
async def test_a_drain_refuses_the_new_and_waits_for_those_who_are_in() -> None:
    admission, gate = Admission(workers=1, queue_limit=1), Gate()
    tasks = await fill(admission, gate, 2)
    draining = asyncio.create_task(admission.drain())
    await until(lambda: admission.draining)
    with pytest.raises(ShuttingDown) as caught:
        await admission.run(gate)
    assert caught.value.retry_after_s >= 1
    assert not draining.done()
    gate.open()
    await draining
    assert await asyncio.gather(*tasks) == ["done", "done"]


@scenario
async def test_a_drain_waits_for_threads_whose_requests_have_given_up() -> None:
    admission, gate = Admission(workers=1, queue_limit=0), Gate()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(admission.run(gate), 0.02)
    draining = asyncio.create_task(admission.drain())
    await asyncio.sleep(0.02)
    assert not draining.done()
    gate.open()
    await asyncio.wait_for(draining, 5)


@scenario
async def test_after_closing_those_who_are_in_are_still_served() -> None:
    admission, gate = Admission(workers=1, queue_limit=1), Gate()
    tasks = await fill(admission, gate, 2)
    admission.close()
    with pytest.raises(ShuttingDown):
        await admission.run(gate)
    gate.open()
    assert await asyncio.gather(*tasks) == ["done", "done"]


@scenario
async def test_a_drain_with_nothing_to_do_ends_at_once() -> None:
    await asyncio.wait_for(Admission(workers=2, queue_limit=2).drain(), 1)


@scenario
async def test_a_thread_that_the_system_does_not_grant_costs_no_slot() -> None:
    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    admission = Admission(workers=1, queue_limit=0)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError, match="new thread"):
        patch.setattr(threading.Thread, "start", refused)
        await admission.run(threading.get_ident)
    assert admission.running == 0
    await admission.run(threading.get_ident)
    await asyncio.wait_for(admission.drain(), LONG_S)


@scenario
async def test_work_sees_the_context_of_its_request() -> None:
    request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id")
    request_id.set("A-1")
    assert await Admission(workers=1, queue_limit=0).run(request_id.get) == "A-1"


def _raiser(error: Exception) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


async def _in_turn(admission: Admission, *asked: tuple[str, int]) -> list[str]:
    """The order in which work of these keys and memory sizes is done, if requested while all workers are busy."""
    gate, order = Gate(), []
    first = [asyncio.create_task(admission.run(gate, key="first")) for _ in range(admission._workers)]
    await until(lambda: gate.begun == len(first))
    tasks = []
    for key, memory_bytes in asked:
        tasks.append(asyncio.create_task(admission.run(partial(order.append, key), key=key, memory_bytes=memory_bytes)))
        await until(lambda: admission.queued == len(tasks))
    gate.open()
    await asyncio.gather(*first, *tasks)
    return order


@scenario
async def test_a_key_with_much_in_the_queue_does_not_keep_another_waiting() -> None:
    """With one worker still taken by the busy key, the other key's request goes first."""
    admission, gate, order = Admission(workers=2, queue_limit=20), Gate(), []
    held = [asyncio.create_task(admission.run(gate, key="busy")) for _ in range(2)]
    await until(lambda: gate.begun == 2)
    tasks = [asyncio.create_task(admission.run(partial(order.append, "busy"), key="busy")) for _ in range(10)]
    await until(lambda: admission.queued == 10)
    tasks.append(asyncio.create_task(admission.run(partial(order.append, "other"), key="other")))
    await until(lambda: admission.queued == 11)
    gate.open()
    await asyncio.gather(*held, *tasks)
    assert order.index("other") <= 1  # both workers become free at once: one may take the busy key's first


@scenario
async def test_large_work_leaves_a_worker_to_others_while_another_key_is_in_use() -> None:
    admission, gate = Admission(workers=2, queue_limit=20), Gate()
    assert await admission.run(lambda: "done", key="shop") == "done"
    large = [asyncio.create_task(admission.run(gate, key="slow", memory_bytes=LARGE_BYTES + 1)) for _ in range(4)]
    await until(lambda: gate.begun == 1 and admission.queued == 3)
    for _ in range(5):
        assert await asyncio.wait_for(admission.run(lambda: "done", key="shop"), LONG_S) == "done"
    assert gate.begun == 1
    gate.open()
    assert await asyncio.gather(*large) == ["done"] * 4


@scenario
async def test_a_key_that_is_alone_may_use_all_workers_for_large_work() -> None:
    admission, gate = Admission(workers=2, queue_limit=20), Gate()
    large = [asyncio.create_task(admission.run(gate, key="only", memory_bytes=LARGE_BYTES + 1)) for _ in range(2)]
    await until(lambda: gate.begun == 2)
    gate.open()
    await asyncio.gather(*large)


@scenario
async def test_large_work_shares_the_memory_and_goes_alone_where_it_needs_more_than_all_of_it() -> None:
    admission, at_work, most = Admission(workers=4, queue_limit=50, memory_bytes=5 * LARGE_BYTES), [0], [0]
    lock = threading.Lock()

    def work(need: int) -> None:
        with lock:
            at_work[0] += need
            most[0] = max(most[0], at_work[0])
        time.sleep(0.003)
        with lock:
            at_work[0] -= need

    needs = [2 * LARGE_BYTES, 3 * LARGE_BYTES, 4 * LARGE_BYTES, 6 * LARGE_BYTES] * 4
    await asyncio.gather(*(admission.run(partial(work, need), key="only", memory_bytes=need) for need in needs))
    assert most[0] == 6 * LARGE_BYTES
    await asyncio.gather(
        *(admission.run(partial(work, need), key="only", memory_bytes=need) for need in needs if need < 6 * LARGE_BYTES)
    )
    assert (admission.running, admission.queued) == (0, 0)


@scenario
async def test_large_work_waits_in_its_own_order_and_small_work_passes_it() -> None:
    admission = Admission(workers=1, queue_limit=20, memory_bytes=2 * LARGE_BYTES)
    order = await _in_turn(
        admission,
        ("large", 2 * LARGE_BYTES),
        ("larger", 9 * LARGE_BYTES),
        ("small", 0),
        ("large again", LARGE_BYTES + 1),
    )
    assert [key for key in order if key != "small"] == ["large", "larger", "large again"]


@scenario
async def test_a_look_needs_no_worker_and_counts_as_queued() -> None:
    admission, gate, looking = Admission(workers=1, queue_limit=1), Gate(), Gate()
    (first,) = await fill(admission, gate, 1)
    look = asyncio.create_task(admission.look(looking))
    await until(lambda: looking.begun == 1)
    assert admission.queued == 1
    with pytest.raises(QueueFull):
        await admission.look(lambda: "too many")
    looking.open()
    assert await look == "done"
    gate.open()
    await first


@scenario
async def test_an_error_takes_no_pictures_along_when_it_leaves_a_worker() -> None:
    class Pixels:
        pass

    seen: list[weakref.ref[Pixels]] = []

    def stage() -> None:
        pixels = Pixels()
        seen.append(weakref.ref(pixels))
        raise LookupError("inner")

    def work() -> None:
        pixels = Pixels()
        seen.append(weakref.ref(pixels))
        try:
            stage()
        except LookupError as error:
            raise ValueError("outer") from error

    admission = Admission(workers=1, queue_limit=0)
    with pytest.raises(ValueError, match="outer") as caught:
        await admission.run(work)
    gc.collect()
    assert [each() for each in seen] == [None, None]
    assert "in stage" in "".join(traceback.format_exception(caught.value))  # the traceback still shows the place


@scenario
async def test_requests_overtake_work_in_the_background_for_a_while() -> None:
    admission, order, gate = Admission(workers=1, queue_limit=8), list[str](), Gate()
    first = await fill(admission, gate, 1)
    names = [("job 1", True), ("job 2", True), ("request 1", False), ("request 2", False)]
    tasks = [
        asyncio.create_task(admission.run(partial(order.append, name), background=behind)) for name, behind in names
    ]
    await until(lambda: admission.queued == 4)
    gate.open()
    await asyncio.gather(*first, *tasks)
    assert order == ["request 1", "request 2", "job 1", "job 2"]


def test_work_in_the_background_goes_on_under_any_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packshot.service.admission.BACKGROUND_WAITS_S", 0.0)

    async def test() -> None:
        admission, order, gate = Admission(workers=1, queue_limit=8), list[str](), Gate()
        first = await fill(admission, gate, 1)
        names = [("request 1", False), ("job", True), ("request 2", False)]
        tasks = [asyncio.create_task(admission.run(partial(order.append, name), background=b)) for name, b in names]
        await until(lambda: admission.queued == 3)
        gate.open()
        await asyncio.gather(*first, *tasks)
        assert order == ["request 1", "job", "request 2"]

    asyncio.run(test())


@scenario
async def test_work_in_the_background_takes_no_place_in_the_queue_and_is_not_turned_away() -> None:
    admission, gate = Admission(workers=1, queue_limit=1), Gate()
    tasks = await fill(admission, gate, 2)  # as many as the limits allow
    tasks += [asyncio.create_task(admission.run(gate, background=True)) for _ in range(3)]
    await until(lambda: admission.queued == 4)
    with pytest.raises(QueueFull):
        await admission.run(gate)
    gate.open()
    await asyncio.gather(*tasks)
    assert await admission.run(gate) == "done", "all places are free again"
    admission.close()
    with pytest.raises(ShuttingDown):
        await admission.run(gate, background=True)


def test_while_requests_come_work_in_the_background_leaves_them_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packshot.service.admission.REQUESTS_COME_S", 0.1)

    async def test() -> None:
        admission, gate = Admission(workers=2, queue_limit=8), Gate()
        await admission.run(int)  # a request has just arrived
        tasks = [asyncio.create_task(admission.run(gate, background=True)) for _ in range(2)]
        await until(lambda: gate.begun == 1)
        assert (admission.running, admission.queued) == (1, 1)
        assert await admission.run(threading.get_ident), "another request begins at once"
        await asyncio.sleep(0.1)  # no more start: the background has both workers
        tasks.append(asyncio.create_task(admission.run(gate, background=True)))
        await until(lambda: gate.begun == 2)
        gate.open()
        await asyncio.gather(*tasks)

    asyncio.run(test())
