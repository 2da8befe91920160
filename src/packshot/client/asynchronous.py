"""The asyncio client. Differs from blocking.py only in how it waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
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

T = TypeVar("T")


class AsyncClient:
    """Client for a packshot service. Keeps connections open. Tasks may share one client.

        async with AsyncClient("http://127.0.0.1:8000", key) as client:
            mug = await client.packshot("mug.jpg", preset="amazon")

    Parameters and methods are the same as those of Client.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        timeout_s: float = TIMEOUT_S,
        deadline_s: float = DEADLINE_S,
        retries: int = RETRIES,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        """See Client."""
        self._service = Target(base_url, key, timeout_s, deadline_s, retries)
        self._http = http or httpx.AsyncClient()
        self._owns_http = http is None

    async def packshot(
        self,
        photo: Photo,
        options: OptionFields | None = None,
        *,
        idempotency_key: str | None = None,
        **more: Unpack[OptionFields],
    ) -> Packshot:
        """Make a packshot and fetch it. Options: a mapping, keywords, or both; keywords take precedence."""
        return await self._hold(calls.packshot(self._service, photo, {**(options or {}), **more}, idempotency_key))

    async def link(
        self,
        photo: Photo,
        options: OptionFields | None = None,
        *,
        idempotency_key: str | None = None,
        **more: Unpack[OptionFields],
    ) -> Link:
        """Make a packshot and store it at the service. Returns its URL and all facts about it."""
        return await self._hold(calls.link(self._service, photo, {**(options or {}), **more}, idempotency_key))

    async def packshots(
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
        return await self._hold(calls.packshots(self._service, photo, presets, said, idempotency_key))

    async def links(
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
        return await self._hold(calls.links(self._service, photo, presets, said, idempotency_key))

    async def fetch(self, link: Link) -> Packshot:
        """Fetch a stored packshot, from `link`, `links` or a job."""
        return await self._hold(calls.fetch(self._service, link))

    async def begin_job(
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
        return await self._hold(calls.begin_job(self._service, photos, said, webhook, idempotency_key))

    async def job(self, job: Job | str) -> Job:
        """The current state of a job. job: its id, or an earlier state."""
        return await self._hold(calls.job(self._service, job))

    async def jobs(self, *, limit: int | None = None, before: str | None = None) -> JobPage:
        """A page of the key's jobs, newest first, without their photos.

        limit: jobs per page, default 20, at most 100. before: `next` of the previous page.
        """
        return await self._hold(calls.jobs(self._service, limit, before))

    async def cancel_job(self, job: Job | str) -> Job:
        """Cancel a job. Finished photos stay; the others cost nothing."""
        return await self._hold(calls.cancel_job(self._service, job))

    async def wait_for_job(self, job: Job | str, *, timeout_s: float = WAIT_S) -> Job:
        """Wait until a job has finished (done or cancelled), and return it.

        Raises
        ------
        NotFinished
            The job has not finished within timeout_s. The job continues.
        """
        return await self._hold(calls.wait_for_job(self._service, job, timeout_s))

    async def check(self, picture: Photo, preset: str) -> Report:
        """Check a finished picture against a preset's rules. The picture may come from any program."""
        return await self._hold(calls.check(self._service, picture, preset))

    async def about(self) -> ServiceInfo:
        """Facts about the service: version, model, accepted photos, options and presets. Needs no key."""
        return await self._hold(calls.about(self._service))

    async def account(self) -> Account:
        """The account of the key: credits, usage by day, and the secret of its webhooks."""
        return await self._hold(calls.account(self._service))

    async def close(self) -> None:
        """Close the connections."""
        if self._owns_http:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _hold(self, conversation: Conversation[T]) -> T:
        try:
            step = await asyncio.to_thread(next, conversation)  # the first step reads the caller's files, which blocks
            while True:
                step = conversation.send(await self._do(step))
        except StopIteration as end:
            result: T = end.value
            return result

    async def _do(self, step: Send | Pause) -> Outcome:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        asked = step.request
        try:
            async with asyncio.timeout(step.limits.deadline.left_s()):
                response = await self._http.request(
                    asked.method,
                    asked.url,
                    headers=asked.headers,
                    data=asked.fields,
                    files=asked.files,
                    timeout=step.limits.timeout(),
                    follow_redirects=asked.follow,
                )
                return Answer(response.status_code, response.headers, response.content)
        except TimeoutError:
            return httpx.ReadTimeout("the response did not end in time")
        except httpx.RequestError as error:
            return error
