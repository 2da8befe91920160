"""Storage for threads: every call blocks, and is tried again after a temporary failure."""

from __future__ import annotations

import asyncio
import atexit
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from contextvars import Context
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple, Unpack
from urllib.parse import urlsplit

from packshot.errors import BadSettings, FileMissing, InvalidOption, StorageError, StoreUnavailable
from packshot.retry import RetryPolicy
from packshot.storage.base import Entry, Page, Storage
from packshot.storage.folder import FolderStorage

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

DEADLINE_S = 60.0
"""For one call to a bucket, with its own tries."""
RETRIES = RetryPolicy(attempts=5, first_pause_s=0.5, longest_pause_s=30.0, factor=4.0, jitter=(0.75, 1.25))
_OBJECT_SCHEMES = ("s3", "gs", "az", "memory")


class BlockingStorage:
    """A Storage for threads: a bucket or a folder.

    A bucket's coroutines run on an event loop in a separate thread. A folder works in place: its coroutines never wait.

    A call that raises StoreUnavailable is tried again, by RETRIES; a listing is not.

    name: of the storage, as the user wrote it, for messages.
    """

    def __init__(self, storage: Storage, name: str | None = None) -> None:
        self._storage = storage
        self.url = storage.url
        self.name = name or storage.url
        self.folder = storage.folder

    def list(self, under: str = "") -> Iterator[Entry]:
        """The files below `under`, one at a time, from Storage.list."""
        pages = self._storage.list(under)
        while page := self._wait(_next(pages)):
            yield from page

    def find(self, key: str) -> Entry | None:
        return self._patiently(lambda: self._storage.find(key))

    def get(self, key: str) -> bytes:
        return self._patiently(lambda: self._storage.read(key))

    def put(self, key: str, data: bytes | Path, media_type: str) -> None:
        self._patiently(lambda: self._storage.write(key, data, media_type))

    def create(self, key: str, data: bytes, media_type: str) -> bool:
        """Like Storage.create. A repeated write counts as ours if the first response was lost."""
        if self._patiently(lambda: self._storage.create(key, data, media_type)):
            return True
        with suppress(FileMissing):
            return self.get(key) == data
        return False

    def remove(self, keys: Sequence[str]) -> None:
        self._patiently(lambda: self._storage.remove(keys))

    def remove_leftovers(self) -> None:
        """Try to remove the half-written files of a killed run. Only safe without any other writer."""
        with suppress(StorageError):
            self._wait(self._storage.remove_leftovers())

    def _patiently(self, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return RETRIES.call(lambda: self._wait(start()), StoreUnavailable)

    def _wait(self, call: Coroutine[Any, Any, T]) -> T:
        if self.folder is None:
            return asyncio.run_coroutine_threadsafe(call, _loop()).result()
        try:
            call.send(None)
        except StopIteration as end:
            result: T = end.value
            return result
        raise AssertionError("the folder does not work in place")


def local_folder(url: str) -> Path | None:
    """The folder of a path or URL; None for object storage."""
    scheme, found, rest = url.partition("://")
    if not found:
        return Path(url)
    return Path(rest) if scheme == "file" else None


def open_storage(url: str) -> BlockingStorage:
    """The storage of a path or URL. The same text returns the same object, so that threads share its connections.

    Raises
    ------
    InvalidOption
        The URL is of an unknown kind.
    BadSettings
        The extra packshot[batch] is not installed, or the environment's options cannot be used.
    """
    folder = local_folder(url)
    with _opening:
        return _open_objects(url.rstrip("/")) if folder is None else _open_folder(_resolved(folder), url)


def _resolved(folder: Path) -> Path:
    try:
        return folder.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13
        raise InvalidOption(
            f"{folder} cannot be used as a folder: {getattr(error, 'strerror', None) or error}.", hint="Check its name."
        ) from error


_opening = threading.Lock()


@cache
def _open_folder(folder: Path, name: str) -> BlockingStorage:
    return BlockingStorage(FolderStorage(folder, name=name, in_place=True), name)


@cache
def _open_objects(url: str) -> BlockingStorage:
    parts = urlsplit(url)
    if parts.scheme not in _OBJECT_SCHEMES or not parts.netloc or parts.query or parts.fragment:
        raise InvalidOption(
            f"{url!r} is not a folder or bucket.",
            hint="Use a folder, s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or az://CONTAINER/FOLDER.",
            value=url,
            allowed=("folder", *(f"{scheme}://" for scheme in _OBJECT_SCHEMES)),
        )
    try:
        from packshot.storage.bucket import BucketStorage  # noqa: PLC0415 - an extra, and 20 ms
    except ImportError as error:
        raise BadSettings(
            f"{parts.scheme}:// needs obstore, which is not installed.", hint="pip install 'packshot[batch]'"
        ) from error
    bucket = _open_bucket(f"{parts.scheme}://{parts.netloc}")
    return BlockingStorage(BucketStorage(bucket, url, deadline_s=DEADLINE_S))


@cache
def _open_bucket(url: str) -> Any:
    from packshot.storage.bucket import open_bucket  # noqa: PLC0415 - an extra, and 20 ms

    return open_bucket(url, deadline_s=DEADLINE_S, page="Process a catalogue")


async def _next(pages: AsyncIterator[Page]) -> Page:
    return await anext(pages, [])


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """The event loop for all storages of this process, in a separate thread."""
    loop = _Loop()
    atexit.register(loop.wait_for_other_threads)
    threading.Thread(target=loop.run_forever, name="storage", daemon=True).start()
    return loop


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that tracks the threads that are handing it a result.

    obstore hands over results from Rust threads. If Python ends while one of them is still inside this call, the
    process aborts (SIGABRT).
    """

    def __init__(self) -> None:
        super().__init__()
        self._callers: set[int] = set()

    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        caller = threading.get_ident()
        self._callers.add(caller)
        try:
            return super().call_soon_threadsafe(callback, *args, context=context)
        finally:
            self._callers.discard(caller)

    def wait_for_other_threads(self) -> None:
        """Wait until no thread is inside the call, for at most 1 s."""
        end = time.monotonic() + 1
        while self._callers and time.monotonic() < end:
            time.sleep(0.001)
