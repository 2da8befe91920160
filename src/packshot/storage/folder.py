"""Files in a local folder. Pure Python: needs no extra."""

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
"""Open folders of a listing, each inside the one before it: prefix of the keys, and remaining entries."""

CHUNK_BYTES = 256 * 1024
_FULL = {errno.ENOSPC: "no space is left", errno.EDQUOT: "the quota is used up", errno.EROFS: "it is read-only"}
# Temporary errors: a network file system without its server, and too many open files.
_PASSING = {errno.EIO, errno.EAGAIN, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE}
# Errors of file systems without hard links, such as FAT.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def _threaded(
    method: Callable[Concatenate[FolderStorage, P], T],
) -> Callable[Concatenate[FolderStorage, P], Coroutine[Any, Any, T]]:
    """A coroutine that runs the method in a thread, or in the calling thread if the storage works in place."""

    @functools.wraps(method)
    async def call(storage: FolderStorage, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if storage.in_place:
            return method(storage, *args, **kwargs)
        return await storage.threads.run(method, storage, *args, **kwargs)

    return call


class FolderStorage:
    """A Storage below a folder.

    Writes each file in FOLDER/.packshot/incoming, then renames it. Even if the process dies, a name has a whole file or
    none. A power cut may still leave an empty file.

    private: new folders are for this user only (mode 0700), errors name no file, and listings leave out unreadable
    entries. name: of the folder in errors, as the user wrote it. in_place: the caller is a thread that may block, so
    that calls run there. Another thread would cost 0.5 ms a call.
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
            raise FileMissing(f"{self._named(key)}: the file does not exist.", hint="Check whether it was removed.")
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
        """Lists folder by folder, each sorted by name. Does not follow links to folders, as they may form a circle."""
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
        # Opens the file again for each chunk (20 us), so that a client that disconnects leaves no file open.
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
        # No recursion: a path of 4096 characters can have more folders than Python's call depth allows.
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
        """The entries of a folder, sorted by name; a single entry with a fault if the folder cannot be read."""
        try:
            with os.scandir(folder) as scan:
                return sorted((item for item in scan if not item.name.startswith(".")), key=lambda item: item.name)
        except FileNotFoundError:
            return []
        except OSError as error:
            if not prefix or error.errno in _PASSING:
                raise
            # In private storage, other programs made this folder, such as lost+found.
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
        """Write these bytes to a file in incoming/, and delete it at the end unless it was renamed."""
        self._make(self._incoming)
        path = self._incoming / uuid.uuid4().hex
        try:
            path.write_bytes(data) if isinstance(data, bytes) else shutil.copyfile(data, path)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _make(self, folder: Path) -> None:
        # mkdir(parents=True) would set the mode only on the last folder.
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
    """The entry of a file; None if it is no regular file, or was removed since the listing."""
    try:
        about = file.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(about.st_mode):
        return None
    return Entry(key, f"{about.st_size}-{about.st_mtime_ns}", about.st_size, about.st_mtime)


def _created(path: Path, data: bytes) -> bool:
    """Create a file in place, for file systems without hard links. A concurrent reader may find half of it."""
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
    """Translate the system's errors inside the block, both temporary and permanent ones.

    name: of the file in use. folder: the folder that holds it, for the error of a full disk.
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
    """The error for a folder that accepts no more files; None for all other errors of the system."""
    reason = _FULL.get(error.errno or 0)
    if reason is None:
        return None
    hint = "Free some space there, or choose another folder; finished files are kept."
    return StorageFull(f"Nothing can be written in {folder.absolute()}: {reason}.", hint=hint)
