"""A Storage in a local folder. Pure Python: it needs no extra."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packshot.batch.storage import STATE, Entry, check_key
from packshot.errors import StorageRefused, StoreUnavailable

# What a network file system says while its server is away, and what too many open files look like.
_PASSING = {errno.EIO, errno.EAGAIN, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE}


class LocalStorage:
    """Files below a folder. A file is written in FOLDER/.packshot/incoming and renamed: a name leads to a whole file
    or to none, whenever the process dies.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._incoming = folder / STATE / "incoming"

    @property
    def url(self) -> str:
        return str(self.folder)

    def list(self, under: str = "") -> Iterator[Entry]:
        """Folder by folder, each sorted by name. Links to folders are not followed: they may lead in a circle."""
        with file_errors(under or self.url):
            yield from self._walk(self.folder / under, f"{under}/" if under else "")

    def _walk(self, folder: Path, prefix: str) -> Iterator[Entry]:
        try:
            with os.scandir(folder) as scan:
                found = sorted((item for item in scan if not item.name.startswith(".")), key=lambda item: item.name)
        except FileNotFoundError:
            return
        for item in found:
            if item.is_dir(follow_symlinks=False):
                yield from self._walk(Path(item.path), f"{prefix}{item.name}/")
            elif item.is_file() and (entry := _entry(prefix + item.name, item)) is not None:
                yield entry

    def find(self, key: str) -> Entry | None:
        path = self._path(key)
        with file_errors(key):
            return _entry(key, path) if path.is_file() else None

    def get(self, key: str) -> bytes:
        with file_errors(key):
            return self._path(key).read_bytes()

    def put(self, key: str, data: bytes | Path, media_type: str) -> None:
        target = self._path(key)
        with file_errors(key):
            self._incoming.mkdir(parents=True, exist_ok=True)
            beside = self._incoming / uuid.uuid4().hex
            try:
                beside.write_bytes(data) if isinstance(data, bytes) else shutil.copyfile(data, beside)
                target.parent.mkdir(parents=True, exist_ok=True)
                beside.replace(target)
            finally:
                beside.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what a killed run left half written. Only for whoever is the only one to write here."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        with contextlib.suppress(OSError):
            self._incoming.parent.rmdir()  # unless it holds a journal

    def _path(self, key: str) -> Path:
        return self.folder / check_key(key)


def _entry(key: str, file: os.DirEntry[str] | Path) -> Entry | None:
    try:
        about = file.stat()
    except FileNotFoundError:  # removed since it was listed
        return None
    return Entry(key, f"{about.st_size}-{about.st_mtime_ns}", about.st_size, about.st_mtime)


@contextmanager
def file_errors(name: str) -> Iterator[None]:
    """The system's errors as ours: those that pass by themselves, and those that do not."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _PASSING:
            raise StoreUnavailable(f"{name}: {reason}.", hint="Try again later.") from error
        raise StorageRefused(
            f"{name}: {reason}.", hint="Check the name, its permissions and the free space."
        ) from error
