"""The calls of the service, each as a conversation that both clients share."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar, cast
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from packshot import __version__
from packshot.client.about import Account, ServiceInfo
from packshot.client.conversation import Answer, Limits, Outcome, Pause, Request, Send, ask, is_temporary, make_policy
from packshot.client.errors import ClientError, NotFinished, NotUnderstood, Problem
from packshot.client.jobs import Job, JobPage
from packshot.client.options import Part, Photo, as_form, as_part
from packshot.client.results import Link, Packshot, Report, links_from_json
from packshot.retry import Deadline

T = TypeVar("T")
Conversation = Generator[Send | Pause, Outcome, T]
_HEADERS = {"User-Agent": f"packshot-client/{__version__}"}
FIRST_LOOK_PAUSE_S = 0.5
LONGEST_LOOK_PAUSE_S = 10.0
_LOOK_FACTOR = 1.5
_LAST_LOOK_S = 5.0
"""Least time for the last poll of a job when the wait is over, seconds."""


@dataclass(frozen=True)
class Target:
    """Address, key and time limits of the service: the parameters of Client."""

    base_url: str
    key: str
    timeout_s: float
    deadline_s: float
    retries: int

    def __post_init__(self) -> None:
        if urlsplit(self.base_url).scheme not in {"http", "https"} or not urlsplit(self.base_url).hostname:
            raise ValueError(f"base_url is {self.base_url!r}. Give a URL such as https://packshot.example.com.")
        if not self.key.isascii() or not self.key.isprintable() or not self.key.strip():
            # The message does not show the key, because errors go to logs.
            raise ValueError("The key is empty or contains invalid characters, such as a line break.")

    def url(self, path: str) -> str:
        return self.base_url.rstrip("/") + path

    def limits(self, deadline_s: float | None = None) -> Limits:
        """The limits of a call that starts now. deadline_s: replaces the default deadline."""
        return Limits(self.timeout_s, Deadline(deadline_s or self.deadline_s), make_policy(self.retries))


def link(
    service: Target,
    photo: Photo,
    options: Mapping[str, object],
    idempotency_key: str | None,
    limits: Limits | None = None,
) -> Conversation[Link]:
    """Make a packshot and store it at the service. limits: those of the enclosing call, if there is one."""
    limits = limits or service.limits()
    answer = yield from ask(_form(service, "/v1/packshots", [_image(photo)], options, idempotency_key), limits)
    return _read(answer, Link.from_json)


def packshot(
    service: Target, photo: Photo, options: Mapping[str, object], idempotency_key: str | None
) -> Conversation[Packshot]:
    """Make a packshot and fetch it. Takes two requests, because only JSON can hold the notes and the report."""
    limits = service.limits()
    made = yield from link(service, photo, options, idempotency_key, limits)
    return (yield from _fetched(service, made, limits))


def fetch(service: Target, made: Link) -> Conversation[Packshot]:
    """Fetch a stored packshot."""
    return (yield from _fetched(service, made, service.limits()))


def _fetched(service: Target, made: Link, limits: Limits) -> Conversation[Packshot]:
    # The service may redirect to its bucket. That is safe, because this request contains no key.
    answer = yield from ask(Request("GET", _reachable(service, made.url), _HEADERS, follow=True), limits)
    if len(answer.body) != made.size_bytes:
        raise NotUnderstood(f"{made.url} has {len(answer.body)} bytes instead of {made.size_bytes}.")
    return Packshot(**{each.name: getattr(made, each.name) for each in fields(made)}, data=answer.body)


def links(
    service: Target,
    photo: Photo,
    presets: Iterable[str],
    options: Mapping[str, object],
    idempotency_key: str | None,
    *,
    limits: Limits | None = None,
) -> Conversation[dict[str, Link]]:
    """Make a packshot for each preset, with one matte and for one credit, and store them at the service."""
    names = [presets] if isinstance(presets, str) else list(presets)
    wishes = {**options, "preset": ",".join(names)}
    request = _form(service, "/v1/packshots", [_image(photo)], wishes, idempotency_key)
    answer = yield from ask(request, limits or service.limits())
    return dict(zip(names, _read(answer, links_from_json), strict=True))


def packshots(
    service: Target,
    photo: Photo,
    presets: Iterable[str],
    options: Mapping[str, object],
    idempotency_key: str | None,
) -> Conversation[dict[str, Packshot]]:
    """Make a packshot for each preset, as `links`, and fetch them one after another."""
    limits = service.limits()
    made = yield from links(service, photo, presets, options, idempotency_key, limits=limits)
    fetched = {}
    for name, each in made.items():
        fetched[name] = yield from _fetched(service, each, limits)
    return fetched


def check(service: Target, picture: Photo, preset: str) -> Conversation[Report]:
    """Check a finished picture against a preset's rules."""
    request = _form(service, "/v1/checks", [_image(picture)], {"preset": preset}, None)
    answer = yield from ask(request, service.limits())
    return _read(answer, lambda said: Report.from_json(said["preset"]))


def about(service: Target) -> Conversation[ServiceInfo]:
    """Get facts about the service."""
    request = Request("GET", service.url("/v1/about"), _HEADERS | {"Accept": "application/json"})
    answer = yield from ask(request, service.limits())
    return _read(answer, ServiceInfo.from_json)


