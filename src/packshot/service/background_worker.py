"""Does the work of jobs: one lane for photos and one for webhooks, each with a limit of items at once.

A replica that stops gives its items back. If a replica is killed, its items go to other workers when their leases end.
The name of the claim names a photo's charge, so the worker that repeats the photo gives the earlier credit back.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from packshot.core.options import Options
from packshot.engine.job import Submission
from packshot.engine.presets import recipes_for
from packshot.errors import (
    CapacityError,
    DatabaseUnavailable,
    DeadlineExceeded,
    JobUnknown,
    PackshotError,
    ResultUnknown,
    StoreUnavailable,
    UrlTooSlow,
)
from packshot.service.background import HINT, BackgroundJob, BackgroundJobs
from packshot.service.blocking_calls import at_last
from packshot.service.jobs import StoredResult, remembered
from packshot.service.logs import bind_key, bind_request
from packshot.service.photos import photo_id_of
from packshot.service.queue import BEAT_S, End, Item, Kind, Queue, Superseded
from packshot.service.webhooks import AT_ONCE, PAUSES_S

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from packshot.core.codecs import Limits
    from packshot.service.accounts import Accounts, KeyInfo
    from packshot.service.jobs import Jobs
    from packshot.service.ledger import Ledger
    from packshot.service.webhooks import Webhooks

POLL_S = 1.0
"""Interval at which an idle replica looks for jobs that another replica has begun."""
TIDY_S = 600.0
MOST_TRIES = 3
"""Attempts for a photo whose work ends without a result: the process died, or a deadline passed."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 300.0
_WITHIN_TRIES = (DeadlineExceeded, UrlTooSlow)
_WHEN_BACK = (CapacityError, StoreUnavailable)

Describe = Callable[[BackgroundJob], Mapping[str, Any]]
"""A job as the API shows it, for the body of its webhook."""

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Lane:
    """Items of one kind. width: the most at once."""

    kind: Kind
    width: int
    work: Callable[[Item], Awaitable[None]]
    running: dict[asyncio.Task[None], Item] = field(default_factory=dict)


