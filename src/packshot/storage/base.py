"""The interface of a place that holds files: a folder (folder.py) or a bucket (bucket.py)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from packshot.errors import StorageRefused

STATE = ".packshot"
"""The folder in a place that is packshot's own: half-written files, the journal of a batch. Listings leave it out."""

PAGE_ENTRIES = 1000
"""Entries of a page of a listing: S3 answers no more at once."""


@dataclass(frozen=True)
class Entry:
    """A file as a listing shows it.

    key: its path below the place, with slashes. version: changes when the file changes: size and time of the last
    change in a folder, the ETag in object storage. modified: of the last change, seconds since 1970. fault: why it
    cannot be read, where the listing found that out; a folder that cannot be listed has a key that ends with a slash.
    """

    key: str
    version: str
    size_bytes: int
    modified: float
    fault: str = ""


Page = list[Entry]


@dataclass(frozen=True)
class StoredFile:
    """A file that was found. `chunks` can be gone through once; it holds nothing open between two chunks."""

    size_bytes: int
    chunks: AsyncIterator[bytes]

    async def read(self) -> bytes:
        """All of it."""
        return b"".join([chunk async for chunk in self.chunks])


class Storage(Protocol):
    """A folder or a bucket.

    Every method raises StoreUnavailable for a failure that may pass by itself, StorageRefused for one that does not,
    and FileMissing, a kind of StorageRefused, for a file that is not there.
    """

    @property
    def url(self) -> str: ...

    @property
    def folder(self) -> Path | None:
        """Where the files lie in this machine's file system; None for a bucket."""
        ...

    async def find(self, key: str) -> Entry | None:
        """One file as a listing would show it; None where there is none."""
        ...

    async def read(self, key: str) -> bytes:
        """All of a file."""
        ...

    async def open(self, key: str) -> StoredFile:
        """A file in pieces. A failure before the first piece is raised here."""
        ...

    async def write(
        self, key: str, data: bytes | Path, media_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Write a file, from bytes or from another file: whole, or not at all.

        headers: of HTTP, for downloads from the bucket itself; a folder keeps neither them nor the media type.
        """
        ...

    async def create(self, key: str, data: bytes, media_type: str) -> bool:
        """Write a file under a name that no file has yet: whole, or not at all. False where one has it.

        Of several that create the same file at once, in whatever processes, one gets True. Where a bucket knows no
        conditional writes this is only likely: it is looked first.
        """
        ...

    async def remove(self, keys: Sequence[str]) -> None:
        """Remove files; one that is not there is no error."""
        ...

    def list(self, under: str = "") -> AsyncIterator[Page]:
        """The files below `under`, however many, in pages. Hidden ones (.name) are left out.

        An entry that cannot be read has a fault, and the listing goes on behind it.
        """
        ...

    async def link(self, key: str, life_s: int) -> str | None:
        """An address that serves the file without us for `life_s` seconds; None where the place has none."""
        ...

    async def check(self) -> None:
        """Return if a file could be written now."""
        ...

    async def remove_leftovers(self, before: float | None = None) -> int:
        """Remove what killed processes left half written before `before`, seconds since 1970; how many went.

        before: None for all, where nobody else writes.
        """
        ...


def check_key(key: str) -> str:
    """The key itself. Raises StorageRefused for one that would lead out of its place, as a manifest may hold it."""
    if not key or "\0" in key or any(part in {"", ".", ".."} for part in key.split("/")):
        raise StorageRefused(f"{key!r} is no name of a file in this place.", hint="Give names as a listing shows them.")
    return key


def is_hidden(key: str) -> bool:
    """Whether a part of the key begins with a dot."""
    return key.startswith(".") or "/." in key
