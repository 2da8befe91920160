"""Files in a bucket, through obstore: S3 and compatible stores, Google, Azure; and in memory, for tests.

A file is one object, which exists whole or not at all. Data written from memory carries its SHA-256 as metadata, and
every read verifies the checksum. A large file is read with one request per piece, so that a slow reader holds no
connection open.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import obstore
from obstore import exceptions
from obstore.store import AzureStore, GCSStore, MemoryStore, S3Store

from packshot.errors import BadSettings, FileMissing, StorageRefused, StoreUnavailable
from packshot.storage.base import PAGE_ENTRIES, Entry, Page, StoredFile, check_key, is_hidden
from packshot.storage.threads import Threads

PIECE_BYTES = 2 * 1024 * 1024
MAX_SKEW_S = 300.0  # S3 itself rejects signatures that are more than 15 minutes off
PROOF_S = 10.0  # how long a successful write counts as proof that the bucket is writable
PROBE = "probe"
# A metadata name that no other program uses. Azure allows no hyphen in it, and some proxies drop underscores.
_DIGEST = "packshotsha256"

Bucket = S3Store | GCSStore | AzureStore | MemoryStore

_REFUSED = (
    exceptions.PermissionDeniedError,
    exceptions.UnauthenticatedError,
    exceptions.InvalidPathError,
    exceptions.NotSupportedError,
    FileNotFoundError,
    ValueError,
)
# The library's text for a response without its own error class, such as any response to a listing.
_STATUS = re.compile(r"status code: (\d{3}) ?([A-Z][A-Za-z ]*)")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_PASSING = {408, 429}  # the temporary ones of the statuses 4xx


def open_bucket(url: str, *, deadline_s: float, page: str, endpoint: str | None = None) -> Bucket:
    """Open the bucket of s3://BUCKET/PREFIX (S3 and compatible stores), gs://, az:// or memory://.

    The options come from the environment, under each vendor's own names. By default, obstore waits 30 s on a host that
    drops packets, and tries ten times. Here each try gets half of `deadline_s`, so that a hanging try leaves time for a
    second one. There are at most three tries.

    Parameters
    ----------
    page
        The page of the documentation that names the variables.
    endpoint
        S3 only: an address in place of the environment's.

    Raises
    ------
    BadSettings
        The environment's options cannot be used.
    """
    parts = urlsplit(url)
    options: Any = {
        "retry_config": {"max_retries": 2, "retry_timeout": timedelta(seconds=deadline_s)},
        "client_options": {"timeout": timedelta(seconds=deadline_s / 2), **_plain(endpoint)},
    }
    at: Any = {"endpoint": endpoint} if endpoint else {}
    try:
        if parts.scheme == "s3":
            return S3Store(parts.netloc, **options, **at)
        if parts.scheme == "gs":
            return GCSStore(parts.netloc, **options)
        return AzureStore(parts.netloc, **options) if parts.scheme == "az" else MemoryStore()
    except (exceptions.BaseError, ValueError) as error:
        raise BadSettings(
            f"{parts.scheme}://{parts.netloc} cannot be opened: {_words(error)}",
            hint=f'Set the vendor\'s environment variables. See "{page}" in the documentation.',
        ) from error


class BucketStorage:
    """A Storage below the prefix of a bucket. Every call takes at most `deadline_s`, with all tries and pauses.

    url: of the prefix, without secrets. signing: the same bucket at its public address, for links. private: errors
    name no file.
    """

    folder = None

    def __init__(
        self, bucket: Bucket, url: str, *, deadline_s: float, signing: Bucket | None = None, private: bool = False
    ) -> None:
        self.url = url.rstrip("/")
        path = urlsplit(url).path.strip("/")
        self._prefix = f"{path}/" if path else ""
        self._bucket, self._deadline_s, self._private = bucket, deadline_s, private
        self._signing = cast("S3Store", signing or bucket)
        self._proved_at = float("-inf")
        self._threads = Threads()

    async def find(self, key: str) -> Entry | None:
        path = self._path(key)
        try:
            async with self._call(key):
                return self._entry(await obstore.head_async(self._bucket, path))
        except FileMissing:
            return None

    async def read(self, key: str) -> bytes:
        path = self._path(key)
        async with self._call(key):
            answer = await obstore.get_async(self._bucket, path)
            data = bytes(await answer.bytes_async())
        wanted = answer.attributes.get(_DIGEST)
        if wanted is not None and wanted != await self._threads.run(_digest, data):
            raise self._altered(key)
        return data

    async def open(self, key: str) -> StoredFile:
        path = self._path(key)
        async with self._call(key):
            options: Any = {"range": (0, PIECE_BYTES)}
            answer = await obstore.get_async(self._bucket, path, options=options)
            first = bytes(await answer.bytes_async())
        pieces = self._pieces(key, answer.meta, first, answer.attributes.get(_DIGEST))
        # Verifies a file of one piece here, where a wrong checksum can still be reported as an error.
        return StoredFile(answer.meta["size"], _chained(await anext(pieces), pieces))

    async def write(
        self, key: str, data: bytes | Path, media_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        path = self._path(key)
        attributes: Any = {"Content-Type": media_type, **(headers or {})}
        multipart = None
        if isinstance(data, bytes):
            multipart = False  # one request for up to 5 GB, so that no partial upload can remain
            attributes[_DIGEST] = await self._threads.run(_digest, data)
        self._proved_at = float("-inf")  # until this write succeeds
        async with self._call(key):
            await obstore.put_async(self._bucket, path, data, attributes=attributes, use_multipart=multipart)
        self._proved_at = time.monotonic()

    async def create(self, key: str, data: bytes, media_type: str) -> bool:
        """Looks first, then puts with If-None-Match, because some stores ignore that header."""
        if await self.find(key) is not None:
            return False
        path = self._path(key)
        attributes: Any = {"Content-Type": media_type, _DIGEST: await self._threads.run(_digest, data)}
        async with self._call(key):
            try:
                await obstore.put_async(
                    self._bucket, path, data, attributes=attributes, mode="create", use_multipart=False
                )
            except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
                return False
            except (exceptions.NotSupportedError, NotImplementedError):
                await obstore.put_async(self._bucket, path, data, attributes=attributes, use_multipart=False)
        return True

    async def remove(self, keys: Sequence[str]) -> None:
        paths = [self._path(key) for key in keys]
        try:
            async with self._call(""):
                await obstore.delete_async(self._bucket, paths)
        except FileMissing:  # only stores other than S3 report this
            return

    async def list(self, under: str = "") -> AsyncIterator[Page]:
        """Lists in the bucket's order, with one request per page."""
        start = f"{self._prefix}{under}".rstrip("/")
        stream = obstore.list(self._bucket, start or None, chunk_size=PAGE_ENTRIES)
        while found := await self._next(stream, under):
            page = [self._entry(meta) for meta in found if _is_listed(meta["path"][len(start) + bool(start) :])]
            if page:
                yield page

    async def link(self, key: str, life_s: int) -> str | None:
        path = self._path(key)
        if not self.url.startswith("s3://"):
            return None
        async with self._call(key):
            # Reads one byte: the response to a HEAD is the same for a missing bucket and a missing object.
            byte: Any = {"range": (0, 1)}
            await obstore.get_async(self._bucket, path, options=byte)
            return await obstore.sign_async(self._signing, "GET", path, timedelta(seconds=life_s))

    def check_signing(self) -> None:
        """Raise StorageRefused or StoreUnavailable if links cannot be signed."""
        with _translated(self.url):
            obstore.sign(self._signing, "GET", f"{self._prefix}{PROBE}", timedelta(seconds=60))

    async def check(self) -> None:
        """Return if a file can be written now: a write within PROOF_S, or a probe, succeeded, and the clocks agree."""
        if time.monotonic() - self._proved_at < PROOF_S:
            return
        await self.write(PROBE, b"ready?", "text/plain")
        async with self._call(PROBE):
            meta = await obstore.head_async(self._bucket, self._path(PROBE))
        skew_s = time.time() - meta["last_modified"].timestamp()
        if abs(skew_s) > MAX_SKEW_S:
            self._proved_at = float("-inf")  # the probe's own write does not count as proof
            raise StoreUnavailable(f"{self.url}: its clock and this machine's are {skew_s:+.0f} s apart.")

    async def remove_leftovers(self, before: float | None = None) -> int:
        return 0

    async def _next(self, stream: Any, under: str) -> Any:
        async with self._call(under):
            try:
                return await stream.__anext__()  # anext() with a default does not support it
            except StopAsyncIteration:
                return []

    async def _pieces(self, key: str, meta: Any, piece: bytes, digest: str | None) -> AsyncIterator[bytes]:
        """The pieces from the first on. Yields the last one only if the checksum of all pieces is right."""
        whole, offset, size = hashlib.sha256(), 0, meta["size"]
        while True:
            await self._threads.run(whole.update, piece)
            offset += len(piece)
            if offset >= size:
                break
            yield piece
            piece = await self._piece(key, offset, meta["e_tag"])
        if digest is not None and whole.hexdigest() != digest:
            raise self._altered(key)
        yield piece

    async def _piece(self, key: str, offset: int, e_tag: str | None) -> bytes:
        options: Any = {"range": (offset, offset + PIECE_BYTES), **({"if_match": e_tag} if e_tag else {})}
        async with self._call(key):
            answer = await obstore.get_async(self._bucket, self._path(key), options=options)
            return bytes(await answer.bytes_async())

    def _entry(self, meta: Any) -> Entry:
        modified = meta["last_modified"].timestamp()
        version = (meta["e_tag"] or f"{meta['size']}-{int(modified)}").strip('"')
        return Entry(meta["path"][len(self._prefix) :], version, meta["size"], modified)

    def _path(self, key: str) -> str:
        return self._prefix + check_key(key)

    def _named(self, key: str) -> str:
        return self.url if self._private or not key else f"{self.url}/{key}"

    def _altered(self, key: str) -> StoreUnavailable:
        return StoreUnavailable(
            f"{self._named(key)}: the content differs from what was written.", hint="Try again later."
        )

    @asynccontextmanager
    async def _call(self, key: str) -> AsyncIterator[None]:
        """Runs one request within the deadline, and translates its errors."""
        with _translated(self._named(key)):
            async with asyncio.timeout(self._deadline_s):
                yield


