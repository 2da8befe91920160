"""Jobs of the native API: many photos in one request, processed in the background, and their webhooks' body."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from packshot.api import results
from packshot.api.dialect import IDEMPOTENCY_KEY, Call, Endpoint
from packshot.api.errors import PROBLEM_DETAILS, MalformedRequest, MissingImage
from packshot.api.native.form import FILE_OPTIONS, option_fields, options_in
from packshot.api.native.form import upload_limits as packshot_limits
from packshot.api.native.models import LinkedPicture, described
from packshot.api.upload import JSON, MULTIPART, UploadedFile, UploadLimits, media_type_of, read_fields, read_form
from packshot.core.options import Options
from packshot.errors import EmptyFile, InvalidOption
from packshot.service.background import BackgroundJob, Notice, Photo, Source
from packshot.service.build import Service
from packshot.service.settings import Settings

SHOWN = 20
MOST_SHOWN = 100
TOLD_PHOTOS = 20
"""Maximum photos in a webhook. Each takes 2 KB or more, and some receivers accept at most 100 KB."""
FINISHED = "job.finished"
_JSON_BYTES = 1024 * 1024
_HOW = (
    f"Send {MULTIPART} with a file in each part `image` or a URL in each `image_url`, "
    f'or {JSON} such as {{"images": ["https://..."]}}.'
)
_FAILURES = (401, 403, 405, 429, 500, 503)

PhotoState = Literal["waiting", "working", "done", "failed", "cancelled"]


class JobError(BaseModel):
    """The reason why a photo failed. A failed photo costs nothing."""

    slug: str = Field(description="Stable code of this kind of problem, for programs.", examples=["no-foreground"])
    detail: str = Field(description="The problem, for people.")
    hint: str = Field(description="Advice on how to fix it.")


class JobPhoto(BaseModel):
    """A photo of a job."""

    number: int = Field(description="Position in the request, from 0.")
    name: str = Field(description="The file's name, or the URL without its query.", examples=["mug.jpg"])
    status: PhotoState
    credits: int | None = Field(description="Credits charged; null until it is done.")
    packshots: list[LinkedPicture] = Field(description="One picture, or one per preset; empty until it is done.")
    error: JobError | None

    @classmethod
    def of(cls, service: Service, photo: Photo) -> Self:
        made, error = photo.result, photo.error
        pictures: list[LinkedPicture] = []
        if made is not None:
            urls = [service.public_url(each.link.path(results.PREFIX)) for each in made.stored]
            facts = zip(made.results, made.stored, urls, strict=True)
            pictures = [LinkedPicture(**LinkedPicture.linked(*each)) for each in facts]
        if error is not None:
            _, error = PROBLEM_DETAILS.told(error)
        return cls(
            number=photo.number,
            name=photo.name,
            status=photo.status,
            credits=None if made is None else made.credits,
            packshots=pictures,
            error=None if error is None else JobError(slug=error.slug, detail=error.message, hint=error.hint),
        )


class Counts(BaseModel):
    """The number of a job's photos in each state."""

    waiting: int = 0
    working: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0


class WebhookState(BaseModel):
    """The webhook of a job."""

    url: str
    status: Literal["waiting", "delivered", "failed"]
    attempts: int
    problem: str = Field(description="The error of the last attempt; empty if it succeeded.")

    @classmethod
    def of(cls, notice: Notice) -> Self:
        return cls(url=notice.url, status=notice.status, attempts=notice.attempts, problem=notice.problem)


class JobSummary(BaseModel):
    """A job without its photos."""

    id: str
    status: Literal["waiting", "working", "done", "cancelled"] = Field(
        description="done: every photo has succeeded or failed; see `counts`."
    )
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime = Field(description="The job is available until then. Its pictures expire earlier.")
    counts: Counts
    url: str = Field(description="URL of the job; needs the key that created it.")
    webhook: WebhookState | None

    @classmethod
    def summary(cls, service: Service, job: BackgroundJob) -> dict[str, Any]:
        """The values of all fields of this model."""
        return {
            "id": job.id,
            "status": job.status,
            "created_at": _time(job.created_at),
            "finished_at": None if job.finished_at is None else _time(job.finished_at),
            "expires_at": _time(job.expires_at),
            "counts": Counts(**job.counts),
            "url": service.public_url(f"/v1/jobs/{job.id}"),
            "webhook": None if job.notice is None else WebhookState.of(job.notice),
        }


