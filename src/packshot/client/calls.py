"""What the service can be asked: each call as a conversation, the same for both clients."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from packshot import __version__
from packshot.client.conversation import Answer, Limits, Outcome, Pause, Request, Send, ask, make_policy
from packshot.client.errors import NotUnderstood
from packshot.client.options import Photo, as_form, as_part
from packshot.client.results import Link, Packshot, Report, ServiceInfo, links_from_json
from packshot.retry import Deadline

T = TypeVar("T")
Conversation = Generator[Send | Pause, Outcome, T]
_HEADERS = {"User-Agent": f"packshot-client/{__version__}"}


@dataclass(frozen=True)
class Target:
    """Where it is, and how long it is waited for: the parameters of Client."""

    base_url: str
    key: str
    timeout_s: float
    deadline_s: float
    retries: int

    def __post_init__(self) -> None:
        if urlsplit(self.base_url).scheme not in {"http", "https"} or not urlsplit(self.base_url).hostname:
            raise ValueError(f"base_url is {self.base_url!r}. Give an address such as https://packshot.example.com.")
        if not self.key.isascii() or not self.key.isprintable() or not self.key.strip():
            # The key itself is not shown: errors end in logs.
            raise ValueError("The key is empty, or has characters that no key has, such as a line's end.")

    def url(self, path: str) -> str:
        return self.base_url.rstrip("/") + path

    def limits(self) -> Limits:
        """The limits of a call that begins now."""
        return Limits(self.timeout_s, Deadline(self.deadline_s), make_policy(self.retries))


def link(
    service: Target,
    photo: Photo,
    options: Mapping[str, object],
    idempotency_key: str | None,
    limits: Limits | None = None,
) -> Conversation[Link]:
    """Have a packshot made and kept by the service. limits: of the call that this is a part of, if it is one."""
    limits = limits or service.limits()
    answer = yield from ask(_form(service, "/v1/packshots", photo, options, idempotency_key), limits)
    return _read(answer, Link.from_json)


def packshot(
    service: Target, photo: Photo, options: Mapping[str, object], idempotency_key: str | None
) -> Conversation[Packshot]:
    """Have a packshot made, and fetch it: two requests, for only JSON has room for the notes and the report."""
    limits = service.limits()
    made = yield from link(service, photo, options, idempotency_key, limits)
    return (yield from _fetched(service, made, limits))


def _fetched(service: Target, made: Link, limits: Limits) -> Conversation[Packshot]:
    # A service may send us on to its bucket; there is no key in this request that could go along.
    answer = yield from ask(Request("GET", _reachable(service, made.url), _HEADERS, follow=True), limits)
    if len(answer.body) != made.size_bytes:
        raise NotUnderstood(f"{made.url} holds {len(answer.body)} bytes instead of {made.size_bytes}.")
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
    """Have a packshot made for each preset, of one matte and for one credit, and kept by the service."""
    names = [presets] if isinstance(presets, str) else list(presets)
    wishes = {**options, "preset": ",".join(names)}
    answer = yield from ask(_form(service, "/v1/packshots", photo, wishes, idempotency_key), limits or service.limits())
    return dict(zip(names, _read(answer, links_from_json), strict=True))


def packshots(
    service: Target,
    photo: Photo,
    presets: Iterable[str],
    options: Mapping[str, object],
    idempotency_key: str | None,
) -> Conversation[dict[str, Packshot]]:
    """The same, and fetch them, one after the other."""
    limits = service.limits()
    made = yield from links(service, photo, presets, options, idempotency_key, limits=limits)
    fetched = {}
    for name, each in made.items():
        fetched[name] = yield from _fetched(service, each, limits)
    return fetched


def check(service: Target, picture: Photo, preset: str) -> Conversation[Report]:
    """Have a finished picture judged by a preset's rules."""
    request = _form(service, "/v1/checks", picture, {"preset": preset}, None)
    answer = yield from ask(request, service.limits())
    return _read(answer, lambda said: Report.from_json(said["preset"]))


def about(service: Target) -> Conversation[ServiceInfo]:
    """Ask what the service is and can."""
    request = Request("GET", service.url("/v1/about"), _HEADERS | {"Accept": "application/json"})
    answer = yield from ask(request, service.limits())
    return _read(answer, ServiceInfo.from_json)


def _form(
    service: Target, path: str, photo: Photo, options: Mapping[str, object], idempotency_key: str | None
) -> Request:
    """A form with the photo. One idempotency key for all attempts: the service does and charges the work once."""
    said, files = as_form(options)
    headers = _HEADERS | {
        "Accept": "application/json",
        "Authorization": f"Bearer {service.key}",
        "Idempotency-Key": idempotency_key or str(uuid.uuid4()),
    }
    return Request("POST", service.url(path), headers, said, {"image": as_part(photo), **files})


def _reachable(service: Target, url: str) -> str:
    """The address of a result as this client can reach it.

    A service says its public address, and from inside its own network only base_url may lead there; the signature does
    not cover the host. An address that packshot did not sign, of another store, stays as it is.
    """
    parts = urlsplit(url)
    if parse_qs(parts.query).keys() != {"expires", "signature"}:
        return url
    return service.url(f"/results/{parts.path.rpartition('/')[2]}?{parts.query}")


def _read(answer: Answer, read: Callable[[Mapping[str, Any]], T]) -> T:
    try:
        return read(json.loads(answer.body))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise NotUnderstood(
            f"The answer ({answer.headers.get('content-type', 'of no kind')}) is not one of packshot's: {error!r}.",
            hint="Is base_url the address of a packshot service, and is its version at least this client's?",
        ) from error
