"""Results: their names, their expiring links, and the store that keeps them for the lifetime of a link.

A result is one file in the state folder or in a bucket: ab/ID.EXT for an id that begins with ab.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import logging
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from packshot.core.codecs.formats import WRITTEN
from packshot.errors import (
    BadSettings,
    BadSignature,
    FileMissing,
    ResultExpired,
    ResultUnknown,
    StorageError,
    StorageRefused,
    StoreUnavailable,
)
from packshot.storage.base import Storage, StoredFile
from packshot.storage.folder import FolderStorage

if TYPE_CHECKING:
    from packshot.service.settings import Settings

SWEEP_EVERY_S = 3600.0
GRACE_S = 600.0  # lets downloads finish that began in a link's last second
JOB_LIFE_S = 7 * 24 * 3600.0
"""Lifetime of jobs, finished or not."""
INPUTS = "jobs/"
"""Prefix of the names of photos that wait for a job."""
_SWEPT = "sweep"  # the object whose age is the time since the last sweep of a bucket
_PAUSE_S = 0.2  # between two pages of a listing, 1000 files each

EXTENSIONS = {row.media_type: row.suffix.removeprefix(".") for row in WRITTEN.values()}
"""File extensions of results by media type, such as "png"."""
_MEDIA_TYPES = {extension: media_type for media_type, extension in EXTENSIONS.items()}
# A single dot and no slash: no name can leave the folder of results.
_NAME = re.compile(rf"[A-Za-z0-9_-]{{22}}\.({'|'.join(_MEDIA_TYPES)})")
# Separates these signatures from any others made with the same secret.
_PURPOSE = b"packshot-result-1:"

_log = logging.getLogger(__name__)


def content_disposition(media_type: str) -> str:
    """The header value that makes browsers show a result inline and save it as packshot.EXT."""
    return f'inline; filename="packshot.{EXTENSIONS[media_type]}"'


def new_result_id() -> str:
    """A new id: 22 URL-safe characters from 128 random bits, which cannot be guessed."""
    return secrets.token_urlsafe(16)


def result_name(result_id: str, media_type: str) -> str:
    """The name of a result in the store and in links: ID.EXT."""
    return f"{result_id}.{EXTENSIONS[media_type]}"


def media_type_of(name: str) -> str:
    """The media type of a result, from its name. Raises ResultUnknown for an invalid name."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise _unknown()
    return _MEDIA_TYPES[found[1]]


class UrlSigner:
    """Signs and verifies result links, by HMAC-SHA256 over name and expiry.

    The first secret signs and all verify, so that changing a secret breaks no link.
    """

    def __init__(self, secrets: Sequence[str], now: Callable[[], float]) -> None:
        self._secrets = [secret.encode() for secret in secrets]
        self._now = now

    def sign(self, name: str, expires: int) -> str:
        """The signature of a result, valid until `expires` (seconds since 1970): 43 URL-safe characters."""
        return _signature(self._secrets[0], name, str(expires))

    def verify(self, name: str, expires: str, signature: str) -> None:
        """Verify a link from a request. Checks the signature first: only for a valid link does it report expiry.

        Raises
        ------
        BadSignature
            The link was not made here, or was altered.
        ResultExpired
            The signature is valid, but the link has expired.
        """
        # Digits only, so that the signed text can be split in only one way.
        canonical = expires.isascii() and expires.isdecimal()
        given = _as_bytes(signature)
        true = [hmac.compare_digest(given, _signature(key, name, expires).encode()) for key in self._secrets]
        if not (canonical and any(true)):
            raise BadSignature(
                "This link was not made here, or was altered.", hint="Use the link exactly as you received it."
            )
        if self._now() >= int(expires):
            raise ResultExpired("This result has expired.", hint="Send the photo again.", expires=int(expires))


def _signature(secret: bytes, name: str, expires: str) -> str:
    message = _PURPOSE + _as_bytes(expires) + b":" + _as_bytes(name)
    return base64.urlsafe_b64encode(hmac.digest(secret, message, "sha256")).rstrip(b"=").decode()


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # a URL may hold any text, and none may cause a 500


