"""Where results are kept: what a store must do, and the store in a local folder with the sweeper that empties it."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from packshot.errors import ResultUnknown, StoreUnavailable

EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/avif": "avif"}
CHUNK_BYTES = 256 * 1024

_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_log = logging.getLogger(__name__)


def new_result_id() -> str:
    """A fresh id: 22 URL-safe characters from 128 random bits. Nobody finds a result by guessing."""
    return secrets.token_urlsafe(16)


@dataclass(frozen=True)
class StoredResult:
    """A result that was found. `chunks` can be gone through once; it holds nothing open between two chunks."""

    content_type: str
    size_bytes: int
    chunks: AsyncIterator[bytes]

    async def read(self) -> bytes:
        """All of it."""
        return b"".join([chunk async for chunk in self.chunks])


class ResultStore(Protocol):
    """Keeps results by id. Every method may raise StoreUnavailable."""

    async def put(self, result_id: str, data: bytes, content_type: str) -> None:
        """Keep a result: afterwards all of it can be read, or, after an error, nothing."""
        ...

    async def open(self, result_id: str) -> StoredResult:
        """Find a result. Raises ResultUnknown, also for ids that no result can have."""
        ...

    async def delete(self, result_id: str) -> None:
        """Remove a result; one that is not there is no error."""
        ...

    async def check(self) -> None:
        """Return if a result could be put now."""
        ...


class LocalStore:
    """A ResultStore in a folder: FOLDER/ab/abcdefghijklmnopqrstuv.png.

    A file is written in FOLDER/incoming and renamed, so a name leads to a whole file or to none, whenever the process
    dies. Power loss may still leave an empty file behind a name; `fsync=True` closes that at the cost of a disk flush.
    """

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        self._fsync = fsync

    async def put(self, result_id: str, data: bytes, content_type: str) -> None:
        await asyncio.to_thread(self._write, self._path(result_id, content_type), data)

    async def open(self, result_id: str) -> StoredResult:
        return await asyncio.to_thread(self._find, result_id)

    async def delete(self, result_id: str) -> None:
        await asyncio.to_thread(self._unlink, [self._path(result_id, kind) for kind in EXTENSIONS])

    async def check(self) -> None:
        await asyncio.to_thread(self._probe)

    def remove_older(self, before: float) -> int:
        """Remove what was last written before `before`, seconds since 1970; leftovers of dead processes too."""
        with _wrapped():
            files = [path for path in self._folder.glob("*/*") if _written(path) < before]
            self._unlink(files)
            return len(files)

    def _write(self, path: Path, data: bytes) -> None:
        with _wrapped(), self._temporary(data) as temporary:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            temporary.rename(path)

    def _probe(self) -> None:
        with _wrapped(), self._temporary(b"ready?"):
            pass

    @contextmanager
    def _temporary(self, data: bytes) -> Iterator[Path]:
        """A file in incoming/ with these bytes; gone at the end unless it was renamed."""
        self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._incoming / new_result_id()
        try:
            with path.open("xb") as file:
                file.write(data)
                if self._fsync:
                    file.flush()
                    os.fsync(file.fileno())
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _find(self, result_id: str) -> StoredResult:
        for content_type in EXTENSIONS:
            path = self._path(result_id, content_type)
            with _wrapped():
                try:
                    return StoredResult(content_type, path.stat().st_size, _chunks(path))
                except FileNotFoundError:
                    continue
        raise _unknown()

    def _path(self, result_id: str, content_type: str) -> Path:
        # The form of an id has no dot and no slash: no id leads out of the folder, or into incoming/.
        if not _ID.fullmatch(result_id):
            raise _unknown()
        return self._folder / result_id[:2] / f"{result_id}.{EXTENSIONS[content_type]}"

    @staticmethod
    def _unlink(paths: list[Path]) -> None:
        with _wrapped():
            for path in paths:
                path.unlink(missing_ok=True)


class Sweeper:
    """Removes results some time after their links have expired, until it is cancelled."""

    # Downloads that began in a link's last second still get their end.
    GRACE_S = 600

    def __init__(
        self, store: LocalStore, ttl_s: float, *, every_s: float = 600, now: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._ttl_s = ttl_s
        self._every_s = every_s
        self._now = now

    def sweep(self) -> int:
        """Remove what is old now; returns how many files went."""
        return self._store.remove_older(self._now() - self._ttl_s - self.GRACE_S)

    async def run(self) -> None:
        """Sweep at once and then every `every_s`. A sweep that fails is logged, and the next one tries again."""
        while True:
            try:
                await asyncio.to_thread(self.sweep)
            except StoreUnavailable as error:
                _log.warning("expired results could not be removed: %s", error.__cause__)
            await asyncio.sleep(self._every_s)


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    # Opened anew for each chunk (20 us): a client that goes away in between leaves no file open behind it.
    offset = 0
    while chunk := await asyncio.to_thread(_read_at, path, offset):
        yield chunk
        offset += len(chunk)


def _read_at(path: Path, offset: int) -> bytes:
    with _wrapped(), path.open("rb") as file:
        file.seek(offset)
        return file.read(CHUNK_BYTES)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # renamed or swept by another process meanwhile
        return float("inf")


def _unknown() -> ResultUnknown:
    return ResultUnknown("There is no such result.", hint="Use the link as it was given.")


@contextmanager
def _wrapped() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # The path stays in the cause, for the log: the message may go out to a caller.
        raise StoreUnavailable("Results cannot be stored or read now.", hint="Try again later.") from error
