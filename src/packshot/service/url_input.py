"""Pictures from URLs that callers give, behind the guard of url_guard.py. Redirects are checked like the first URL."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from packshot.core import codecs
from packshot.core.codecs.formats import sniff
from packshot.errors import (
    FileTooLarge,
    PackshotError,
    QueueFull,
    UnsupportedFormat,
    UrlFailed,
    UrlRefused,
    UrlTooSlow,
)
from packshot.service.environment import variable_of
from packshot.service.ledger import out_of_credits
from packshot.service.url_guard import UrlGuard

if TYPE_CHECKING:
    import httpcore

    from packshot.service.accounts import KeyInfo
    from packshot.service.settings import Settings
    from packshot.service.telemetry import Telemetry
    from packshot.service.url_target import Address

log = logging.getLogger(__name__)

MAX_REDIRECTS = 3
RETRY_S = 2
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# A body in pieces of a few bytes costs a core more than its bytes are worth. Real ones come in kilobytes.
FIRST_PIECES, PIECE_BYTES = 1024, 64


class UrlInput:
    """Brings pictures from URLs, as the settings allow it. One instance serves all requests."""

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        """Raises BadSettings where the setting asks for it and packshot[url] is not installed."""
        self.deadline_s = settings.url_input_deadline_s
        self._telemetry = telemetry
        self._slots = _Slots(2 * settings.workers + 8)
        self.guard = UrlGuard(
            settings.url_input,
            settings.url_input_hosts,
            settings.url_input_networks,
            self._slots.most,
            variable_of("url_input"),
        )

    def close(self) -> None:
        """Let the guard's threads go."""
        self.guard.close()

    def check(self, url: str, *, field: str, hint: str) -> None:
        """Return if a URL may be fetched, as far as its text tells. Raises UrlRefused."""
        self._check_on(field, hint)
        self.guard.check_text(url, field=field, hint=hint)

    async def fetch(
        self, url: str, *, field: str, hint: str, key: KeyInfo, max_bytes: int, reserve: Callable[[int], None]
    ) -> bytes:
        """The file at a URL, of a kind that the codecs read.

        field, hint: the caller's field, and another way to send the picture, for errors. reserve: called with each
        number of bytes before they are held; may refuse them.

        Raises
        ------
        UrlRefused
            The service opens no URL, or not this one. Of an address that is not public nothing else is told: neither
            whether its name exists, nor whether anything answers there.
        UrlFailed, UrlTooSlow, FileTooLarge, UnsupportedFormat
            It cannot be brought, not in time, or is no picture.
        OutOfCredits, QueueFull
            Nothing was opened: the key has no credit, or too many fetches are running.
        """
        fetch = _Fetch(self, field, hint, max_bytes, reserve)
        self._check_on(field, hint)
        if key.credits == 0:
            raise out_of_credits()
        with self._telemetry.fetching():
            self._slots.take(key.id)
            try:
                return await self._in_time(fetch, url)
            finally:
                # Its lookup, which may go on when nobody waits for it any more, holds a thread: it keeps its slot.
                fetch.lookup.add_done_callback(lambda _: self._slots.give_back(key.id))

    def _check_on(self, field: str, hint: str) -> None:
        self.guard.check_on(
            field=field,
            why="this service opens no URL that a caller gives it",
            hint=f"{hint} Whoever runs the service can turn it on",
        )

    async def _in_time(self, fetch: _Fetch, url: str) -> bytes:
        """One deadline over names, connections, redirects and the body. What fails is logged with its host alone."""
        try:
            try:
                async with asyncio.timeout(self.deadline_s):
                    return await fetch.run(url)
            except TimeoutError as error:
                raise fetch.too_slow() from error
        except PackshotError as error:
            log.info("a picture at %s is not used: %s", fetch.host, error.slug)
            raise


