"""Fetches pictures from callers' URLs, behind the guard of url_guard.py. Checks redirects like the first URL."""

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
# A body in pieces of a few bytes costs too much processor time. Real bodies come in kilobytes.
FIRST_PIECES, PIECE_BYTES = 1024, 64


class UrlInput:
    """Fetches pictures from URLs, as the settings allow. One instance serves all requests."""

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        """Raises BadSettings if the setting is on and packshot[url] is not installed."""
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
        """Release the guard's threads."""
        self.guard.close()

    def check(self, url: str, *, field: str, hint: str) -> None:
        """Check the text of a URL, without a DNS lookup. Raises UrlRefused if it may not be fetched."""
        self._check_on(field, hint)
        self.guard.check_text(url, field=field, hint=hint)

    async def fetch(
        self, url: str, *, field: str, hint: str, key: KeyInfo, max_bytes: int, reserve: Callable[[int], None]
    ) -> bytes:
        """The file at a URL, in a format that the codecs read.

        field, hint: the caller's field, and another way to send the picture, for errors. reserve: called with the size
        of each piece before the piece is stored, and may raise an error.

        Raises
        ------
        UrlRefused
            The service opens no URLs, or not this one. For an address that is not public, the error does not reveal
            whether the name exists or whether a server answers there.
        UrlFailed, UrlTooSlow, FileTooLarge, UnsupportedFormat
            The fetch failed or took too long, or the file is too large or no picture.
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
                # The lookup may outlive the request and holds a thread, so the slot stays taken until it ends.
                fetch.lookup.add_done_callback(lambda _: self._slots.give_back(key.id))

    def _check_on(self, field: str, hint: str) -> None:
        self.guard.check_on(
            field=field,
            why="this service opens no URLs from requests",
            hint=f"{hint} The operator of the service can turn this on",
        )

    async def _in_time(self, fetch: _Fetch, url: str) -> bytes:
        """Fetch within one deadline for lookups, connections, redirects and body. Logs only the host of a failure."""
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
    """Slots for fetches. One key may use three quarters of them. Safe for threads."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._running: Counter[str] = Counter()
        self._turn = threading.Lock()

    def take(self, key_id: str) -> None:
        """Raises QueueFull."""
        with self._turn:
            if self._running.total() >= self.most or self._running[key_id] >= self.most * 3 // 4:
                raise QueueFull(
                    "The service cannot open more URLs now.",
                    retry_after_s=RETRY_S,
                    hint=f"Send the request again in {RETRY_S} s.",
                )
            self._running[key_id] += 1

    def give_back(self, key_id: str) -> None:
        with self._turn:
            self._running[key_id] -= 1
            self._running += Counter()  # drops keys without fetches


class _Fetch:
    """One fetch. Its errors name the caller's field and never the URL, which may contain secrets."""

    def __init__(self, rules: UrlInput, field: str, hint: str, max_bytes: int, reserve: Callable[[int], None]) -> None:
        self._rules = rules
        self._field = field
        self._hint = hint
        self._max_bytes = max_bytes
        self._reserve = reserve
        self.host = "a URL that cannot be read"
        self.lookup: Future[list[Address]] = Future()
        """The latest lookup."""
        self.lookup.set_result([])

    async def run(self, url: str) -> bytes:
        """The file at the URL, after redirects. Raises TimeoutError and the errors of `UrlInput.fetch`."""
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
                raise self._refused("redirects to an invalid URL") from error
        raise self._failed(f"has more than {MAX_REDIRECTS} redirects")

    def too_slow(self) -> UrlTooSlow:
        return UrlTooSlow(
            f"The URL in {self._field} did not return its picture in time.", hint=self._hint, field=self._field
        )

    def _refused(self, why: str) -> UrlRefused:
        return UrlRefused(f"The URL in {self._field} {why}.", hint=self._hint, field=self._field)

    def _failed(self, why: str) -> UrlFailed:
        return UrlFailed(f"The URL in {self._field} {why}.", hint=self._hint, field=self._field)

    async def _body(self, response: httpcore.Response) -> bytes:
        """Read the body and check its size piece by piece."""
        if response.status != 200:
            raise self._failed(f"returned the HTTP status {response.status}")
        if _header(response, "content-encoding").strip().lower() not in {"", "identity"}:
            raise self._failed("returned a Content-Encoding that the request did not accept")
        length = _header(response, "content-length")
        if length.isdecimal() and (len(length) > 15 or int(length) > self._max_bytes):
            raise self._too_large()
        body, pieces = bytearray(), 0
        async for piece in response.aiter_stream():
            pieces += 1
            if len(body) + len(piece) > self._max_bytes:
                raise self._too_large()
            if pieces > FIRST_PIECES + len(body) // PIECE_BYTES:
                raise self._failed("returned its body in too many small pieces")
            self._reserve(len(piece))
            body += piece
        return bytes(body)

    def _picture(self, data: bytes) -> bytes:
        """Return the data if it begins like a picture. The pipeline checks the rest, as for every file."""
        if not data:
            raise self._failed("returned no bytes")
        if sniff(data) is None:
            try:
                codecs.probe(data, codecs.LIBRARY_LIMITS)
            except UnsupportedFormat as error:
                words = f"The URL in {self._field} leads to no supported picture. {error.message}"
                raise UnsupportedFormat(words, hint=self._hint, **{**error.fields, "field": self._field}) from error
        return data

    def _too_large(self) -> FileTooLarge:
        return FileTooLarge(
            f"The URL in {self._field} leads to a file above the limit of {self._max_bytes:,} bytes.",
            hint="Give the URL of a smaller version.",
            field=self._field,
            max_bytes=self._max_bytes,
        )


def _header(response: httpcore.Response, name: str) -> str:
    """All headers of this name, joined. "" without any."""
    return ", ".join(value.decode("latin-1") for key, value in response.headers if key.lower() == name.encode())
