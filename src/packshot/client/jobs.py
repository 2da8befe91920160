"""Jobs as dataclasses: photos that the service makes in the background."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Self

from packshot.client.results import JsonObject, Link

JobStatus = Literal["waiting", "working", "done", "cancelled"]
PhotoStatus = Literal["waiting", "working", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class PhotoFailure:
    """Why a photo of a job failed; a failed photo costs nothing. slug: stable name. hint: what to do."""

    slug: str
    message: str
    hint: str


@dataclass(frozen=True, kw_only=True)
class JobPhoto:
    """A photo of a job.

    number: index in the request, from 0. name: file name, or URL without query. credits: cost; None until the photo is
    done. packshots: one, or one per preset; empty until the photo is done.
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
    """The number of a job's photos in each state."""

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
    """The webhook of a job. status: also "waiting" until the job has finished. problem: last error, or ""."""

    url: str
    status: Literal["waiting", "delivered", "failed"]
    attempts: int
    problem: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """The state of a job at the time of the request.

    status: "done" when every photo is done or failed; see `counts`. expires_at: the job can be read until then; its
    packshots expire earlier. url: of the job; requests need its key. photos: empty in a list of jobs; the first 20 in a
    webhook.
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
        """Whether the job is done or cancelled. Then only its webhook may still change."""
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
    """A page of jobs, newest first. next: value of `before` for the next page; None on the last page."""

    jobs: tuple[Job, ...]
    next: str | None

    @classmethod
    def from_json(cls, said: JsonObject) -> Self:
        return cls(tuple(Job.from_json(each) for each in said["jobs"]), said["next"])


def _webhook(said: JsonObject) -> WebhookState:
    return WebhookState(said["url"], said["status"], said["attempts"], said["problem"])
