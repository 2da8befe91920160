"""Work that is answered before it is done: a task has an id, and for 24 hours every replica can tell how it stands.

The work itself is that of any request (jobs.py). Only its outcome is written down, in the database of the accounts, in
the transaction that settles its credit. A task whose process ended before it was done has failed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, or_, select, update

from packshot import errors
from packshot.errors import ConflictError, PackshotError, ResultUnknown, ShuttingDown
from packshot.service.database import Database
from packshot.service.idempotency import KEPT_S, check_key
from packshot.service.jobs import Jobs, StoredResult, at_last, begun, named, recalled, remembered, request_hash
from packshot.service.tables import TASKS

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from packshot.engine.job import Job, Submission
    from packshot.service.accounts import KeyInfo

log = logging.getLogger(__name__)

RETRY_S = 2


@dataclass(frozen=True)
class Task:
    """How a task stands. result: where it is done. error: where it failed. While it is at work it has neither."""

    id: str
    result: StoredResult | None = None
    error: PackshotError | None = None


class Tasks:
    """`start` answers when the photo is known to be usable and its credit is taken; `look` tells what came of it.

    lost_after_s: age of a task without an outcome whose process must have died.
    """

    def __init__(self, database: Database, jobs: Jobs, now: Callable[[], float], lost_after_s: float) -> None:
        self._database = database
        self._jobs = jobs
        self._now = now
        self._lost_after_s = lost_after_s
        self._running: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """Tasks that are at work here."""
        return len(self._running)

    async def start(
        self,
        key: KeyInfo,
        photo: Submission,
        *,
        idempotency_key: str | None = None,
        hold: Callable[[], Callable[[], None]],
    ) -> str:
        """Begin the work and return its task's id. The same idempotency key and photo have the same task.

        hold: called when the work begins, and what it returns when nothing needs the photo any more.

        Raises
        ------
        ConflictError
            The idempotency key was used for another photo.
        InvalidOption
            The idempotency key is empty or longer than 255 characters.
        Everything that Jobs.make_and_keep raises before the work begins.
        """
        if idempotency_key is not None:
            check_key(idempotency_key)
        task_id = secrets.token_urlsafe(16) if idempotency_key is None else named(key.id, idempotency_key)
        digest = await asyncio.to_thread(request_hash, photo)
        accepted, ended = asyncio.Event(), hold()
        running = asyncio.create_task(self._run(key, photo, task_id, digest, accepted))

        def let_go(done: asyncio.Task[None]) -> None:
            self._running.discard(done)
            ended()
            if not done.cancelled():
                done.exception()  # seen: where the client has left, nobody else will look at it

        self._running.add(running)
        running.add_done_callback(let_go)
        accepting = asyncio.create_task(accepted.wait())
        try:
            await asyncio.wait({running, accepting}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if not accepted.is_set():  # nobody has heard of it
                running.cancel()
            raise
        finally:
            accepting.cancel()
        if running.done() and not accepted.is_set():
            running.result()
        return task_id

    async def look(self, key: KeyInfo, task_id: str) -> Task:
        """How a task stands.

        Raises
        ------
        ResultUnknown
            The key has no such task, or it is older than 24 hours.
        """
        row = await asyncio.to_thread(self._row, key.id, task_id)
        now = self._now()
        if row is None or row.started_at <= now - KEPT_S:
            raise ResultUnknown("There is no such task.", hint="Tasks are kept for 24 hours.", field="task_id")
        if row.outcome is not None:
            return _told(task_id, row.outcome)
        return Task(task_id, error=_lost()) if self._is_lost(row.started_at) else Task(task_id)

    async def close(self) -> None:
        """End the tasks that are at work; their credits are given back, and they have failed."""
        for running in self._running:
            running.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _run(self, key: KeyInfo, photo: Submission, task_id: str, digest: str, accepted: asyncio.Event) -> None:
        """The task's life. Raises what happens before `accepted` is set; what comes later is written down."""
        if not await begun(partial(self._begin, key.id, task_id, digest), True, self._forget, task_id):
            return

        async def accept(_: Job) -> None:
            accepted.set()

        try:
            await self._jobs.make_and_remember(key, photo, partial(self._finish, task_id), accept)
        except BaseException as error:
            if not accepted.is_set():
                await at_last(self._forget, task_id)
                raise
            await at_last(self._fail, task_id, _as_told(error))
            if isinstance(error, PackshotError):
                self._jobs.telemetry.metrics.error(error)
                log.info("the task failed: %s", error)
            elif isinstance(error, Exception):
                log.error("unexpected error", exc_info=error)
            else:
                raise

    def _begin(self, key_id: str, task_id: str, digest: str) -> bool:
        """Whether the caller is to do the work: the task is new, or it has failed."""
        now = self._now()
        row = {"id": task_id, "key_id": key_id, "request_hash": digest, "started_at": now}
        mine = self._database.insert(TASKS).values(**row).on_conflict_do_nothing().returning(TASKS.c.id)
        with self._database.transaction() as connection:
            old = or_(TASKS.c.started_at <= now - KEPT_S, TASKS.c.started_at > now + KEPT_S)
            connection.execute(delete(TASKS).where(old))
            if connection.execute(mine).first():
                return True
            known = connection.execute(select(TASKS).where(TASKS.c.id == task_id)).first()
            if known is not None and known.request_hash != digest:
                raise ConflictError(
                    "This idempotency key was used for another photo.", hint="Take a fresh key for each photo."
                )
            if known is None or not self._may_begin_again(known):
                return False
            again = update(TASKS).where(TASKS.c.id == task_id).values(started_at=now, outcome=None)
            connection.execute(again)
            return True

    def _may_begin_again(self, row: Row[tuple[object, ...]]) -> bool:
        if row.outcome is None:
            return self._is_lost(row.started_at)
        return _told(row.id, row.outcome).error is not None

    def _is_lost(self, started_at: float) -> bool:
        return abs(self._now() - started_at) > self._lost_after_s

    def _row(self, key_id: str, task_id: str) -> Row[tuple[object, ...]] | None:
        rows = self._database.rows(select(TASKS).where(and_(TASKS.c.id == task_id, TASKS.c.key_id == key_id)))
        return rows[0] if rows else None

    def _finish(self, task_id: str, stored: StoredResult, within: Connection) -> None:
        outcome = json.dumps({"result": remembered(stored)})
        within.execute(update(TASKS).where(TASKS.c.id == task_id).values(outcome=outcome))

    def _fail(self, task_id: str, error: PackshotError) -> None:
        outcome = json.dumps({"error": error.to_dict()}, default=str)
        self._database.change(update(TASKS).where(TASKS.c.id == task_id).values(outcome=outcome))

    def _forget(self, task_id: str) -> None:
        self._database.change(delete(TASKS).where(TASKS.c.id == task_id))


def _told(task_id: str, outcome: str) -> Task:
    said = json.loads(outcome)
    if "error" in said:
        return Task(task_id, error=errors.from_dict(said["error"]))
    try:
        return Task(task_id, result=recalled(said["result"]))
    except PackshotError as error:  # of another release, in another form
        return Task(task_id, error=error)


def _as_told(error: BaseException) -> PackshotError:
    """The error as its owner may know it: of a fault of ours there is no more to say than that it was one."""
    if isinstance(error, PackshotError):
        return error
    return _lost() if isinstance(error, asyncio.CancelledError) else PackshotError("unexpected")


def _lost() -> ShuttingDown:
    return ShuttingDown(
        "The service was stopped while it worked on this task; it cost nothing.",
        retry_after_s=RETRY_S,
        hint="Send the photo again.",
    )
