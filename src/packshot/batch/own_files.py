"""packshot's own files among photos: the outputs that `packshot remove` writes beside them, and a report's thumbnails.

A name alone does not tell an output from a photo: a shop may have shirt.jpg and shirt-white.jpg as two photos. The
file says it, in its EXIF tag Software (core/codecs/software.py). Read are only files that are named like an output of
another file, beside it or in a folder that may have been an --out, and those others; and of each a few KB.
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
_MAX_FOLDERS = 16  # above an output's place, each of which may have been the --out of a run
# Keys are bytes: a file name in a folder may be no text at all, and SQLite's text must be. marked: NULL where nobody
# has looked. over: 1 once it is known to be passed over, 2 once that was told. maybe: a key, and the stem of a photo
# that it may be an output of, by its name; its own stem goes without saying.
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
# An output of a photo, or of an output of one: photo-white-amazon.jpg. An output whose photo is gone is a photo.
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
    """Where a report keeps a small picture. identity: 16 hexadecimal digits. kind: photo or output."""
    return f"{THUMBNAILS}/{identity}-{kind}.webp"


def is_thumbnail(key: str) -> bool:
    """Whether a file lies where a report keeps its small pictures, under such a name; the report may have any name."""
    return key.endswith(".webp") and _THUMBNAIL.search(key) is not None


def is_marked(path: Path) -> bool:
    """Whether packshot's command line wrote a file, by what the file says. False for one that cannot be read."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        head = os.pread(file, 1024, 0)  # most of what is asked for lies there

        def read(offset: int, length: int) -> bytes:
            inside = offset + length <= len(head)
            return head[offset : offset + length] if inside else os.pread(file, length, offset)

        return read_software(read) == PACKSHOT
    except OSError:
        return False
    finally:
        os.close(file)


def own_outputs(folder: Path, keys: Iterable[str]) -> set[str]:
    """Those of the files in a folder that are packshot's own outputs of others among them."""
    with closing(Siblings()) as siblings:
        for key in keys:
            siblings.add(key)
        return set(siblings.own_outputs(lambda key: is_marked(folder / key)))


def say_own(count: int, more: str = "") -> str:
    """12 are packshot's own outputs and passed over."""
    what = "is packshot's own output" if count == 1 else "are packshot's own outputs"
    return f"{count:,} {more}{what} and passed over"


class Siblings:
    """The photos of one listing, or of one after the other, to find packshot's own outputs among them.

    On disk, as the tables of catalogue.py are: for a million photos.
    """

    def __init__(self) -> None:
        self._tables = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._tables.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_TABLES} BEGIN")

    def close(self) -> None:
        self._tables.close()

    def add(self, key: str) -> None:
        """Take in a photo that was listed; one that was taken in before has changed since."""
        self._tables.execute(
            "INSERT OR REPLACE INTO file (key, stem) VALUES (?, ?)", (os.fsencode(key), os.fsencode(stem_of(key)))
        )
        if bases := _bases(stem_of(key)):
            rows = [(os.fsencode(key), os.fsencode(base)) for base in bases]
            self._tables.executemany("INSERT OR IGNORE INTO maybe VALUES (?, ?)", rows)

    def own_outputs(self, is_marked: Callable[[str], bool]) -> Iterator[str]:
        """Those that are packshot's own, each told once. is_marked: whether the file with a key says so."""
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
    """photos/shoe.jpg -> photos/shoe."""
    stem, dot, ending = key.rpartition(".")
    return stem if dot and "/" not in ending else key


def _bases(stem: str) -> list[str]:
    """Stems of the photos that a file with this stem may be an output of, by its name: but for its own.

    shop/shelf/shoe-white: shop/shelf/shoe; and shelf/shoe, shelf/shoe-white, shoe, shoe-white, where shop/ was an --out
    in the folder of the photos.
    """
    folders = stem.split("/", _MAX_FOLDERS)
    places = ["/".join(folders[depth:]) for depth in range(len(folders))]
    word = _endings().search(stem)
    return [*places[1:], *(place[: -len(word[0])] for place in places if word)]


@cache
def _endings() -> re.Pattern[str]:
    from packshot.engine.presets import preset_names  # noqa: PLC0415 - numpy and more, which a listing may not need

    return re.compile(rf"(?<=[^/])-(?:{'|'.join(map(re.escape, sorted({*WORDS, 'cutout', *preset_names()})))})\Z")