class ResultStore:
    """Stores results by name. Every method may raise StoreUnavailable, whose cause has the details for the log.

    sweep_every_s: interval of sweeps, shared by all replicas of the store. 0 sweeps at every call, None never.
    """

    def __init__(self, storage: Storage, *, sweep_every_s: float | None = 0.0) -> None:
        self.storage = storage
        self._sweep_every_s = sweep_every_s

    async def put(self, name: str, data: bytes) -> None:
        """Store a result as a whole or, after an error, not at all."""
        media_type = media_type_of(name)
        headers = {"Content-Disposition": content_disposition(media_type), "Cache-Control": "private"}
        with _failures():
            await self.storage.write(_key(name), data, media_type, headers)

    async def open(self, name: str) -> StoredFile:
        """Open a result. Raises ResultUnknown, also for an invalid name."""
        key = _key(name)
        with _failures(), _unknown_if_missing():
            found = await self.storage.open(key)
            return StoredFile(found.size_bytes, _with_failures(found.chunks))

    async def put_input(self, name: str, data: bytes) -> None:
        """Store a job's photo under a name that the caller chooses."""
        with _failures():
            await self.storage.write(INPUTS + name, data, "application/octet-stream")

    async def read_input(self, name: str) -> bytes:
        """Read a job's photo. Raises ResultUnknown."""
        with _failures(), _unknown_if_missing():
            return await self.storage.read(INPUTS + name)

    async def remove_inputs(self, names: Sequence[str]) -> None:
        """Remove photos of jobs. Ignores missing ones."""
        with _failures():
            await self.storage.remove([INPUTS + name for name in names])

    async def link(self, name: str, life_s: int) -> str | None:
        """A direct URL of the storage for `life_s` seconds; None if the storage has none. Raises ResultUnknown."""
        key = _key(name)
        with _failures(), _unknown_if_missing():
            return await self.storage.link(key, life_s)

    async def check(self) -> None:
        """Return if a result could be stored now."""
        with _failures():
            await self.storage.check()

    async def remove_older(self, before: float, inputs_before: float = 0.0) -> int:
        """Remove leftovers, and results last written before `before` (seconds since 1970). Returns their number.

        inputs_before: the same for photos of jobs.
        """
        with _failures():
            if not await self._take_turn():
                return 0
            count = await self.storage.remove_leftovers(before)
            async for page in self.storage.list():
                old = [entry.key for entry in page if entry.modified < before and _is_result(entry.key)]
                old += [entry.key for entry in page if entry.modified < inputs_before and entry.key.startswith(INPUTS)]
                if old:
                    await self.storage.remove(old)
                count += len(old)
                await asyncio.sleep(_PAUSE_S)
            return count

    async def _take_turn(self) -> bool:
        """Whether a sweep is due. Two replicas may both sweep when they ask at once, which does no harm."""
        if not self._sweep_every_s:
            return self._sweep_every_s is not None
        last = await self.storage.find(_SWEPT)
        if last is not None and abs(time.time() - last.modified) < self._sweep_every_s:  # clocks are set back too
            return False
        await self.storage.write(_SWEPT, b"swept", "text/plain")
        return True


def open_results(settings: Settings, folder: Path) -> ResultStore:
    """Opens the bucket of PACKSHOT_RESULTS_URL, or else the folder. Uses the network only to check signing.

    Raises
    ------
    BadSettings
        The extra `storage` is missing, the vendor's variables are invalid, or they cannot sign links.
    """
    url, deadline_s, public = settings.results_url, settings.results_deadline_s, settings.results_public_endpoint
    if url is None:
        return ResultStore(FolderStorage(folder, private=True))
    try:
        from packshot.storage.bucket import BucketStorage, open_bucket  # noqa: PLC0415 - an extra, and 20 ms
    except ImportError as error:
        raise BadSettings(
            f"PACKSHOT_RESULTS_URL is {url}, which needs obstore, but obstore is not installed.",
            hint="pip install 'packshot[storage]'",
        ) from error
    opened = partial(open_bucket, url, deadline_s=deadline_s, page="Keep results in a bucket")
    signing = None if public is None else opened(endpoint=public)
    storage = BucketStorage(opened(), url, deadline_s=deadline_s, signing=signing, private=True)
    if settings.results_delivery == "redirect":
        try:
            storage.check_signing()
        except StorageError as error:
            raise BadSettings(
                f"PACKSHOT_RESULTS_DELIVERY is redirect, but no link can be signed: {error.message}",
                hint='Set the credentials that "Keep results in a bucket" in the documentation names, or '
                "PACKSHOT_RESULTS_DELIVERY=stream.",
            ) from error
    return ResultStore(storage, sweep_every_s=SWEEP_EVERY_S if settings.results_sweep else None)


async def look_at(store: ResultStore) -> None:
    """Log why results cannot be stored, if so. The start goes on, because the store may come back."""
    try:
        await store.check()
    except StoreUnavailable as error:
        _log.error("results cannot be stored, so the service is not ready: %s", error.__cause__)


@dataclass(frozen=True)
class Sweeper:
    """Removes results after their links have expired, plus a grace time, until cancelled."""

    store: ResultStore
    ttl_s: float
    every_s: float = 600.0
    now: Callable[[], float] = time.time

    async def sweep(self) -> int:
        """Remove old results and old photos of jobs. Returns their number."""
        now = self.now()
        return await self.store.remove_older(now - self.ttl_s - GRACE_S, now - JOB_LIFE_S - GRACE_S)

    async def run(self) -> None:
        """Sweep at once and then every `every_s` seconds. Logs a failed sweep and goes on."""
        while True:
            try:
                await self.sweep()
            except StoreUnavailable as error:
                _log.warning("expired results could not be removed: %s", error.__cause__)
            except Exception:  # noqa: BLE001 - no caller would log it, and the loop must go on
                _log.exception("expired results could not be removed")
            await asyncio.sleep(self.every_s)


def _key(name: str) -> str:
    media_type_of(name)  # rejects invalid names
    return f"{name[:2]}/{name}"


def _is_result(key: str) -> bool:
    return _NAME.fullmatch(key[3:]) is not None and key[:3] == f"{key[3:5]}/"


@contextmanager
def _unknown_if_missing() -> Iterator[None]:
    try:
        yield
    except FileMissing as error:
        raise _unknown() from error


@contextmanager
def _failures() -> Iterator[None]:
    """Raise one error for every failure. Its cause has the details for the log; callers may see its message."""
    try:
        yield
    except (StorageRefused, StoreUnavailable) as error:
        raise StoreUnavailable("Results cannot be stored or read at the moment.", hint="Try again later.") from error


async def _with_failures(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    with _failures():
        async for chunk in chunks:
            yield chunk


def _unknown() -> ResultUnknown:
    return ResultUnknown("This result does not exist.", hint="Use the link exactly as you received it.")
