"""What a store of results must do. One is in a local folder (local_store.py), one in a bucket (bucket_store.py)."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from packshot.core.codecs.formats import WRITTEN
from packshot.errors import ResultUnknown, StoreUnavailable

EXTENSIONS = {row.media_type: row.suffix.removeprefix(".") for row in WRITTEN.values()}

_ID = re.compile(r"[A-Za-z0-9_-]{22}")


def new_result_id() -> str:
    """A fresh id: 22 URL-safe characters from 128 random bits. Nobody finds a result by guessing."""
    return secrets.token_urlsafe(16)


def is_result_id(text: str) -> bool:
    """Whether a result can have this id: no dot, no slash, so that no id leads out of where results are kept."""
    return _ID.fullmatch(text) is not None


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

    async def link(self, result_id: str, life_s: int) -> str | None:
        """An address that serves a result without us for `life_s`; None where there is none. Raises ResultUnknown."""
        ...

    async def delete(self, result_id: str) -> None:
        """Remove a result; one that is not there is no error."""
        ...

    async def check(self) -> None:
        """Return if a result could be put now."""
        ...

    async def remove_older(self, before: float) -> int:
        """Remove what was last written before `before`, seconds since 1970, leftovers too; how many went."""
        ...


def unknown() -> ResultUnknown:
    """The one error for every result that is not there."""
    return ResultUnknown("There is no such result.", hint="Use the link as it was given.")


def unavailable() -> StoreUnavailable:
    """The one error for every failure. What failed stays in the cause, for the log: the words may go to a caller."""
    return StoreUnavailable("Results cannot be stored or read now.", hint="Try again later.")