@dataclass(kw_only=True, eq=False)
class BackgroundWorker:
    """Claims and processes items. One per replica.

    limits: of accepted photos. max_file_bytes: of a photo that a URL names. ended: called with the kind and outcome of
    each item. describe: set by the API, which writes the body of a webhook.
    """

    jobs: Jobs
    background: BackgroundJobs
    queue: Queue
    accounts: Accounts
    ledger: Ledger
    webhooks: Webhooks
    limits: Limits
    workers: int
    max_file_bytes: int
    ended: Callable[[str, str], None]
    describe: Describe | None = None
    beat_s: float = BEAT_S
    poll_s: float = POLL_S
    _lanes: tuple[_Lane, ...] = field(init=False)
    _checking: set[asyncio.Future[None]] = field(default_factory=set, init=False)
    _news: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        self._lanes = (_Lane("photo", self.workers, self._photo), _Lane("webhook", AT_ONCE, self._webhook))
        self.background.on_change.append(self._changed)

    @property
    def running(self) -> int:
        """The number of items in work on this replica."""
        return sum(len(lane.running) for lane in self._lanes)

    async def run(self) -> None:
        """Claim and process items until cancelled. Items in work go on: `close` ends them."""
        await asyncio.gather(*(self._run(lane) for lane in self._lanes), self._beat(), self._tidy())

    async def close(self) -> None:
        """Cancel the items in work and give them back."""
        running = [task for lane in self._lanes for task in lane.running]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _changed(self, job_id: str) -> None:
        """Wake the lanes for a new or cancelled job. Cancels the photos in work of a cancelled job."""
        self._news.set()
        for lane in self._lanes:
            for task, item in lane.running.items():
                if item.kind == "photo" and item.job_id == job_id:
                    checking = asyncio.ensure_future(self._check(task, item))
                    self._checking.add(checking)
                    checking.add_done_callback(self._checking.discard)

    async def _check(self, task: asyncio.Task[None], item: Item) -> None:
        """Cancel a task whose item no longer belongs to this worker."""
        with suppress(DatabaseUnavailable):
            if not await asyncio.to_thread(self.queue.renew, item):
                task.cancel()

    async def _run(self, lane: _Lane) -> None:
        while True:
            item = None
            if len(lane.running) < lane.width:
                try:
                    item = await asyncio.to_thread(self.queue.claim, lane.kind)
                except DatabaseUnavailable as error:
                    log.warning("jobs wait: %s", error)
                except Exception:
                    log.exception("jobs wait")  # no caller would log it, and the loop must go on
            if item is None:
                await self._wait()
                continue
            task = asyncio.create_task(self._do(lane, item))
            lane.running[task] = item
            task.add_done_callback(partial(self._done, lane))

    async def _wait(self) -> None:
        """Wait until there may be work."""
        self._news.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), self.poll_s)

    def _done(self, lane: _Lane, task: asyncio.Task[None]) -> None:
        del lane.running[task]
        self._news.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("unexpected error", exc_info=error)

    async def _beat(self) -> None:
        """Renew the leases of all items in work, and cancel those that went to other workers."""
        while True:
            await asyncio.sleep(self.beat_s)
            for lane in self._lanes:
                for task, item in list(lane.running.items()):
                    await self._check(task, item)

    async def _tidy(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self.background.forget_old)
            except DatabaseUnavailable as error:
                log.warning("old jobs will be deleted later: %s", error)
            await asyncio.sleep(TIDY_S)

    async def _do(self, lane: _Lane, item: Item) -> None:
        with bind_request(item.id):
            try:
                await lane.work(item)
            except asyncio.CancelledError:
                await at_last(self.queue.give_back, item)  # the replica stops; does nothing for an item that was lost
                raise
            except (Superseded, JobUnknown):
                log.info("%s went to another worker, or was cancelled", item.id)
            except DatabaseUnavailable as error:
                log.warning("%s waits for its lease to end: %s", item.id, error)

    async def _photo(self, item: Item) -> None:
        may_have_files = True
        try:
            if item.losses >= MOST_TRIES:
                raise PackshotError(f"The work on this photo ended {item.losses} times without a result.")
            may_have_files = await self._make(item)
        except (Superseded, JobUnknown):
            raise
        except Exception as error:
            known = error if isinstance(error, PackshotError) else PackshotError("unexpected")
            pause_s = _pause_s(known, item)
            if pause_s is not None:
                log.info("%s will be tried again in %g s: %s", item.id, pause_s, known)
                await at_last(self.queue.give_back, item, pause_s)
                self.ended("photo", "again")
                return
            if not isinstance(error, PackshotError):
                log.error("unexpected error", exc_info=error)
            self.jobs.telemetry.metrics.error(known)
            await asyncio.to_thread(self._fail, item, known)
            self.ended("photo", "failed")
        else:
            self.ended("photo", "done")
        if "input" in item.source:
            await self.background.drop([item.source["input"]])
        if may_have_files:
            await self.background.drop_files(item.job_id)

    async def _make(self, item: Item) -> bool:
        """Process the photo and record that it is done. Returns whether the job's options include files."""
        if item.claims > 1:
            await asyncio.to_thread(self.ledger.refund, item.earlier_claim_id)
        key_id, wishes = await asyncio.to_thread(self.background.wishes, item.job_id)
        bind_key(key_id)
        key = await asyncio.to_thread(self.accounts.authenticate_id, key_id)
        store = self.background.store
        try:
            files = {name: await store.read_input(kept) for name, kept in wishes["files"].items()}
            url = item.source.get("url")
            data = await (store.read_input(item.source["input"]) if url is None else self._fetch(key, url))
        except ResultUnknown as error:
            raise PackshotError("The photo of this job was deleted.", hint="Send the photo again.") from error
        recipes = recipes_for(Options.from_fields({**wishes["options"], **files}))
        photo_id = await asyncio.to_thread(photo_id_of, data)
        submission = Submission(data, recipes, self.limits, photo_id)
        await self.jobs.make_behind(key, submission, partial(self._finish, item), item.claim_id)
        return bool(files)

    async def _fetch(self, key: KeyInfo, url: str) -> bytes:
        """The photo at a URL. The number of workers limits how many are in memory, so none is reserved."""
        return await self.background.url_input.fetch(
            url, field="image_url", hint=HINT, key=key, max_bytes=self.max_file_bytes, reserve=lambda _: None
        )

    def _finish(self, item: Item, stored: StoredResult, within: Connection) -> None:
        outcome = remembered(stored)
        self.background.end_photo(within, item.job_id, partial(self.queue.end, within, item, "done", outcome))

    def _fail(self, item: Item, error: PackshotError) -> None:
        with self.background.database.transaction() as connection:
            end = partial(self.queue.end, connection, item, "failed", error.to_dict())
            self.background.end_photo(connection, item.job_id, end)

    async def _webhook(self, item: Item) -> None:
        assert self.describe is not None  # noqa: S101 - the API sets it before anything runs
        key_id, url, job = await asyncio.to_thread(self.background.find, item.job_id)
        told = await asyncio.to_thread(self.describe, job)
        body = await asyncio.to_thread(lambda: json.dumps(told, separators=(",", ":")).encode())
        delivery = await self.webhooks.send(url, item.id, body, key_id)
        outcome = {"problem": delivery.problem}
        if not delivery.problem:
            await asyncio.to_thread(self._end, item, "done", outcome)
            self.ended("webhook", "done")
        elif delivery.is_final or item.claims > len(PAUSES_S):
            await asyncio.to_thread(self._end, item, "failed", outcome)
            self.ended("webhook", "failed")
        else:
            pause_s = PAUSES_S[item.claims - 1]
            log.info("the webhook of %s will be sent again in %d s: %s", item.job_id, pause_s, delivery.problem)
            await at_last(self.queue.give_back, item, pause_s, outcome)
            self.ended("webhook", "again")

    def _end(self, item: Item, end: End, outcome: Mapping[str, Any]) -> None:
        with self.background.database.transaction() as connection:
            self.queue.end(connection, item, end, outcome)


def _pause_s(error: PackshotError, item: Item) -> float | None:
    """Seconds until the next attempt at a photo; None if another attempt is useless."""
    if isinstance(error, _WITHIN_TRIES) and item.claims >= MOST_TRIES:
        return None
    if isinstance(error, (*_WITHIN_TRIES, *_WHEN_BACK)):
        return min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(item.claims, 10))
    return None