class Job(JobSummary):
    """A job and its photos."""

    photos: list[JobPhoto]

    @classmethod
    def of(cls, service: Service, job: BackgroundJob, most: int | None = None) -> Self:
        """most: maximum number of photos; None for all."""
        photos = [JobPhoto.of(service, photo) for photo in job.photos[:most]]
        return cls(photos=photos, **cls.summary(service, job))


class JobList(BaseModel):
    """Jobs, newest first."""

    jobs: list[JobSummary]
    next: str | None = Field(description="The value of `before` for the next page; null on the last page.")


def event(service: Service, job: BackgroundJob) -> Mapping[str, Any]:
    """The body of a webhook."""
    return {
        "type": FINISHED,
        "timestamp": _time(service.now()).isoformat().replace("+00:00", "Z"),
        "data": Job.of(service, job, TOLD_PHOTOS).model_dump(mode="json"),
    }


async def begin_job(call: Call) -> Response:
    service = call.service
    sources, options, webhook_url = await _read(call.request, service.settings)
    beginning = service.background.begin(
        call.key, sources, options, webhook_url=webhook_url, idempotency_key=call.idempotency_key
    )
    job = Job.of(service, await call.run(beginning))
    return described(job, 202, {"Location": job.url})


async def tell_job(call: Call) -> Response:
    job_id = str(call.request.path_params["id"])
    return described(Job.of(call.service, await call.service.background.look(call.key, job_id)))


async def cancel_job(call: Call) -> Response:
    job_id = str(call.request.path_params["id"])
    return described(Job.of(call.service, await call.service.background.cancel(call.key, job_id)))


async def list_jobs(call: Call) -> Response:
    query = call.request.query_params
    asked = query.get("limit", str(SHOWN))
    if not (asked.isascii() and asked.isdecimal() and len(asked) < 4 and 1 <= int(asked) <= MOST_SHOWN):
        raise InvalidOption(
            f"limit is {asked[:40]!r}.", hint=f"Give a whole number from 1 to {MOST_SHOWN}.", field="limit"
        )
    most, before = int(asked), query.get("before") or None
    found = await call.service.background.latest(call.key, most + 1, before)
    shown = [JobSummary(**JobSummary.summary(call.service, job)) for job in found[:most]]
    return described(JobList(jobs=shown, next=shown[-1].id if len(found) > most else None))


async def _read(request: Request, settings: Settings) -> tuple[list[Source], Options, str | None]:
    """Read the photos of a job, their common options, and the webhook's URL.

    Raises
    ------
    MissingImage, EmptyFile, InvalidOption, MalformedRequest, and all errors of read_form.
    """
    if media_type_of(request) == JSON:
        return _read_json(await read_fields(request, _limits(settings)))
    form = await read_form(request, _limits(settings))
    sources: list[Source] = []
    for name, value in form:
        if name == "image" and isinstance(value, UploadedFile):
            if not value:
                raise EmptyFile(f"The part `image` number {len(sources) + 1} is empty.", hint=_HOW, field="image")
            sources.append(Source(value.filename[:255] or f"image {len(sources) + 1}", bytes(value)))
        elif name == "image_url" and value:
            sources.append(_by_url(value))
    webhooks = [value for name, value in form if name == "webhook" and value]
    if not sources:
        raise MissingImage("The request has no photo.", hint=_HOW, field="image")
    if len(webhooks) > 1 or not all(isinstance(value, str) for value in webhooks):
        raise InvalidOption("webhook is given more than once.", hint="Give one URL.", field="webhook")
    rest = [(name, value) for name, value in form if name not in {"image", "image_url", "webhook"}]
    return sources, options_in(rest), str(webhooks[0]) if webhooks else None


def _read_json(body: Mapping[str, object]) -> tuple[list[Source], Options, str | None]:
    unknown = body.keys() - {"images", "options", "webhook"}
    images, options, webhook = body.get("images"), body.get("options") or {}, body.get("webhook")
    if unknown:
        raise InvalidOption(f"The field {min(unknown)[:40]!r} does not exist.", hint=_HOW, field=min(unknown)[:40])
    if not isinstance(images, list) or not images:
        raise MissingImage("The request has no photo.", hint=_HOW, field="images")
    if not isinstance(options, dict):
        raise MalformedRequest(
            "`options` is not an object.", hint='Send an object such as {"preset": "amazon"}.', field="options"
        )
    if webhook is not None and not isinstance(webhook, str):
        raise InvalidOption("webhook is not a text.", hint="Give a URL.", field="webhook")
    for name in FILE_OPTIONS:
        if name in options:
            raise InvalidOption(f"{name} is a file.", hint=f"Send it in {MULTIPART}.", field=name)
    return [_by_url(each) for each in images], Options.from_fields(options), webhook or None


