"""The synchronous client."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar, Unpack

import httpx

from packshot.client import calls
from packshot.client.about import Account, ServiceInfo
from packshot.client.calls import Conversation, Target
from packshot.client.conversation import DEADLINE_S, RETRIES, TIMEOUT_S, WAIT_S, Answer, Outcome, Pause, Send
from packshot.client.jobs import Job, JobPage
from packshot.client.options import OptionFields, Photo
from packshot.client.results import Link, Packshot, Report
from packshot.retry import Deadline

T = TypeVar("T")


class Client:
    """Client for a packshot service. Keeps connections open. Threads may share one client.

        with Client("http://127.0.0.1:8000", key) as client:
            client.packshot("mug.jpg", preset="amazon").save("mug-amazon")

    Every method may raise the errors in packshot.client.errors; all are subclasses of ClientError.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        timeout_s: float = TIMEOUT_S,
        deadline_s: float = DEADLINE_S,
        retries: int = RETRIES,
        http: httpx.Client | None = None,
    ) -> None:
        """Parameters
        ----------
        timeout_s
            Longest silence of the service within one attempt, seconds.
        deadline_s
            Longest time of a whole call, seconds, including all attempts and pauses.
        retries
            Attempts after the first, for temporary failures: 429, 502, 503, 504, and failed connections.
        http
            Your own httpx.Client, for proxies and certificates. `close` does not close it.
        """
        self._service = Target(base_url, key, timeout_s, deadline_s, retries)
        self._http = http or httpx.Client()
        self._owns_http = http is None

    def packshot(
        self,
        photo: Photo,
        options: OptionFields | None = None,
        *,
        idempotency_key: str | None = None,
        **more: Unpack[OptionFields],
    ) -> Packshot:
        """Make a packshot and fetch it. Options: a mapping, keywords, or both; keywords take precedence."""
        return self._hold(calls.packshot(self._service, photo, {**(options or {}), **more}, idempotency_key))

    def link(
        self,
        photo: Photo,
        options: OptionFields | None = None,
        *,
        idempotency_key: str | None = None,
        **more: Unpack[OptionFields],
    ) -> Link:
        """Make a packshot and store it at the service. Returns its URL and all facts about it."""
        return self._hold(calls.link(self._service, photo, {**(options or {}), **more}, idempotency_key))

    def packshots(
        self,
        photo: Photo,
        presets: Iterable[str],
        options: OptionFields | None = None,
        *,
        idempotency_key: str | None = None,
        **more: Unpack[OptionFields],
    ) -> dict[str, Packshot]:
        """Make a packshot for each preset, with one matte and for one credit, and fetch them. Keys: preset names."""
        said = {**(options or {}), **more}
        return self._hold(calls.packshots(self._service, photo, presets, said, idempotency_key))

    def links(
        self,
        photo: Photo,
        presets: Iterable[str],
        options: OptionFields | None = None,
        *,
        idempotency_key: str | None = None,
        **more: Unpack[OptionFields],
    ) -> dict[str, Link]:
        """Make a packshot for each preset, as `packshots`, but store them at the service. Keys: preset names."""
        said = {**(options or {}), **more}
        return self._hold(calls.links(self._service, photo, presets, said, idempotency_key))

    def fetch(self, link: Link) -> Packshot:
        """Fetch a stored packshot, from `link`, `links` or a job."""
        return self._hold(calls.fetch(self._service, link))

    def begin_job(
        self,
        photos: Photo | Iterable[Photo],
        options: OptionFields | None = None,
        *,
        webhook: str | None = None,
        idempotency_key: str | None = None,
        **more: Unpack[OptionFields],
    ) -> Job:
        """Start a job that makes one or more photos in the background, with the same options.

        A string that begins with http:// or https:// is a URL. The service opens URLs if its operator allows it.
        webhook: a URL that the service calls when the job has finished.
        """
        said = {**(options or {}), **more}
        return self._hold(calls.begin_job(self._service, photos, said, webhook, idempotency_key))

    def job(self, job: Job | str) -> Job:
        """The current state of a job. job: its id, or an earlier state."""
        return self._hold(calls.job(self._service, job))

    def jobs(self, *, limit: int | None = None, before: str | None = None) -> JobPage:
        """A page of the key's jobs, newest first, without their photos.

        limit: jobs per page, default 20, at most 100. before: `next` of the previous page.
        """
        return self._hold(calls.jobs(self._service, limit, before))

    def cancel_job(self, job: Job | str) -> Job:
        """Cancel a job. Finished photos stay; the others cost nothing."""
        return self._hold(calls.cancel_job(self._service, job))

    def wait_for_job(self, job: Job | str, *, timeout_s: float = WAIT_S) -> Job:
        """Wait until a job has finished (done or cancelled), and return it.

        Raises
        ------
        NotFinished
            The job has not finished within timeout_s. The job continues.
        """
        return self._hold(calls.wait_for_job(self._service, job, timeout_s))

    def check(self, picture: Photo, preset: str) -> Report:
        """Check a finished picture against a preset's rules. The picture may come from any program."""
        return self._hold(calls.check(self._service, picture, preset))

    def about(self) -> ServiceInfo:
        """Facts about the service: version, model, accepted photos, options and presets. Needs no key."""
        return self._hold(calls.about(self._service))

    def account(self) -> Account:
        """The account of the key: credits, usage by day, and the secret of its webhooks."""
        return self._hold(calls.account(self._service))

    def close(self) -> None:
        """Close the connections."""
        if self._owns_http:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _hold(self, conversation: Conversation[T]) -> T:
        try:
            step = next(conversation)
            while True:
                step = conversation.send(self._do(step))
        except StopIteration as end:
            result: T = end.value
            return result

    def _do(self, step: Send | Pause) -> Outcome:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        asked = step.request
        try:
            with self._http.stream(
                asked.method,
                asked.url,
                headers=asked.headers,
                data=asked.fields,
                files=asked.files,
                timeout=step.limits.timeout(),
                follow_redirects=asked.follow,
            ) as response:
                body = b"".join(_in_time(response.iter_bytes(), step.limits.deadline))
                return Answer(response.status_code, response.headers, body)
        except httpx.RequestError as error:
            return error


def _in_time(chunks: Iterable[bytes], deadline: Deadline) -> Iterator[bytes]:
    """Enforce the deadline while a response arrives. httpx limits only silence, so a slow response might never end."""
    for chunk in chunks:
        if not deadline.left_s():
            raise httpx.ReadTimeout("the response did not end in time")
        yield chunk
