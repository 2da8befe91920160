"""Files in a local folder. Pure Python: it needs no extra."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import shutil
import stat
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from packshot.errors import FileMissing, StorageFull, StorageRefused, StoreUnavailable
from packshot.storage.base import PAGE_ENTRIES, STATE, Entry, Page, StoredFile, check_key
from packshot.storage.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")

Stack = list[tuple[str, Iterator[os.DirEntry[str] | Entry]]]
"""Folders that are being listed, each in the one before it: prefix of the keys, and what is still to come."""

CHUNK_BYTES = 256 * 1024
_FULL = {errno.ENOSPC: "no space is left", errno.EDQUOT: "the quota is used up", errno.EROFS: "it is read-only"}
# What a network file system says while its server is away, and what too many open files look like.
_PASSING = {errno.EIO, errno.EAGAIN, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE}
# What file systems without hard links say, such as FAT.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def _threaded(
    method: Callable[Concatenate[FolderStorage, P], T],
) -> Callable[Concatenate[FolderStorage, P], Coroutine[Any, Any, T]]:
    """The method as a coroutine that runs it in a thread, or where it is if the storage works in place."""

    @functools.wraps(method)
    async def call(storage: FolderStorage, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if storage.in_place:
            return method(storage, *args, **kwargs)
        return await storage.threads.run(method, storage, *args, **kwargs)

    return call


class FolderStorage:
    """A Storage below a folder.

    A file is written in FOLDER/.packshot/incoming and renamed: a name leads to a whole file or to none, whenever the
    process dies. A power cut may still leave an empty file behind a name.

    private: folders that it makes are for this user alone (mode 0700), errors name no file, and listings leave out
    what cannot be read. name: of the folder in errors, as the user wrote it. in_place: the caller is a thread that may
    wait, so that nothing is handed to another thread, which takes 0.5 ms a call.
    """

    def __init__(self, folder: Path, *, private: bool = False, name: str | None = None, in_place: bool = False) -> None:
        self.url, self.folder, self.in_place = str(folder), folder, in_place
        self._incoming = folder / STATE / "incoming"
        self._private, self._name = private, name or str(folder)
        self.threads = Threads()

    @_threaded
    def find(self, key: str) -> Entry | None:
        with self._errors(key):
            return _entry(key, self._path(key))

    @_threaded
    def read(self, key: str) -> bytes:
        with self._errors(key):
            return self._path(key).read_bytes()

    async def open(self, key: str) -> StoredFile:
        entry = await self.find(key)
        if entry is None:
            raise FileMissing(f"{self._named(key)}: there is no such file.", hint="Was it removed?")
        return StoredFile(entry.size_bytes, self._chunks(key))

    @_threaded
    def write(self, key: str, data: bytes | Path, media_type: str, headers: Mapping[str, str] | None = None) -> None:
        with self._errors(key):
            target = self._path(key)
            with self._beside(data) as beside:
                self._make(target.parent)
                beside.replace(target)

    @_threaded
    def create(self, key: str, data: bytes, media_type: str) -> bool:
        with self._errors(key):
            target = self._path(key)
            self._make(target.parent)
            with self._beside(data) as beside:
                try:
                    target.hardlink_to(beside)
                except FileExistsError:
                    return False
                except OSError as error:
                    if error.errno not in _NO_LINKS:
                        raise
                    return _created(target, data)
            return True

    @_threaded
    def remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            with self._errors(key):
                self._path(key).unlink(missing_ok=True)

    async def list(self, under: str = "") -> AsyncIterator[Page]:
        """Folder by folder, each sorted by name. Links to folders are not followed: they may lead in a circle."""
        entries = self._walk(self.folder / under, f"{under}/" if under else "")
        while page := await self._page(entries, under):
            yield page

    async def link(self, key: str, life_s: int) -> str | None:
        return None

    @_threaded
    def check(self) -> None:
        with self._errors(), self._beside(b"ready?"):
            pass

    @_threaded
    def remove_leftovers(self, before: float | None = None) -> int:
        count = 0
        with self._errors():
            for path in self._incoming.glob("*"):
                with contextlib.suppress(FileNotFoundError):  # renamed or removed by another process meanwhile
                    if before is None or path.stat().st_mtime < before:
                        path.unlink()
                        count += 1
        if before is None:
            with contextlib.suppress(OSError):
                self._incoming.rmdir()
                self._incoming.parent.rmdir()  # unless it holds a journal
        return count

    async def _chunks(self, key: str) -> AsyncIterator[bytes]:
        # Opened anew for each chunk (20 us): a client that goes away in between leaves no file open behind it.
        offset = 0
        while chunk := await self._chunk(key, offset):
            yield chunk
            offset += len(chunk)

    @_threaded
    def _chunk(self, key: str, offset: int) -> bytes:
        with self._errors(key), self._path(key).open("rb") as file:
            file.seek(offset)
            return file.read(CHUNK_BYTES)

    @_threaded
    def _page(self, entries: Iterator[Entry], under: str) -> Page:
        with self._errors(under):
            return [*islice(entries, PAGE_ENTRIES)]

    def _walk(self, folder: Path, prefix: str) -> Iterator[Entry]:
        # No recursion: paths of 4096 characters hold more folders than Python calls fit in each other.
        open_folders: Stack = [(prefix, iter(self._scanned(str(folder), prefix)))]
        while open_folders:
            prefix, items = open_folders[-1]
            item = next(items, None)
            if item is None:
                open_folders.pop()
            elif isinstance(item, Entry):
                yield item
            elif item.is_dir(follow_symlinks=False):
                below = f"{prefix}{item.name}/"
                open_folders.append((below, iter(self._scanned(item.path, below))))
            elif (entry := self._listed(prefix + item.name, item)) is not None:
                yield entry

    def _scanned(self, folder: str, prefix: str) -> Sequence[os.DirEntry[str] | Entry]:
        """The entries of a folder, sorted by name; one with a fault where the folder cannot be read."""
        try:
            with os.scandir(folder) as scan:
                return sorted((item for item in scan if not item.name.startswith(".")), key=lambda item: item.name)
        except FileNotFoundError:
            return []
        except OSError as error:
            if not prefix or error.errno in _PASSING:
                raise
            # In a private place: one that was not made here, such as lost+found.
            return [] if self._private else [_faulty(prefix, error)]

    def _listed(self, key: str, item: os.DirEntry[str]) -> Entry | None:
        try:
            return _entry(key, item)
        except OSError as error:
            if error.errno in _PASSING:
                raise
            return None if self._private else _faulty(key, error)

    @contextmanager
    def _beside(self, data: bytes | Path) -> Iterator[Path]:
        """A file in incoming/ with these bytes; gone at the end unless it was renamed."""
        self._make(self._incoming)
        path = self._incoming / uuid.uuid4().hex
        try:
            path.write_bytes(data) if isinstance(data, bytes) else shutil.copyfile(data, path)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _make(self, folder: Path) -> None:
        # mkdir(parents=True) would give its mode to the last folder alone.
        if not folder.is_dir():
            self._make(folder.parent)
            folder.mkdir(mode=0o700 if self._private else 0o777, exist_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / check_key(key)

    def _named(self, key: str) -> str:
        return self._name if self._private or not key else os.path.join(self._name, key)  # noqa: PTH118 - as it is

    def _errors(self, key: str = "") -> AbstractContextManager[None]:
        return file_errors(self._named(key), self.folder)


def _entry(key: str, file: os.DirEntry[str] | Path) -> Entry | None:
    """None for what is no file, and for a file that was removed since it was listed."""
    try:
        about = file.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(about.st_mode):
        return None
    return Entry(key, f"{about.st_size}-{about.st_mtime_ns}", about.st_size, about.st_mtime)


def _created(path: Path, data: bytes) -> bool:
    """Create a file where it is, for a file system without hard links: whoever reads meanwhile may find half of it."""
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        return False
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return True


def _faulty(key: str, error: OSError) -> Entry:
    return Entry(key, "", 0, 0.0, fault=error.strerror or str(error))


@contextmanager
def file_errors(name: str, folder: Path) -> Iterator[None]:
    """The system's errors as ours: those that pass by themselves, and those that do not.

    name: of the file that is worked on. folder: where it lies, for the error of a full disk.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _PASSING:
            raise StoreUnavailable(f"{name}: {reason}.", hint="Try again later.") from error
        if (full := full_error(error, folder)) is not None:
            raise full from error
        kind = FileMissing if error.errno == errno.ENOENT else StorageRefused
        raise kind(f"{name}: {reason}.", hint="Check the name and its permissions.") from error


def full_error(error: OSError, folder: Path) -> StorageFull | None:
    """The error for a folder in which no file can be written any more; None for all other errors of the system."""
    reason = _FULL.get(error.errno or 0)
    if reason is None:
        return None
    hint = "Make room there, or name another folder; what is finished stays."
    return StorageFull(f"Nothing can be written in {folder.absolute()}: {reason}.", hint=hint)
