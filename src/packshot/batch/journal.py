"""The journal of finished photos: append-only lines of JSON in OUT/.packshot/. A killed run continues from it.

Readers ignore an incomplete last line, which a kill may leave. In a folder, each line is passed to the system before
the next one is written. Object storage cannot append, so lines are collected for a second and written as a sequence of
objects. After a kill, the photos of the last second are made again, under the same names.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from packshot.batch.process import Row
from packshot.errors import FileMissing, InvalidOption
from packshot.storage.base import STATE
from packshot.storage.blocking import BlockingStorage
from packshot.storage.folder import file_errors

NAME = f"{STATE}/journal.jsonl"
SEGMENTS = f"{STATE}/journal"
FLUSH_S = 1.0
SEGMENT_LINES = 500


class Journal(Protocol):
    """A journal, open for one run."""

    def lines(self) -> Iterator[Row]:
        """All complete lines of all runs, in the order of writing."""
        ...

    def add(self, row: Row) -> None: ...

    def close(self) -> None: ...


def open_journal(out: BlockingStorage) -> Journal:
    """Open the journal of an output place. Raises: InvalidOption if another process has it open (folders only)."""
    return ObjectJournal(out) if out.folder is None else FileJournal(out.folder, out.name)


def read_journal(out: BlockingStorage) -> Iterator[Row]:
    """The lines of a journal, as `Journal.lines`, for a reader. A batch may run at the same time."""
    if out.folder is None:
        yield from _segments(out)
    else:
        with suppress(FileMissing):
            yield from parsed(out.get(NAME).splitlines())


def journal_version(out: BlockingStorage) -> tuple[str, ...]:
    """A value that changes when lines are added to a journal."""
    if out.folder is None:
        return tuple(f"{entry.key} {entry.version}" for entry in out.list(SEGMENTS))
    entry = out.find(NAME)
    return () if entry is None else (entry.version,)


class FileJournal:
    """A journal in one file. The file is locked while open; the lock ends with the process.

    A line that does not fit on the disk is removed again.
    """

    def __init__(self, folder: Path, name: str | None = None) -> None:
        """name: the folder's name in error messages."""
        self._folder, self._path, self._name = folder, folder / NAME, name or str(folder)
        with self._errors():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise InvalidOption(
                f"Another packshot batch is working on {self._name}.", hint="Wait for it, or give another OUT."
            ) from error
        if _ends_in_mid_line(self._path):
            self._write(b"\n")

    def lines(self) -> Iterator[Row]:
        with self._path.open("rb") as file:
            yield from parsed(file)

    def add(self, row: Row) -> None:
        self._write(_line(row))

    def close(self) -> None:
        self._file.close()

    def _errors(self) -> AbstractContextManager[None]:
        return file_errors(os.path.join(self._name, NAME), self._folder)  # noqa: PTH118 - keeps the path as the user wrote it

    def _write(self, line: bytes) -> None:
        with self._errors():
            before = os.fstat(self._file.fileno()).st_size
            left = memoryview(line)
            try:
                while left:
                    left = left[self._file.write(left) or 0 :]
            except OSError:
                os.ftruncate(self._file.fileno(), before)
                raise


class ObjectJournal:
    """A journal in objects of up to 500 lines. New lines rewrite the last object at most once a second."""

    def __init__(self, out: BlockingStorage) -> None:
        self._out = out
        started = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")  # names sort by time
        self._run = f"{SEGMENTS}/{started}-{uuid.uuid4().hex[:8]}"
        self._number = 0
        self._waiting: list[bytes] = []
        self._flushed = time.monotonic()

    def lines(self) -> Iterator[Row]:
        return _segments(self._out)

    def add(self, row: Row) -> None:
        self._waiting.append(_line(row))
        if len(self._waiting) >= SEGMENT_LINES or time.monotonic() - self._flushed >= FLUSH_S:
            self._flush()

    def close(self) -> None:
        self._flush()

    def _flush(self) -> None:
        if self._waiting:
            key = f"{self._run}-{self._number:06d}.jsonl"
            self._out.put(key, b"".join(self._waiting), "application/jsonl")
        if len(self._waiting) >= SEGMENT_LINES:
            self._number, self._waiting = self._number + 1, []
        self._flushed = time.monotonic()


def _segments(out: BlockingStorage) -> Iterator[Row]:
    for key in sorted(entry.key for entry in out.list(SEGMENTS)):
        yield from parsed(out.get(key).splitlines())


def parsed(lines: Iterable[bytes]) -> Iterator[Row]:
    """The complete lines, parsed."""
    for line in lines:
        try:
            row: Any = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row


def _line(row: Row) -> bytes:
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def _ends_in_mid_line(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, 2):
            return False
        file.seek(-1, 2)
        return file.read(1) != b"\n"
