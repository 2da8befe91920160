"""What is finished: lines of JSON that are only ever added to, in OUT/.packshot/. A killed run goes on from them.

A torn last line, as a kill leaves it, is no line. In a folder each line is with the system before the next photo's is
written. Object storage cannot append, so lines collect there for a second and go out as one object after the other:
after a kill the photos of the last second are made again, under the same names.
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
    """Open for one run."""

    def lines(self) -> Iterator[Row]:
        """All lines of all runs, in the order in which they were written, without torn ones."""
        ...

    def add(self, row: Row) -> None: ...

    def close(self) -> None: ...


def open_journal(out: BlockingStorage) -> Journal:
    """The journal of an output place. Raises InvalidOption when another process works on it (folders only)."""
    return ObjectJournal(out) if out.folder is None else FileJournal(out.folder, out.name)


def read_journal(out: BlockingStorage) -> Iterator[Row]:
    """The lines of a journal, as `Journal.lines` has them, for somebody who only looks: a run may go on meanwhile."""
    if out.folder is None:
        yield from _segments(out)
    else:
        with suppress(FileMissing):
            yield from parsed(out.get(NAME).splitlines())


def journal_version(out: BlockingStorage) -> tuple[str, ...]:
    """Changes when lines are added to a journal."""
    if out.folder is None:
        return tuple(f"{entry.key} {entry.version}" for entry in out.list(SEGMENTS))
    entry = out.find(NAME)
    return () if entry is None else (entry.version,)


class FileJournal:
    """One file. It is locked while it is open; the lock dies with the process.

    Each line is one call of the system; a line for which there was no room is taken away again.
    """

    def __init__(self, folder: Path, name: str | None = None) -> None:
        """name: of the folder in errors."""
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
        return file_errors(os.path.join(self._name, NAME), self._folder)  # noqa: PTH118 - as the user wrote it

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
    """Objects of up to 500 lines; the last one is written again, longer, each second in which something was added."""

    def __init__(self, out: BlockingStorage) -> None:
        self._out = out
        started = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")  # names in the order of time
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
    """The lines that are whole."""
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
