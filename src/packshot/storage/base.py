"""The interface of file storage: a folder (folder.py) or a bucket (bucket.py)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from packshot.errors import StorageRefused

STATE = ".packshot"
"""packshot's own folder in a storage: half-written files and the journal of a batch. Listings leave it out."""

PAGE_ENTRIES = 1000
"""Entries per page of a listing: the most that S3 returns at once."""


@dataclass(frozen=True)
class Entry:
    """A file in a listing.

    key: its path below the storage, with slashes. version: changes with the file. In a folder it is the size and the
    time of the last change; in object storage, the ETag. modified: time of the last change, in seconds since 1970.
    fault: why the entry cannot be read, if the listing found out. The key of an unlistable folder ends with a slash.
    """

    key: str
    version: str
    size_bytes: int
    modified: float
    fault: str = ""


Page = list[Entry]


@dataclass(frozen=True)
class StoredFile:
    """A file that was found. `chunks` can be iterated once, and holds nothing open between chunks."""

    size_bytes: int
    chunks: AsyncIterator[bytes]

    async def read(self) -> bytes:
        """The whole file."""
        return b"".join([chunk async for chunk in self.chunks])


class Storage(Protocol):
    """A folder or a bucket.

    Every method raises StoreUnavailable for a temporary failure, and StorageRefused for a permanent one. For a missing
    file it raises FileMissing, a kind of StorageRefused.
    """

    @property
    def url(self) -> str: ...

    @property
    def folder(self) -> Path | None:
        """The folder of the files in the local file system; None for a bucket."""
        ...

    async def find(self, key: str) -> Entry | None:
        """The entry of one file, as in a listing; None if the file does not exist."""
        ...

    async def read(self, key: str) -> bytes:
        """The content of a file."""
        ...

    async def open(self, key: str) -> StoredFile:
        """Open a file to read in pieces. Raises any failure before the first piece."""
        ...

    async def write(
        self, key: str, data: bytes | Path, media_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Write a file, from bytes or from another file, completely or not at all.

        headers: HTTP headers for downloads directly from the bucket. A folder stores neither headers nor media type.
        """
        ...

    async def create(self, key: str, data: bytes, media_type: str) -> bool:
        """Write a new file, completely or not at all. Returns False if the name exists.

        If several processes create the same file at once, only one gets True. In a bucket without conditional writes
        this is only likely, because the check comes before the write.
        """
        ...

    async def remove(self, keys: Sequence[str]) -> None:
        """Remove files; ignores missing ones."""
        ...

    def list(self, under: str = "") -> AsyncIterator[Page]:
        """All files below `under`, in pages, without hidden ones (.name).

        An entry that cannot be read has a fault, and the listing continues.
        """
        ...

    async def link(self, key: str, life_s: int) -> str | None:
        """A URL that serves the file directly from the storage for `life_s` seconds; None without such URLs."""
        ...

    async def check(self) -> None:
        """Return if a file can be written now; otherwise raise the error."""
        ...

    async def remove_leftovers(self, before: float | None = None) -> int:
        """Remove the half-written files of killed processes; returns their number.

        before: only files from before this time, in seconds since 1970; None for all, if there is no other writer.
        """
        ...


def check_key(key: str) -> str:
    """The key itself. Raises StorageRefused for a key that leads outside the storage, as in a hostile manifest."""
    if not key or "\0" in key or any(part in {"", ".", ".."} for part in key.split("/")):
        raise StorageRefused(f"{key!r} is not a valid file name in this storage.", hint="Use names as in a listing.")
    return key


def is_hidden(key: str) -> bool:
    """Whether any part of the key begins with a dot."""
    return key.startswith(".") or "/." in key
