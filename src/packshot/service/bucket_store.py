"""Results in a bucket of object storage, for any number of replicas: s3://BUCKET/PREFIX/ID. Needs obstore.

A result is one object, put by one request: it is there as a whole or not at all. Its SHA-256 travels with it and is
compared when it is read. Reading asks for one piece after the other, so that a slow client holds no connection open.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, TypeVar, cast

import obstore
from obstore.store import S3Store

from packshot.buckets import Bucket, open_bucket, translated
from packshot.errors import BadSettings, ResultUnknown, StorageError, StorageRefused, StoreUnavailable
from packshot.service.storage import EXTENSIONS, StoredResult, is_result_id, unavailable, unknown

PIECE_BYTES = 2 * 1024 * 1024
MAX_SKEW_S = 300.0  # S3 itself refuses what is signed more than 15 minutes off
PROOF_S = 10.0  # how long a put that worked stands for the next
SWEEP_EVERY_S = 3600.0
_PAUSE_S = 0.2  # between two pages of a listing, 1000 objects each
_DIGEST = "sha256"

T = TypeVar("T")


@dataclass(frozen=True)
class Addresses:
    """Where results lie. public_endpoint: the S3 server as callers reach it, where that is another address."""

    scheme: str
    bucket: str
    prefix: str
    public_endpoint: str | None = None

    @property
    def url(self) -> str:
        """The place for logs; there is nothing secret in it."""
        return f"{self.scheme}://{self.bucket}/{self.prefix}".rstrip("/")

    def open(self, deadline_s: float, endpoint: str | None = None) -> Bucket:
        """The bucket; its options are those of the environment at this moment."""
        # A try has half of the deadline: one that hangs leaves time for a second on another connection.
        times: dict[str, float] = {"timeout_s": deadline_s / 2, "retry_s": deadline_s}
        return open_bucket(self.scheme, self.bucket, **times, endpoint=endpoint, page="docs/results.md")


class BucketStore:
    """A ResultStore in a bucket. Every call has `deadline_s` in all, tries and waits included.

    sweep_every_s: of all replicas together; None for never.
    """

    def __init__(self, addresses: Addresses, *, deadline_s: float, sweep_every_s: float | None = SWEEP_EVERY_S) -> None:
        self._addresses = addresses
        self._prefix = f"{addresses.prefix}/" if addresses.prefix else ""
        self._deadline_s = deadline_s
        self._sweep_every_s = sweep_every_s
        self._bucket = addresses.open(deadline_s)
        self._proved_at = float("-inf")

    async def put(self, result_id: str, data: bytes, content_type: str) -> None:
        path = self._path(result_id)
        attributes: Any = {
            "Content-Type": content_type,
            "Content-Disposition": f'inline; filename="packshot.{EXTENSIONS[content_type]}"',
            "Cache-Control": "private",
            _DIGEST: await asyncio.to_thread(_digest, data),
        }
        await self._write(path, data, attributes)

    async def open(self, result_id: str) -> StoredResult:
        path = self._path(result_id)
        async with self._call():
            options: Any = {"range": (0, PIECE_BYTES)}
            answer = await _found(obstore.get_async(self._bucket, path, options=options))
            first = bytes(await answer.bytes_async())
        pieces = self._pieces(path, answer.meta, first, answer.attributes.get(_DIGEST))
        # A result of one piece is compared here, where a wrong one is still an answer of its own.
        content_type = answer.attributes.get("Content-Type", "application/octet-stream")
        return StoredResult(content_type, answer.meta["size"], _with_first(await anext(pieces), pieces))

    async def link(self, result_id: str, life_s: int) -> str | None:
        path = self._path(result_id)
        async with self._call():
            # A byte of it: the answer to a HEAD would not tell a bucket that is gone from an object that is.
            byte: Any = {"range": (0, 1)}
            await _found(obstore.get_async(self._bucket, path, options=byte))
            return await obstore.sign_async(self._signing, "GET", path, timedelta(seconds=life_s))

    async def delete(self, result_id: str) -> None:
        await self._remove([self._path(result_id)])

    async def check(self) -> None:
        """Return if a result could be put now: one was within PROOF_S, or a probe is, and the clocks agree."""
        if time.monotonic() - self._proved_at < PROOF_S:
            return
        probe = f"{self._prefix}probe"
        await self._write(probe, b"ready?", {})
        async with self._call():
            meta = await obstore.head_async(self._bucket, probe)
        skew_s = time.time() - meta["last_modified"].timestamp()
        if abs(skew_s) > MAX_SKEW_S:
            self._proved_at = float("-inf")  # the probe's own put was no proof
            clock = StoreUnavailable(f"{self._addresses.url}: its clock and ours are {skew_s:+.0f} s apart.")
            raise unavailable() from clock

    def check_signing(self) -> None:
        """Raise BadSettings where no link can be signed."""
        try:
            with translated(self._addresses.url):
                obstore.sign(self._signing, "GET", f"{self._prefix}probe", timedelta(seconds=60))
        except StorageError as error:
            raise BadSettings(
                f"PACKSHOT_RESULTS_DELIVERY is redirect, but no link can be signed: {error.message}",
                hint="Set the credentials of docs/results.md, or PACKSHOT_RESULTS_DELIVERY=stream.",
            ) from error

    async def remove_older(self, before: float) -> int:
        """The same for a bucket that many share: whoever comes first in an hour lists it, page by page."""
        if not await self._take_turn():
            return 0
        count = 0
        stream = obstore.list(self._bucket, self._prefix or None, chunk_size=1000)
        while page := await self._page(stream):
            old = [meta["path"] for meta in page if meta["last_modified"].timestamp() < before]
            mine = [path for path in old if is_result_id(path.removeprefix(self._prefix))]
            if mine:
                await self._remove(mine)
            count += len(mine)
            await asyncio.sleep(_PAUSE_S)
        return count

    async def _take_turn(self) -> bool:
        """Whether no replica has swept lately. Two that ask at once both may: that does no harm."""
        if self._sweep_every_s is None:
            return False
        marker = f"{self._prefix}sweep"
        try:
            async with self._call():
                last = (await _found(obstore.head_async(self._bucket, marker)))["last_modified"].timestamp()
        except ResultUnknown:
            last = 0.0
        if time.time() - last < self._sweep_every_s:
            return False
        await self._write(marker, b"swept", {})
        return True

    async def _page(self, stream: Any) -> list[Any]:
        async with self._call():
            try:
                return list(await stream.__anext__())  # anext() with a default does not know what to do with it
            except StopAsyncIteration:
                return []

    async def _write(self, path: str, data: bytes, attributes: Any) -> None:
        self._proved_at = float("-inf")  # until this one has worked
        async with self._call():
            # In one request, never in parts: nothing half-written can stay behind, at any size up to 5 GB.
            await obstore.put_async(self._bucket, path, data, attributes=attributes, use_multipart=False)
        self._proved_at = time.monotonic()

    async def _remove(self, paths: list[str]) -> None:
        async with self._call():
            try:
                await obstore.delete_async(self._bucket, paths)
            except FileNotFoundError:  # S3 does not say so, others do
                return

    async def _pieces(self, path: str, meta: Any, piece: bytes, digest: str | None) -> AsyncIterator[bytes]:
        """The pieces from the first on; the last only when all of them together are what was put."""
        whole, offset, size = hashlib.sha256(), 0, meta["size"]
        while True:
            await asyncio.to_thread(whole.update, piece)
            offset += len(piece)
            if offset >= size:
                break
            yield piece
            piece = await self._piece(path, offset, meta["e_tag"])
        if digest is not None and whole.hexdigest() != digest:
            raise unavailable() from StoreUnavailable(f"{self._addresses.url}: a result is not what was put there.")
        yield piece

    async def _piece(self, path: str, offset: int, e_tag: str | None) -> bytes:
        options: Any = {"range": (offset, offset + PIECE_BYTES), **({"if_match": e_tag} if e_tag else {})}
        async with self._call():
            answer = await obstore.get_async(self._bucket, path, options=options)
            return bytes(await answer.bytes_async())

    def _path(self, result_id: str) -> str:
        if not is_result_id(result_id):
            raise unknown()
        return self._prefix + result_id

    @cached_property
    def _signing(self) -> S3Store:
        endpoint = self._addresses.public_endpoint
        if endpoint is None:
            return cast("S3Store", self._bucket)
        return cast("S3Store", self._addresses.open(self._deadline_s, endpoint))

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[None]:
        """One request: within the deadline, and every failure in one error."""
        try:
            with translated(self._addresses.url):
                async with asyncio.timeout(self._deadline_s):
                    yield
        except (StorageRefused, StoreUnavailable) as error:
            raise unavailable() from error


async def _found(answer: Awaitable[T]) -> T:
    """The answer, or ResultUnknown for an object that is not there; a bucket that is not there is another matter."""
    try:
        return await answer
    except FileNotFoundError as error:
        if "NoSuchBucket" in str(error):
            raise
        raise unknown() from error


async def _with_first(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
