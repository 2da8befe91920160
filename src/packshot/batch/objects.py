"""A Storage in a bucket: S3 and what speaks like it, Google, Azure; and in memory, for tests. Needs obstore."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import TimeoutError as FutureTimeout
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import obstore

from packshot.batch.storage import Entry, check_key, is_hidden
from packshot.buckets import Bucket, open_bucket, translated

T = TypeVar("T")

# obstore itself waits 30 s on a host that swallows packets, and then tries ten times. It tries twice here; each
# call has this long in all; and who calls tries again with longer waits in between (batch/patience.py).
DEADLINE_S = 60.0
_LIST_CHUNK = 1000  # what S3 answers at most in one listing


class ObjectStorage:
    """Files below a prefix of a bucket. Options come from the environment, under the names that each vendor uses."""

    def __init__(self, scheme: str, bucket: str, prefix: str, *, deadline_s: float = DEADLINE_S) -> None:
        self._place = f"{scheme}://{bucket}"
        self._prefix = f"{prefix}/" if prefix else ""
        self._deadline_s = deadline_s
        self._store = _open(scheme, bucket)

    @property
    def url(self) -> str:
        return f"{self._place}/{self._prefix}".rstrip("/")

    def list(self, under: str = "") -> Iterator[Entry]:
        start = f"{self._prefix}{under}".rstrip("/")
        stream = obstore.list(self._store, start or None, chunk_size=_LIST_CHUNK)
        while chunk := self._call(under or self.url, lambda: _next(stream)):
            for meta in chunk:
                below = meta["path"][len(start) + 1 if start else 0 :]
                if below and not is_hidden(below):
                    yield self._entry(meta)

    def find(self, key: str) -> Entry | None:
        path = self._path(key)
        meta = self._call(key, lambda: _head(self._store, path))
        return None if meta is None else self._entry(meta)

    def get(self, key: str) -> bytes:
        path = self._path(key)
        return self._call(key, lambda: _read(self._store, path))

    def put(self, key: str, data: bytes | Path, media_type: str) -> None:
        path = self._path(key)
        attributes: Any = {"Content-Type": media_type}
        self._call(key, lambda: _write(self._store, path, data, attributes))

    def _path(self, key: str) -> str:
        return self._prefix + check_key(key)

    def _entry(self, meta: Any) -> Entry:
        modified = meta["last_modified"].timestamp()
        version = (meta["e_tag"] or f"{meta['size']}-{int(modified)}").strip('"')
        return Entry(meta["path"][len(self._prefix) :], version, meta["size"], modified)

    def _call(self, name: str, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run one call of obstore and wait for it, at most until the deadline."""
        with translated(name if name.startswith(self._place) else f"{self._place}/{self._prefix}{name}"):
            future = asyncio.run_coroutine_threadsafe(start(), _loop())
            try:
                return future.result(self._deadline_s)
            except FutureTimeout:
                future.cancel()
                raise


async def _next(stream: Any) -> Any:
    try:
        return await stream.__anext__()
    except StopAsyncIteration:
        return []


async def _head(store: Bucket, path: str) -> Any:
    try:
        return await obstore.head_async(store, path)
    except FileNotFoundError:
        return None


async def _read(store: Bucket, path: str) -> bytes:
    answer = await obstore.get_async(store, path)
    return bytes(await answer.bytes_async())


async def _write(store: Bucket, path: str, data: bytes | Path, attributes: Any) -> None:
    await obstore.put_async(store, path, data, attributes=attributes)


@cache
def _open(scheme: str, bucket: str) -> Bucket:
    return open_bucket(scheme, bucket, timeout_s=DEADLINE_S / 2, retry_s=DEADLINE_S / 2, page="docs/batch.md")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """The event loop that waits for all storages of this process, in a thread of its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="storage", daemon=True).start()
    return loop
