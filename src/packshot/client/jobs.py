"""Jobs as values: photos that the service makes in the background."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Self

from packshot.client.results import JsonObject, Link

JobStatus = Literal["waiting", "working", "done", "cancelled"]
PhotoStatus = Literal["waiting", "working", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class PhotoFailure:
    """Why a photo of a job failed; it cost nothing. slug: a stable name. hint: what to do about it."""

    slug: str
    message: str
    hint: str


@dataclass(frozen=True, kw_only=True)
class JobPhoto:
    """A photo of a job.

    number: its place in the request, from 0. name: of its file, or the URL without its query. credits: what it cost;
    None until it is done. packshots: one, or one for each preset that was named; none until it is done.
    """

    number: int
    name: str
    status: PhotoStatus
    credits: int | None
    packshots: tuple[Link, ...]
    failure: PhotoFailure | None

    @classmethod
    def from_json(cls, said: JsonObject) -> Self:
        failure, paid = said["error"], said["credits"]
        return cls(
            number=said["number"],
            name=said["name"],
            status=said["status"],
            credits=paid,
            packshots=tuple(Link.from_json({"credits": paid, **each}) for each in said["packshots"]),
            failure=None if failure is None else PhotoFailure(failure["slug"], failure["detail"], failure["hint"]),
        )


@dataclass(frozen=True)
class Counts:
    """How many photos of a job are in each state."""

    waiting: int = 0
    working: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def total(self) -> int:
        return self.waiting + self.working + self.done + self.failed + self.cancelled


@dataclass(frozen=True)
class WebhookState:
    """The webhook of a job. status: waiting also before the job has finished. problem: of the last try, or empty."""

    url: str
    status: Literal["waiting", "delivered", "failed"]
    attempts: int
    problem: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as it stood when the service was asked.

    status: done once every photo has ended, well or badly: `counts` says how. expires_at: until then the job can be
    asked for; its packshots have a shorter life of their own. url: of the job, for a request with its key. photos: none
    in a list of jobs, and the first 20 in a webhook.
    """

    id: str
    status: JobStatus
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime
    counts: Counts
    url: str
    webhook: WebhookState | None
    photos: tuple[JobPhoto, ...] = field(default=(), repr=False)

    @property
    def has_finished(self) -> bool:
        """Whether nothing of it changes any more but its webhook: it is done or cancelled."""
        return self.finished_at is not None

    @classmethod
    def from_json(cls, said: JsonObject) -> Self:
        finished, webhook = said["finished_at"], said["webhook"]
        counts = {name: said["counts"].get(name, 0) for name in Counts.__dataclass_fields__}
        return cls(
            id=said["id"],
            status=said["status"],
            created_at=datetime.fromisoformat(said["created_at"]),
            finished_at=None if finished is None else datetime.fromisoformat(finished),
            expires_at=datetime.fromisoformat(said["expires_at"]),
            counts=Counts(**counts),
            url=said["url"],
            webhook=None if webhook is None else _webhook(webhook),
            photos=tuple(JobPhoto.from_json(each) for each in said.get("photos") or ()),
        )


@dataclass(frozen=True)
class JobPage:
    """Jobs, newest first. next: the value of `before` for the page that follows; None on the last one."""

    jobs: tuple[Job, ...]
    next: str | None

    @classmethod
    def from_json(cls, said: JsonObject) -> Self:
        return cls(tuple(Job.from_json(each) for each in said["jobs"]), said["next"])


def _webhook(said: JsonObject) -> WebhookState:
    return WebhookState(said["url"], said["status"], said["attempts"], said["problem"])
