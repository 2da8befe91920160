"""Jobs: photos processed in the background, for hours if necessary, on any replica with a free worker.

This module has the callers' operations: begin a job, read it, cancel it. background_worker.py does the work. A job here
has many photos; the Job of engine/job.py is one photo in work.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import and_, delete, func, or_, select, update

from packshot import errors
from packshot.core.options import OPTIONS, Options
from packshot.engine.presets import recipes_for
from packshot.errors import ConflictError, InvalidOption, JobUnknown, PackshotError, QueueFull
from packshot.service.database import Database
from packshot.service.idempotency import check_key
from packshot.service.jobs import StoredResult, named, recalled
from packshot.service.queue import OPEN, Queue
from packshot.service.results import JOB_LIFE_S, ResultStore
from packshot.service.tables import JOBS, WORK

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Row

    from packshot.service.accounts import KeyInfo
    from packshot.service.url_input import UrlInput
    from packshot.service.webhooks import Webhooks

PhotoStatus = Literal["waiting", "working", "done", "failed", "cancelled"]
Status = Literal["waiting", "working", "done", "cancelled"]
WAITING_JOBS = 10
PUT_AT_ONCE = 8
_ID = re.compile("[A-Za-z0-9_-]{22}|[0-9a-f]{32}")
RETRY_S = 30
HINT = "Send the photo as a file in `image`."


@dataclass(frozen=True)
class Source:
    """A photo as received: the bytes of a file, or a URL. name: the caller's name for it."""

    name: str
    data: bytes = b""
    url: str = ""


@dataclass(frozen=True)
class Photo:
    """A photo of a job. result: set if it is done. error: set if it failed."""

    number: int
    name: str
    status: PhotoStatus
    result: StoredResult | None = None
    error: PackshotError | None = None


@dataclass(frozen=True)
class Notice:
    """The webhook of a job. status: also waiting while the job runs. problem: the failure of the last attempt."""

    url: str
    status: Literal["waiting", "delivered", "failed"] = "waiting"
    attempts: int = 0
    problem: str = ""


@dataclass(frozen=True)
class BackgroundJob:
    """The state of a job. Times are seconds since 1970. counts: photos by status. photos: empty in a list of jobs."""

    id: str
    created_at: float
    finished_at: float | None
    cancelled: bool
    counts: Mapping[str, int]
    notice: Notice | None
    photos: tuple[Photo, ...] = ()

    @property
    def status(self) -> Status:
        if self.cancelled:
            return "cancelled"
        if self.finished_at is not None:
            return "done"
        return "waiting" if self.counts.get("waiting", 0) == sum(self.counts.values()) else "working"

    @property
    def expires_at(self) -> float:
        return self.created_at + JOB_LIFE_S