class _Slots:
    """How many fetches may run: in all, and three quarters of them for one key. Safe from threads."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._running: Counter[str] = Counter()
        self._turn = threading.Lock()

    def take(self, key_id: str) -> None:
        """Raises QueueFull."""
        with self._turn:
            if self._running.total() >= self.most or self._running[key_id] >= self.most * 3 // 4:
                raise QueueFull(
                    "The service opens as many URLs as it can.",
                    retry_after_s=RETRY_S,
                    hint=f"Send it again in {RETRY_S} s.",
                )
            self._running[key_id] += 1

    def give_back(self, key_id: str) -> None:
        with self._turn:
            self._running[key_id] -= 1
            self._running += Counter()  # forgets keys that have none


class _Fetch:
    """One picture on its way. Its errors name the caller's field and never the URL, which may hold secrets."""

    def __init__(self, rules: UrlInput, field: str, hint: str, max_bytes: int, reserve: Callable[[int], None]) -> None:
        self._rules = rules
        self._field = field
        self._hint = hint
        self._max_bytes = max_bytes
        self._reserve = reserve
        self.host = "a URL that cannot be read"
        self.lookup: Future[list[Address]] = Future()
        """The last one that was begun."""
        self.lookup.set_result([])

    async def run(self, url: str) -> bytes:
        """The file that the URL leads to, over redirects. Raises TimeoutError, and what `UrlInput.fetch` raises."""
        from packshot.service.url_connection import answer  # noqa: PLC0415 - an extra

        guard = self._rules.guard
        for _ in range(MAX_REDIRECTS + 1):
            try:
                target = guard.read(url)
                self.host = target.host
                guard.check(target)
                self.lookup = guard.look_up(target)
                addresses = await guard.addresses(target, self.lookup)
            except ValueError as error:
                raise self._refused(str(error)) from error
            try:
                async with answer(target, addresses, guard.tls, self._rules.deadline_s) as response:
                    if response.status not in REDIRECTS:
                        return self._picture(await self._body(response))
                    location = _header(response, "location")
            except ConnectionError as error:
                raise self._failed(str(error)) from error
            try:
                url = urljoin(str(target), location)
            except ValueError as error:
                raise self._refused("leads to another that cannot be read") from error
        raise self._failed(f"leads over more than {MAX_REDIRECTS} redirects")

    def too_slow(self) -> UrlTooSlow:
        return UrlTooSlow(
            f"The URL in {self._field} did not give its picture in time.", hint=self._hint, field=self._field
        )

    def _refused(self, why: str) -> UrlRefused:
        return UrlRefused(f"The URL in {self._field} {why}.", hint=self._hint, field=self._field)

    def _failed(self, why: str) -> UrlFailed:
        return UrlFailed(f"The URL in {self._field} {why}.", hint=self._hint, field=self._field)

    async def _body(self, response: httpcore.Response) -> bytes:
        """The body, counted as it comes."""
        if response.status != 200:
            raise self._failed(f"was answered with the HTTP status {response.status}")
        if _header(response, "content-encoding").strip().lower() not in {"", "identity"}:
            raise self._failed("was answered with a Content-Encoding, which nobody asked for")
        length = _header(response, "content-length")
        if length.isdecimal() and (len(length) > 15 or int(length) > self._max_bytes):
            raise self._too_large()
        body, pieces = bytearray(), 0
        async for piece in response.aiter_stream():
            pieces += 1
            if len(body) + len(piece) > self._max_bytes:
                raise self._too_large()
            if pieces > FIRST_PIECES + len(body) // PIECE_BYTES:
                raise self._failed("was answered in too many small pieces")
            self._reserve(len(piece))
            body += piece
        return bytes(body)

    def _picture(self, data: bytes) -> bytes:
        """The same, if it begins as a picture does; what else there is to check, the pipeline checks of every file."""
        if not data:
            raise self._failed("was answered with no bytes")
        if sniff(data) is None:
            try:
                codecs.probe(data, codecs.LIBRARY_LIMITS)
            except UnsupportedFormat as error:
                words = f"The URL in {self._field} leads to no picture that is read here. {error.message}"
                raise UnsupportedFormat(words, hint=self._hint, **{**error.fields, "field": self._field}) from error
        return data

    def _too_large(self) -> FileTooLarge:
        return FileTooLarge(
            f"The URL in {self._field} leads to more than {self._max_bytes:,} bytes, the most that are accepted.",
            hint="Give the URL of a smaller version.",
            field=self._field,
            max_bytes=self._max_bytes,
        )


def _header(response: httpcore.Response, name: str) -> str:
    """All headers of this name as one, "" where there is none."""
    return ", ".join(value.decode("latin-1") for key, value in response.headers if key.lower() == name.encode())
