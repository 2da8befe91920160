"""Results in a local folder: the default, for one replica or several on one file system."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

from packshot.service.storage import EXTENSIONS, StoredResult, is_result_id, new_result_id, unavailable, unknown

CHUNK_BYTES = 256 * 1024


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

    async def link(self, result_id: str, life_s: int) -> str | None:
        return None

    async def remove_older(self, before: float) -> int:
        return await asyncio.to_thread(self._remove_older, before)

    def _remove_older(self, before: float) -> int:
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
        raise unknown()

    def _path(self, result_id: str, content_type: str) -> Path:
        if not is_result_id(result_id):
            raise unknown()
        return self._folder / result_id[:2] / f"{result_id}.{EXTENSIONS[content_type]}"

    @staticmethod
    def _unlink(paths: list[Path]) -> None:
        with _wrapped():
            for path in paths:
                path.unlink(missing_ok=True)


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


@contextmanager
def _wrapped() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unavailable() from error
