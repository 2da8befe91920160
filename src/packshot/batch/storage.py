"""Where photos come from and packshots go: one small interface over folders and object storage."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from packshot.errors import BadSettings, InvalidOption, StorageRefused

STATE = ".packshot"
"""The folder of an output place that holds its journal."""

_OBJECT_SCHEMES = ("s3", "gs", "az", "memory")


@dataclass(frozen=True)
class Entry:
    """A file as a listing shows it.

    key: its path below the place, with slashes. version: changes when the file changes: size and time of the last
    change in a folder, the ETag in object storage. modified: of the last change, seconds since 1970.
    """

    key: str
    version: str
    size_bytes: int
    modified: float


class Storage(Protocol):
    """A folder or a bucket. Safe from threads.

    Every method raises StoreUnavailable for what may go away by itself, and StorageRefused for what does not.
    """

    @property
    def url(self) -> str: ...

    def list(self, under: str = "") -> Iterator[Entry]:
        """The files below `under`, one after the other, however many; hidden ones (.name) are left out."""
        ...

    def find(self, key: str) -> Entry | None:
        """One file as a listing would show it; None where there is none."""
        ...

    def get(self, key: str) -> bytes:
        """All of a file."""
        ...

    def put(self, key: str, data: bytes | Path, media_type: str) -> None:
        """Write a file, from bytes or from another file: whole, or not at all."""
        ...


def local_folder(url: str) -> Path | None:
    """The folder that a place names; None for object storage."""
    scheme, found, rest = url.partition("://")
    if not found:
        return Path(url)
    return Path(rest) if scheme == "file" else None


def open_storage(url: str) -> Storage:
    """The storage behind a path or URL; the same object for the same URL, so that threads share its connections.

    Raises
    ------
    InvalidOption
        The URL is of a kind that is not known.
    BadSettings
        The extra packshot[batch] is not installed, or the environment's options cannot be used.
    """
    folder = local_folder(url)
    with _opening:
        return _open_local(folder.resolve()) if folder is not None else _open_objects(url.rstrip("/"))


_opening = threading.Lock()


@cache
def _open_local(folder: Path) -> Storage:
    from packshot.batch.folder import LocalStorage  # noqa: PLC0415 - it imports this module

    return LocalStorage(folder)


@cache
def _open_objects(url: str) -> Storage:
    parts = urlsplit(url)
    if parts.scheme not in _OBJECT_SCHEMES or not parts.netloc or parts.query or parts.fragment:
        raise InvalidOption(
            f"{url!r} is no place for photos.",
            hint="Give a folder, s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or az://CONTAINER/FOLDER.",
            value=url,
            allowed=("folder", *(f"{scheme}://" for scheme in _OBJECT_SCHEMES)),
        )
    try:
        from packshot.batch.objects import ObjectStorage  # noqa: PLC0415 - an extra, and 20 ms
    except ImportError as error:
        raise BadSettings(
            f"{parts.scheme}:// needs obstore, which is not installed.", hint="pip install 'packshot[batch]'"
        ) from error
    return ObjectStorage(parts.scheme, parts.netloc, parts.path.strip("/"))


def check_key(key: str) -> str:
    """The key itself. Raises StorageRefused for one that would lead out of its place, as a manifest may hold it."""
    if not key or "\0" in key or any(part in {"", ".", ".."} for part in key.split("/")):
        raise StorageRefused(f"{key!r} is no name of a file in this place.", hint="Give names as a listing shows them.")
    return key


def is_hidden(key: str) -> bool:
    """Whether a part of the key begins with a dot."""
    return key.startswith(".") or "/." in key