def _by_url(value: object) -> Source:
    """A photo given as a URL, or in JSON as an object with `url` and `name`."""
    url, name = (value.get("url"), value.get("name")) if isinstance(value, dict) else (value, None)
    if not isinstance(url, str) or not url or not isinstance(name, str | None):
        raise InvalidOption("The value of a photo is not a URL.", hint=_HOW, field="image_url")
    return Source((name or url.partition("?")[0].partition("#")[0])[:255], url=url)


def _limits(settings: Settings) -> UploadLimits:
    one = packshot_limits(settings)
    most = min(settings.job_bytes, settings.upload_memory_bytes)
    return UploadLimits(
        one.file_bytes,
        one.deadline_s,
        max_fields=one.max_fields + settings.job_photos,
        text_bytes=_JSON_BYTES,
        how=_HOW,
        max_files=settings.job_photos + len(FILE_OPTIONS),
        max_bytes=most,
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _body() -> dict[str, Any]:
    """The OpenAPI request body: a form or JSON."""
    fields = option_fields()
    photos = {"type": "array", "items": {"type": "string", "format": "binary"}, "description": "The photos, as files."}
    urls = {
        "type": "array",
        "items": {"type": "string"},
        "description": "The photos as URLs, if the operator allows URLs.",
    }
    webhook = {
        "type": "string",
        "description": "A URL that the service calls when the job has finished, if the operator allows webhooks.",
    }
    form = {"image": photos, "image_url": urls, "webhook": webhook, **fields}
    named = {
        "type": "object",
        "required": ["url"],
        "properties": {"url": {"type": "string"}, "name": {"type": "string"}},
        "additionalProperties": False,
    }
    listed = {"type": "array", "minItems": 1, "items": {"anyOf": [{"type": "string"}, named]}}
    plain = {
        "images": {**listed, "description": "The photos as URLs, each with an optional name."},
        "options": fields["options"],
        "webhook": webhook,
    }
    return {
        "required": True,
        "content": {
            MULTIPART: {"schema": {"type": "object", "properties": form, "additionalProperties": False}},
            JSON: {
                "schema": {
                    "type": "object",
                    "properties": plain,
                    "required": ["images"],
                    "additionalProperties": False,
                }
            },
        },
    }


_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
ENDPOINTS = (
    Endpoint(
        "POST",
        ("/v1/jobs",),
        begin_job,
        summary="Start a job: packshots of one or many photos, made in the background",
        operation_id="beginJob",
        failures=(400, 409, 413, 415, 422, 502, 504, *_FAILURES),
        answers={202: {"model": Job, "description": "The job has been created"}},
        body=_body,
        parameters=(IDEMPOTENCY_KEY,),
        sample="-F image=@mug.jpg -F image=@pot.jpg -F preset=amazon",
    ),
    Endpoint(
        "GET",
        ("/v1/jobs",),
        list_jobs,
        summary="Your jobs, newest first",
        operation_id="listJobs",
        failures=(404, 422, *_FAILURES),
        model=JobList,
        parameters=(
            {
                "name": "limit",
                "in": "query",
                "schema": {"type": "integer", "minimum": 1, "maximum": MOST_SHOWN, "default": SHOWN},
            },
            {
                "name": "before",
                "in": "query",
                "schema": {"type": "string"},
                "description": "`next` of the previous page.",
            },
        ),
    ),
    Endpoint(
        "GET",
        ("/v1/jobs/{id}",),
        tell_job,
        summary="State of a job, and its pictures",
        operation_id="getJob",
        failures=(404, *_FAILURES),
        model=Job,
        parameters=(_ID,),
    ),
    Endpoint(
        "POST",
        ("/v1/jobs/{id}/cancel",),
        cancel_job,
        summary="Cancel a job: finished photos remain, the others cost nothing",
        operation_id="cancelJob",
        failures=(404, 502, *_FAILURES),
        model=Job,
        parameters=(_ID,),
    ),
)
