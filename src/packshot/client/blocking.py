"""The client for programs that wait."""

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
    """A packshot service, over connections that are kept. Threads may share one client.

        with Client("http://127.0.0.1:8000", key) as client:
            client.packshot("mug.jpg", preset="amazon").save("mug-amazon")

    Every method may raise the errors of packshot.client.errors; all are ClientError.
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
            Longest silence of the service within one attempt.
        deadline_s
            Longest time of a whole call, with all attempts and the pauses between them.
        retries
            Attempts after the first, for what is temporary: 429, 502, 503, 504, and connections that fail.
        http
            An own httpx.Client, for proxies and certificates. It stays open when this client is closed.
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
        """Make a packshot and fetch it. Options may come as a mapping, as keywords, or both: keywords win."""
        return self._hold(calls.packshot(self._service, photo, {**(options or {}), **more}, idempotency_key))

    def link(
        self,
        photo: Photo,
        options: OptionFields | None = None,
        *,
        idempotency_key: str | None = None,
        **more: Unpack[OptionFields],
    ) -> Link:
        """Make a packshot and leave it at the service: where it lies, and all that is known of it."""
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
        """Make a packshot for each preset, of one matte and for one credit, and fetch them: by the presets' names."""
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
        """The same, and leave them at the service: where each lies, and all that is known of it."""
        said = {**(options or {}), **more}
        return self._hold(calls.links(self._service, photo, presets, said, idempotency_key))

    def fetch(self, link: Link) -> Packshot:
        """Fetch a packshot that lies at the service: one of `link`, of `links` or of a job."""
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
        """Have one photo or many made in the background, with the same options.

        A text that begins with http:// or https:// is a URL, which the service opens if its operator allows that.
        webhook: a URL that the service tells when the job has finished.
        """
        said = {**(options or {}), **more}
        return self._hold(calls.begin_job(self._service, photos, said, webhook, idempotency_key))

    def job(self, job: Job | str) -> Job:
        """How a job stands now, by its id or as it stood before."""
        return self._hold(calls.job(self._service, job))

    def jobs(self, *, limit: int | None = None, before: str | None = None) -> JobPage:
        """A page of the key's jobs, newest first, without their photos.

        limit: of jobs on a page, 20 if not given, 100 at most. before: `next` of the page before.
        """
        return self._hold(calls.jobs(self._service, limit, before))

    def cancel_job(self, job: Job | str) -> Job:
        """End a job: what is done stays, and the rest costs nothing."""
        return self._hold(calls.cancel_job(self._service, job))

    def wait_for_job(self, job: Job | str, *, timeout_s: float = WAIT_S) -> Job:
        """The job once it has finished: done or cancelled.

        Raises
        ------
        NotFinished
            It has not within timeout_s. It goes on.
        """
        return self._hold(calls.wait_for_job(self._service, job, timeout_s))

    def check(self, picture: Photo, preset: str) -> Report:
        """Judge a finished picture, made by whatever means, by a preset's rules."""
        return self._hold(calls.check(self._service, picture, preset))

    def about(self) -> ServiceInfo:
        """What the service is: version, model, the photos it takes, its options and presets. Needs no key."""
        return self._hold(calls.about(self._service))

    def account(self) -> Account:
        """The account of the key: credits, use by days, and the secret of its webhooks."""
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
    """httpx counts silence only: an answer that drips for ever would never end."""
    for chunk in chunks:
        if not deadline.left_s():
            raise httpx.ReadTimeout("the answer did not end in time")
        yield chunk