@dataclass(kw_only=True, eq=False)
class BackgroundJobs:
    """The operations on jobs. One instance serves all requests.

    most_photos, most_bytes: limits of one job. A key's unfinished jobs may hold WAITING_JOBS times as much, because
    their photos occupy the operator's disk. on_change: called for each new or cancelled job.
    """

    database: Database
    queue: Queue
    store: ResultStore
    url_input: UrlInput
    webhooks: Webhooks
    most_photos: int
    most_bytes: int
    now: Callable[[], float]
    on_change: list[Callable[[str], None]] = field(default_factory=list)

    async def begin(
        self,
        key: KeyInfo,
        sources: Sequence[Source],
        options: Options,
        *,
        webhook_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> BackgroundJob:
        """Put photos into the queue. A repeated request with the same idempotency key returns its job.

        A job whose photos all failed begins again.

        Raises
        ------
        InvalidOption
            An option, the number of photos or the idempotency key is invalid.
        UrlRefused
            The service does not open one of the URLs.
        ConflictError
            The idempotency key was used for another request.
        QueueFull
            The key has as many photos in work as allowed.
        StoreUnavailable, DatabaseUnavailable
            No job was begun.
        """
        if not 0 < len(sources) <= self.most_photos:
            raise InvalidOption(
                f"The job has {len(sources):,} photos.",
                hint=f"Send 1 to {self.most_photos:,} photos per job.",
                field="image",
            )
        recipes_for(options)
        for source in sources:
            if source.url:
                self.url_input.check(source.url, field="image_url", hint=HINT)
        if webhook_url is not None:
            self.webhooks.check(webhook_url, "webhook")
        job_id = secrets.token_urlsafe(16)
        if idempotency_key is not None:
            check_key(idempotency_key)
            job_id = named(key.id, idempotency_key)
        digest = await asyncio.to_thread(_request_hash, sources, options, webhook_url)
        if not await asyncio.to_thread(self._is_known, key.id, job_id, digest):
            row = {"id": job_id, "key_id": key.id, "request_hash": digest, "webhook_url": webhook_url}
            await self._begin(row, sources, options)
        return await self.look(key, job_id)

    async def look(self, key: KeyInfo, job_id: str) -> BackgroundJob:
        """A job with its photos. Raises JobUnknown, also for a job of another key."""
        return await asyncio.to_thread(lambda: self._whole(self._row(job_id, JOBS.c.key_id == key.id)))

    def find(self, job_id: str) -> tuple[str, str, BackgroundJob]:
        """For the worker: the id of the job's key, the URL of its webhook or "", and the job. Raises JobUnknown."""
        row = self._row(job_id)
        return row.key_id, row.webhook_url or "", self._whole(row)

    async def latest(self, key: KeyInfo, most: int, before: str | None = None) -> Sequence[BackgroundJob]:
        """The jobs of a key without their photos, newest first. before: the id of the previous page's last job."""
        return await asyncio.to_thread(self._list, key.id, most, before)

    async def cancel(self, key: KeyInfo, job_id: str) -> BackgroundJob:
        """Cancel a job. Finished photos stay; the others are not made and cost nothing. Raises JobUnknown."""
        left = await asyncio.to_thread(self._cancel, key.id, job_id)
        self._tell(job_id)
        await self.drop(left)
        return await self.look(key, job_id)

    async def drop_files(self, job_id: str) -> None:
        """Remove the files among the options of a finished job. Leaves those of an unfinished job."""
        row = await asyncio.to_thread(self._row, job_id)
        if row.finished_at is not None:
            await self.drop(list(json.loads(row.wishes)["files"].values()))

    def wishes(self, job_id: str) -> tuple[str, Mapping[str, Any]]:
        """The id of a job's key, and its "options" and "files" (names of inputs by option). Raises JobUnknown."""
        row = self._row(job_id)
        return row.key_id, json.loads(row.wishes)

    def end_photo(self, within: Connection, job_id: str, end: Callable[[], None]) -> None:
        """End a photo by calling `end`. After the last photo, finish the job and queue its webhook.

        Raises: the errors of `end`.
        """
        # Locks the job's row: the last two photos, ending together, would each see the other still in work.
        job = within.execute(select(JOBS).where(JOBS.c.id == job_id).with_for_update()).first()
        end()
        if job is not None and job.finished_at is None and not self.queue.is_open(within, job_id):
            self._finish(within, job)

    def forget_old(self) -> int:
        """Delete expired jobs. Returns their number."""
        old = JOBS.c.created_at <= self.now() - JOB_LIFE_S
        with self.database.transaction() as connection:
            connection.execute(delete(WORK).where(WORK.c.job_id.in_(select(JOBS.c.id).where(old))))
            return connection.execute(delete(JOBS).where(old)).rowcount

    async def _begin(self, row: Mapping[str, Any], sources: Sequence[Source], options: Options) -> None:
        """Store the inputs before the job, so that no worker finds a photo missing."""
        token = secrets.token_urlsafe(16)  # not the job's id: two requests may share one idempotency key
        given = options.given()
        files = {name: f"{token}-{name}" for name in given if OPTIONS[name].kind == "file"}
        inputs = {files[name]: given.pop(name) for name in files}
        photos: list[dict[str, str]] = []
        for number, source in enumerate(sources):
            if source.url:
                photos.append({"name": source.name, "url": source.url})
            else:
                photos.append({"name": source.name, "input": f"{token}-{number}"})
                inputs[f"{token}-{number}"] = source.data
        sizes = {"photos": len(photos), "input_bytes": sum(map(len, inputs.values()))}
        await asyncio.to_thread(self._check_room, row["key_id"], sizes["photos"], sizes["input_bytes"])
        wishes = json.dumps({"options": given, "files": files})
        try:
            await self._put(inputs)
            whole = {**row, **sizes, "wishes": wishes, "created_at": self.now()}
            is_first = await asyncio.to_thread(self._insert, whole, photos)
        except BaseException:
            await asyncio.shield(self.drop(list(inputs)))
            raise
        if not is_first:
            await self.drop(list(inputs))
            await asyncio.to_thread(self._is_known, row["key_id"], row["id"], row["request_hash"])
        self._tell(row["id"])

    def _tell(self, job_id: str) -> None:
        for told in self.on_change:
            told(job_id)

    async def _put(self, inputs: Mapping[str, bytes]) -> None:
        pairs = list(inputs.items())
        for start in range(0, len(pairs), PUT_AT_ONCE):
            await asyncio.gather(*(self.store.put_input(*each) for each in pairs[start : start + PUT_AT_ONCE]))

    async def drop(self, inputs: Sequence[str]) -> None:
        """Remove inputs that are no longer needed."""
        with suppress(errors.StoreUnavailable):  # the sweep removes them when they expire
            await self.store.remove_inputs(inputs)

    def _insert(self, row: Mapping[str, object], photos: Sequence[Mapping[str, str]]) -> bool:
        """Insert the job. Returns False if another request with the same idempotency key was faster."""
        new = self.database.insert(JOBS).values(**row).on_conflict_do_nothing().returning(JOBS.c.id)
        with self.database.transaction() as connection:
            if connection.execute(new).first() is None:
                return False
            self.queue.add(connection, str(row["id"]), "photo", photos)
        return True

    def _check_room(self, key_id: str, photos: int, size_bytes: int) -> None:
        """Raises QueueFull. Simultaneous requests may all pass and slightly exceed the limit."""
        sums = select(func.sum(JOBS.c.photos).label("photos"), func.sum(JOBS.c.input_bytes).label("input_bytes"))
        (row,) = self.database.rows(sums.where(JOBS.c.key_id == key_id, JOBS.c.finished_at.is_(None)))
        most_photos, most_bytes = WAITING_JOBS * self.most_photos, WAITING_JOBS * self.most_bytes
        if (row.photos or 0) + photos > most_photos or (row.input_bytes or 0) + size_bytes > most_bytes:
            raise QueueFull(
                f"The jobs of this key hold {row.photos:,} unfinished photos.",
                retry_after_s=RETRY_S,
                hint="Send this job when some of them are finished.",
            )

    def _is_known(self, key_id: str, job_id: str, digest: str) -> bool:
        """Whether the key has this job. Deletes a job whose photos all failed, so that it can begin again."""
        with self.database.transaction() as connection:
            mine = and_(JOBS.c.id == job_id, JOBS.c.key_id == key_id)
            job = connection.execute(select(JOBS).where(mine).with_for_update()).first()
            if job is None:
                return False
            if job.request_hash != digest:
                raise ConflictError(
                    "This idempotency key was used for another job.", hint="Use a new key for each job."
                )
            failed = and_(WORK.c.job_id == job_id, WORK.c.kind == "photo", WORK.c.state == "failed")
            if connection.execute(select(func.count()).where(failed)).scalar() < job.photos:
                return True
            connection.execute(delete(WORK).where(WORK.c.job_id == job_id))
            connection.execute(delete(JOBS).where(mine))
            return False

    def _row(self, job_id: str, *conditions: ColumnElement[bool]) -> Row[Any]:
        is_one = _ID.fullmatch(job_id)  # keeps other text out of the database
        rows = self.database.rows(select(JOBS).where(JOBS.c.id == job_id, *conditions)) if is_one else []
        if not rows:
            raise JobUnknown(
                "This job does not exist.", hint="Jobs are kept for 7 days, and only the key that began a job sees it."
            )
        return rows[0]

    def _whole(self, row: Row[Any]) -> BackgroundJob:
        """The job of a row, with its photos and its webhook."""
        work = self.database.rows(select(WORK).where(WORK.c.job_id == row.id).order_by(WORK.c.kind, WORK.c.number))
        photos = tuple(_photo(each) for each in work if each.kind == "photo")
        counts: dict[str, int] = {}
        for photo in photos:
            counts[photo.status] = counts.get(photo.status, 0) + 1
        notices = [each for each in work if each.kind == "webhook"]
        return _job(row, counts, notices[0] if notices else None, photos)

    def _list(self, key_id: str, most: int, before: str | None) -> Sequence[BackgroundJob]:
        asked = select(JOBS).where(JOBS.c.key_id == key_id)
        if before is not None:
            last = self._row(before, JOBS.c.key_id == key_id)
            earlier = and_(JOBS.c.created_at == last.created_at, JOBS.c.id < before)
            asked = asked.where(or_(JOBS.c.created_at < last.created_at, earlier))
        rows = self.database.rows(asked.order_by(JOBS.c.created_at.desc(), JOBS.c.id.desc()).limit(most))
        ids = [row.id for row in rows]
        counted = select(WORK.c.job_id, WORK.c.state, func.count().label("number")).where(WORK.c.kind == "photo")
        counts: dict[str, dict[str, int]] = {each: {} for each in ids}
        for each in self.database.rows(counted.where(WORK.c.job_id.in_(ids)).group_by(WORK.c.job_id, WORK.c.state)):
            counts[each.job_id][each.state] = each.number
        told = self.database.rows(select(WORK).where(WORK.c.kind == "webhook", WORK.c.job_id.in_(ids)))
        notices = {each.job_id: each for each in told}
        return [_job(row, counts[row.id], notices.get(row.id)) for row in rows]

    def _cancel(self, key_id: str, job_id: str) -> list[str]:
        """Cancel a job in the database. Returns the inputs that are no longer needed."""
        mine = and_(JOBS.c.id == job_id, JOBS.c.key_id == key_id)
        with self.database.transaction() as connection:
            job = connection.execute(select(JOBS).where(mine).with_for_update()).first()
            if job is None or job.finished_at is not None:
                return []
            left = and_(WORK.c.job_id == job_id, WORK.c.kind == "photo", WORK.c.state.in_(OPEN))
            sources = [json.loads(row.source) for row in connection.execute(select(WORK.c.source).where(left))]
            files = json.loads(job.wishes)["files"].values()
            self.queue.cancel(connection, job_id)
            connection.execute(update(JOBS).where(mine).values(cancelled_at=self.now()))
            self._finish(connection, job)
        return [*files, *(source["input"] for source in sources if "input" in source)]

    def _finish(self, within: Connection, job: Row[Any]) -> None:
        within.execute(update(JOBS).where(JOBS.c.id == job.id).values(finished_at=self.now()))
        if job.webhook_url is not None:
            self.queue.add(within, job.id, "webhook", [{}])


def _job(
    row: Row[Any], counts: Mapping[str, int], notice: Row[Any] | None, photos: tuple[Photo, ...] = ()
) -> BackgroundJob:
    return BackgroundJob(
        id=row.id,
        created_at=row.created_at,
        finished_at=row.finished_at,
        cancelled=row.cancelled_at is not None,
        counts=counts,
        notice=None if row.webhook_url is None else _notice(row.webhook_url, notice),
        photos=photos,
    )


def _notice(url: str, row: Row[Any] | None) -> Notice:
    if row is None:
        return Notice(url)
    problem = json.loads(row.outcome).get("problem", "") if row.outcome else ""
    ends: dict[str, Literal["delivered", "failed"]] = {"done": "delivered", "failed": "failed"}
    attempts = row.claims - (row.state == "working")
    return Notice(url, ends.get(row.state, "waiting"), attempts, problem)


def _photo(row: Row[Any]) -> Photo:
    name = json.loads(row.source)["name"]
    if row.state == "failed":
        return Photo(row.number, name, "failed", error=errors.from_dict(json.loads(row.outcome)))
    if row.state != "done":
        return Photo(row.number, name, row.state)
    try:
        return Photo(row.number, name, "done", result=recalled(row.outcome))
    except PackshotError as error:  # written by another release, in another form
        return Photo(row.number, name, "failed", error=error)


def _request_hash(sources: Sequence[Source], options: Options, webhook_url: str | None) -> str:
    """A hash that is equal only for identical requests."""
    whole = hashlib.sha256(json.dumps([options.key(), webhook_url]).encode())
    for source in sources:
        whole.update(json.dumps([source.name, source.url]).encode())
        whole.update(hashlib.sha256(source.data).digest())
    return base64.urlsafe_b64encode(whole.digest()).decode()