def _is_listed(below: str) -> bool:
    return bool(below) and not is_hidden(below)


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Translate errors inside the block: StoreUnavailable for temporary ones, StorageRefused for the others."""
    try:
        yield
    except TimeoutError as error:
        raise StoreUnavailable(
            f"{name}: no response in time.", hint="Check that the storage is reachable, or try again later."
        ) from error
    except (*_REFUSED, exceptions.BaseError) as error:
        status = _STATUS.search(str(error))
        refuses = status is not None and 400 <= int(status[1]) < 500 and int(status[1]) not in _PASSING
        if refuses or isinstance(error, _REFUSED):
            missing = isinstance(error, FileNotFoundError) and "NoSuchBucket" not in str(error)
            hint = "Check the name, the credentials and their permissions."
            raise (FileMissing if missing else StorageRefused)(f"{name}: {_words(error)}.", hint=hint) from error
        raise StoreUnavailable(f"{name}: {_words(error)}.", hint="Try again later.") from error


def _words(error: Exception) -> str:
    """The response in short, such as 403 Forbidden, SignatureDoesNotMatch; else the library's text without its dump."""
    text = str(error)
    if status := _STATUS.search(text):
        code = _CODE.search(text)
        return f"{status[1]} {status[2].strip()}{f', {code[1]}' if code else ''}"
    return text.strip().partition("\n")[0].rpartition(" - ")[2][:300] or type(error).__name__


def _plain(endpoint: str | None) -> dict[str, bool]:
    # An http:// address is set on purpose, but obstore needs a second option to allow it.
    names = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT")
    endpoints = [endpoint] if endpoint else [os.environ.get(name, "") for name in names]
    return {"allow_http": True} if any(address.startswith("http://") for address in endpoints) else {}