def account(service: Target) -> Conversation[Account]:
    """Get the account of the key."""
    answer = yield from ask(_plain(service, "GET", "/v1/account"), service.limits())
    return _read(answer, Account.from_json)


def begin_job(
    service: Target,
    photos: Photo | Iterable[Photo],
    options: Mapping[str, object],
    webhook: str | None,
    idempotency_key: str | None,
) -> Conversation[Job]:
    """Start a job. A photo may be a URL that the service opens."""
    images = [_image_or_url(each) for each in _several(photos)]
    request = _form(service, "/v1/jobs", images, {**options, "webhook": webhook}, idempotency_key)
    return _read((yield from ask(request, service.limits())), Job.from_json)


def job(service: Target, wanted: Job | str, limits: Limits | None = None) -> Conversation[Job]:
    """Get the state of a job. limits: those of the enclosing wait, if there is one."""
    answer = yield from ask(_plain(service, "GET", _path(wanted)), limits or service.limits())
    return _read(answer, Job.from_json)


def cancel_job(service: Target, wanted: Job | str) -> Conversation[Job]:
    """Cancel a job. Finished photos stay."""
    answer = yield from ask(_plain(service, "POST", f"{_path(wanted)}/cancel"), service.limits())
    return _read(answer, Job.from_json)


def jobs(service: Target, limit: int | None, before: str | None) -> Conversation[JobPage]:
    """Get a page of the key's jobs, newest first."""
    query = {name: value for name, value in (("limit", limit), ("before", before)) if value is not None}
    answer = yield from ask(_plain(service, "GET", f"/v1/jobs?{urlencode(query)}"), service.limits())
    return _read(answer, JobPage.from_json)


def wait_for_job(service: Target, wanted: Job | str, timeout_s: float) -> Conversation[Job]:
    """Poll a job with growing pauses until it has finished. The service may be away for `deadline_s` seconds."""
    end, away = Deadline(timeout_s), Deadline(service.deadline_s)
    last = wanted if isinstance(wanted, Job) else None
    pause_s = FIRST_LOOK_PAUSE_S
    while True:
        failure, asked_s = None, 0.0
        look_s = min(service.deadline_s, max(end.left_s(), _LAST_LOOK_S))
        try:
            last = yield from job(service, wanted, service.limits(look_s))
        except ClientError as error:
            if not is_temporary(error) or not away.left_s() or (last is None and not end.left_s()):
                raise
            failure, asked_s = error, (isinstance(error, Problem) and error.retry_after_s) or 0.0
        else:
            if last.has_finished:
                return last
            away = Deadline(service.deadline_s)
        if last is not None and not end.left_s():
            raise NotFinished(
                f"The job {last.id} has not finished within {timeout_s:g} s: "
                f"{last.counts.total - last.counts.waiting - last.counts.working} of {last.counts.total} photos done.",
                last,
                hint="The job continues. Wait for it again, or cancel it.",
            ) from failure
        yield Pause(min(max(pause_s, asked_s), end.left_s()))
        pause_s = min(pause_s * _LOOK_FACTOR, LONGEST_LOOK_PAUSE_S)


def _form(
    service: Target,
    path: str,
    images: Sequence[tuple[str, Part]],
    options: Mapping[str, object],
    idempotency_key: str | None,
) -> Request:
    """A form request with photos. All attempts share one idempotency key, so the service charges the work only once."""
    said, files = as_form(options)
    headers = _headers(service) | {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
    return Request("POST", service.url(path), headers, said, [*images, *files.items()])


def _image(photo: Photo) -> tuple[str, Part]:
    return "image", as_part(photo)


def _image_or_url(photo: Photo) -> tuple[str, Part]:
    if isinstance(photo, str) and photo.lower().startswith(("http://", "https://")):
        return "image_url", (None, photo.encode())
    return _image(photo)


def _several(photos: Photo | Iterable[Photo]) -> Iterable[Photo]:
    """The photos as an iterable. A single photo becomes a list: strings and open files are iterable too."""
    if isinstance(photos, bytes | str | os.PathLike) or hasattr(photos, "read"):
        return [cast("Photo", photos)]
    return photos


def _plain(service: Target, method: str, path: str) -> Request:
    """A request without a body."""
    return Request(method, service.url(path), _headers(service))


def _headers(service: Target) -> dict[str, str]:
    return {**_HEADERS, "Accept": "application/json", "Authorization": f"Bearer {service.key}"}


def _reachable(service: Target, url: str) -> str:
    """The URL of a result, rewritten to base_url so that this client can reach it.

    The service returns its public address, but inside its own network only base_url may work. The signature does not
    cover the host. A URL of another store, without packshot's signature, stays unchanged.
    """
    parts = urlsplit(url)
    if parse_qs(parts.query).keys() != {"expires", "signature"}:
        return url
    return service.url(f"/results/{parts.path.rpartition('/')[2]}?{parts.query}")


def _path(wanted: Job | str) -> str:
    return f"/v1/jobs/{quote(wanted.id if isinstance(wanted, Job) else wanted, safe='')}"


def _read(answer: Answer, read: Callable[[Mapping[str, Any]], T]) -> T:
    try:
        return read(json.loads(answer.body))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise NotUnderstood(
            f"The response ({answer.headers.get('content-type', 'no content type')}) is not from packshot: {error!r}.",
            hint="Check that base_url is a packshot service, and that its version is not older than this client's.",
        ) from error
