"""Finds packshot's own files among photos: outputs that `packshot remove` wrote next to them, and thumbnails.

A name alone does not distinguish an output from a photo: a shop may have shirt.jpg and shirt-white.jpg as two photos.
Outputs have packshot's name in the EXIF tag Software (core/codecs/software.py). A file is read only if it is named like
an output of another file, or if it is that other file. The output may be in the same folder or in a possible --out
folder. A few KB of each file are read.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

from packshot.core.codecs.software import PACKSHOT, read_software
from packshot.core.recipe import WORDS

THUMBNAILS = "thumbnails"
_THUMBNAIL = re.compile(rf"(?:^|/){THUMBNAILS}/[0-9a-f]{{16}}-(?:photo|output)\.webp\Z")

_BATCH = 500
_MAX_FOLDERS = 16  # parent folders of an output that may have been the --out of a run
# Keys are bytes: a file name may be invalid text, which SQLite's TEXT does not allow. marked: NULL if not read yet.
# over: 1 if the file is to be skipped, 2 if that was reported. maybe: a key, and the stem of a photo that the file may
# be an output of, by its name. The file's own stem is not stored.
_TABLES = """
CREATE TABLE file (key BLOB PRIMARY KEY, stem BLOB, marked INTEGER, over INTEGER DEFAULT 0) WITHOUT ROWID;
CREATE INDEX file_stem ON file (stem);
CREATE TABLE maybe (key BLOB, base BLOB, PRIMARY KEY (key, base)) WITHOUT ROWID;
CREATE INDEX maybe_base ON maybe (base);
"""
_CANDIDATES = """
SELECT key FROM file WHERE key > ? AND marked IS NULL AND (
    EXISTS (SELECT 1 FROM file other WHERE other.stem = file.stem AND other.key <> file.key)
    OR EXISTS (SELECT 1 FROM maybe JOIN file other ON other.stem = maybe.base WHERE maybe.key = file.key)
    OR EXISTS (SELECT 1 FROM maybe WHERE maybe.base = file.stem)
) ORDER BY key LIMIT ?
"""
# Outputs of a photo, and outputs of outputs (photo-white-amazon.jpg). An output without its photo counts as a photo.
_OWN_ARE = """
UPDATE file SET over = 1 WHERE marked AND NOT over AND (
    EXISTS (SELECT 1 FROM file other WHERE other.stem = file.stem AND NOT COALESCE(other.marked, 0))
    OR EXISTS (
        SELECT 1 FROM maybe JOIN file other ON other.stem = maybe.base
        WHERE maybe.key = file.key AND (other.over OR NOT COALESCE(other.marked, 0))
    )
)
"""


def thumbnail_key(identity: str, kind: str) -> str:
    """The key of a thumbnail of a report. identity: 16 hex digits. kind: photo or output."""
    return f"{THUMBNAILS}/{identity}-{kind}.webp"


def is_thumbnail(key: str) -> bool:
    """Whether a key has the form of a report's thumbnail. The report's folder may have any name."""
    return key.endswith(".webp") and _THUMBNAIL.search(key) is not None


def is_marked(path: Path) -> bool:
    """Whether packshot's command line wrote a file, by its EXIF tag Software. False for an unreadable file."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        head = os.pread(file, 1024, 0)  # contains most of the requested ranges

        def read(offset: int, length: int) -> bytes:
            inside = offset + length <= len(head)
            return head[offset : offset + length] if inside else os.pread(file, length, offset)

        return read_software(read) == PACKSHOT
    except OSError:
        return False
    finally:
        os.close(file)


def own_outputs(folder: Path, keys: Iterable[str]) -> set[str]:
    """The given files of a folder that are packshot's own outputs of other given files."""
    with closing(Siblings()) as siblings:
        for key in keys:
            siblings.add(key)
        return set(siblings.own_outputs(lambda key: is_marked(folder / key)))


def say_own(count: int, more: str = "") -> str:
    """Text such as "12 are packshot's own outputs and skipped"."""
    what = "is packshot's own output" if count == 1 else "are packshot's own outputs"
    return f"{count:,} {more}{what} and skipped"


class Siblings:
    """The photos of one or several listings; finds packshot's own outputs among them.

    Stored on disk, like the tables of catalogue.py, for a million photos.
    """

    def __init__(self) -> None:
        self._tables = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._tables.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_TABLES} BEGIN")

    def close(self) -> None:
        self._tables.close()

    def add(self, key: str) -> None:
        """Add a listed photo. A photo that was added before counts as changed."""
        self._tables.execute(
            "INSERT OR REPLACE INTO file (key, stem) VALUES (?, ?)", (os.fsencode(key), os.fsencode(stem_of(key)))
        )
        if bases := _bases(stem_of(key)):
            rows = [(os.fsencode(key), os.fsencode(base)) for base in bases]
            self._tables.executemany("INSERT OR IGNORE INTO maybe VALUES (?, ?)", rows)

    def own_outputs(self, is_marked: Callable[[str], bool]) -> Iterator[str]:
        """Packshot's own outputs, each returned only once. is_marked: reads whether the file of a key is marked."""
        after = b""
        while rows := self._tables.execute(_CANDIDATES, (after, _BATCH)).fetchall():
            (after,) = rows[-1]
            marks = [(is_marked(os.fsdecode(key)), key) for (key,) in rows]
            self._tables.executemany("UPDATE file SET marked = ? WHERE key = ?", marks)
        while self._tables.execute(_OWN_ARE).rowcount:
            pass
        while rows := self._tables.execute("SELECT key FROM file WHERE over = 1 LIMIT ?", (_BATCH,)).fetchall():
            self._tables.executemany("UPDATE file SET over = 2 WHERE key = ?", rows)
            yield from (os.fsdecode(key) for (key,) in rows)


def stem_of(key: str) -> str:
    """The key without its ending: photos/shoe for photos/shoe.jpg."""
    stem, dot, ending = key.rpartition(".")
    return stem if dot and "/" not in ending else key


def _bases(stem: str) -> list[str]:
    """Stems of the photos that a file with this stem may be an output of, by its name; without its own stem.

    For shop/shelf/shoe-white: shop/shelf/shoe; and shelf/shoe, shelf/shoe-white, shoe, shoe-white, in case shop/ was
    an --out in the folder of the photos.
    """
    folders = stem.split("/", _MAX_FOLDERS)
    places = ["/".join(folders[depth:]) for depth in range(len(folders))]
    word = _endings().search(stem)
    return [*places[1:], *(place[: -len(word[0])] for place in places if word)]


@cache
def _endings() -> re.Pattern[str]:
    from packshot.engine.presets import preset_names  # noqa: PLC0415 - imports numpy, which a listing may not need

    return re.compile(rf"(?<=[^/])-(?:{'|'.join(map(re.escape, sorted({*WORDS, 'cutout', *preset_names()})))})\Z")
