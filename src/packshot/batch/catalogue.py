"""The wanted outputs of a batch and their state, for a million photos: SQLite tables in an unnamed file on disk.

SQLite creates an unnamed file for a database without a name, and caches a few megabytes of the file in memory. The
system removes the file when the process ends. The journal is the source of truth; these tables are an index of it.
"""

from __future__ import annotations

import json
import os
import sqlite3
from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packshot.batch.decisions import Decision
from packshot.batch.listing import Item, Photo, Placing
from packshot.batch.process import Row
from packshot.core.geometry import Size
from packshot.errors import PackshotError

_BATCH = 500

# Keys are bytes: a file name may be invalid text, which SQLite's TEXT does not allow. part: Item.place. The rows of a
# photo in `wanted` are adjacent, in the order of their place.
_TABLES = """
CREATE TABLE wanted (place INTEGER PRIMARY KEY, source BLOB, part INTEGER, version TEXT, size INTEGER, output BLOB,
                     fingerprint TEXT, round INTEGER, category TEXT, measure TEXT, placing TEXT, base TEXT,
                     UNIQUE (source, part));
CREATE INDEX wanted_output ON wanted (output);
CREATE INDEX wanted_category ON wanted (category, part, place) WHERE measure <> '';
CREATE TABLE measured (source BLOB PRIMARY KEY, measure TEXT, category TEXT, decides INTEGER, width INTEGER,
                       height INTEGER, facts TEXT) WITHOUT ROWID;
CREATE TABLE present (output BLOB PRIMARY KEY, modified REAL) WITHOUT ROWID;
CREATE TABLE past (output BLOB, source BLOB, fingerprint TEXT, ok INTEGER, passed INTEGER, review INTEGER,
                   confidence REAL, at TEXT, base TEXT, row TEXT,
                   PRIMARY KEY (output, source)) WITHOUT ROWID;
CREATE TABLE decided (source BLOB, version TEXT, verdict TEXT, made INTEGER, done INTEGER, decision TEXT,
                      PRIMARY KEY (source, version)) WITHOUT ROWID;
CREATE VIEW known AS SELECT wanted.place, wanted.source, wanted.version, wanted.round, past.ok, past.row,
                            past.ok AND present.output IS NOT NULL AS finished
    FROM wanted JOIN past USING (output, source, fingerprint) LEFT JOIN present USING (output);
CREATE VIEW unfinished AS SELECT * FROM wanted
    WHERE NOT EXISTS (SELECT 1 FROM known WHERE known.place = wanted.place AND known.finished);
CREATE VIEW unmeasured AS SELECT * FROM wanted WHERE NOT EXISTS (
    SELECT 1 FROM measured WHERE measured.source = wanted.source AND measured.measure = wanted.measure);
CREATE VIEW photo AS SELECT MIN(wanted.place) AS place, source, COUNT(*) AS wanted, COUNT(past.ok) AS tried,
                            COALESCE(SUM(past.ok), 0) AS made, MIN(past.ok) AS ok, MIN(past.passed) AS passed,
                            MAX(past.review AND NOT COALESCE(decided.done, 0)) AS review,
                            COALESCE(MAX(decided.done), 0) AS done, MIN(past.confidence) AS confidence
    FROM wanted LEFT JOIN past USING (output, source, fingerprint) LEFT JOIN decided USING (source, version)
    GROUP BY source;
"""
_COLUMNS = "source, version, size, output, fingerprint, part, placing"

_PREFIXED = ", ".join(f"wanted.{name}" for name in _COLUMNS.split(", "))

# The order: failures, photos with an output that breaks a rule, photos to review, photos without a human decision;
# lowest confidence first.
_WORST_FIRST = "ORDER BY ok, passed, review DESC, done, confidence IS NULL, confidence, place"


@dataclass(frozen=True)
class Counts:
    """Numbers of photos: wanted, made, failed; and of the made ones, to review and with a broken rule.

    A photo is made if all of its outputs are made, and failed if one of them failed. pictures: number of outputs made.
    """

    wanted: int
    made: int
    failed: int
    review: int
    broken: int
    pictures: int = 0


@dataclass(frozen=True)
class Summary:
    """The result of a batch. counts: of the whole catalogue, including photos finished by earlier runs.

    now: photos that this run processed; made_now: photos that it made. seconds: processing time, without the listing.
    own: skipped files among the photos that are packshot's own outputs. listed: whether the listing was completed.
    trouble: the error that stopped the run, if any. reported: whether the report was written. measured: whether all
    photos of an even catalogue were measured; pictures are made only then.
    """

    counts: Counts
    now: int = 0
    made_now: int = 0
    seconds: float = 0.0
    own: int = 0
    listed: bool = True
    trouble: PackshotError | None = None
    reported: bool = False
    measured: bool = True

    @property
    def left(self) -> int:
        """Number of photos not processed yet."""
        return self.counts.wanted - self.counts.made - self.counts.failed

    @property
    def rate(self) -> float:
        """Photos per second made by this run; 0 if it made none."""
        return self.made_now / self.seconds if self.made_now and self.seconds else 0.0

    @property
    def error_rate(self) -> float:
        return self.counts.failed / self.counts.wanted if self.counts.wanted else 0.0


class Catalogue:
    """The tables of one run. Use from one thread at a time."""

    def __init__(self) -> None:
        self._tables = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._tables.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_TABLES} BEGIN")
        self.round = 0

    def close(self) -> None:
        self._tables.close()

    def remember(self, row: Row) -> None:
        """Add a line of the journal. A later line for the same photo and output replaces an earlier one."""
        source, output = os.fsencode(row["source"]), os.fsencode(row["output"])
        preset = row.get("preset")
        if row["ok"]:  # this output has overwritten any output of another photo under the same name
            self._tables.execute("DELETE FROM past WHERE output = ? AND source <> ?", (output, source))
        self._tables.execute(
            "INSERT OR REPLACE INTO past VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                output,
                source,
                row["fingerprint"],
                row["ok"],
                preset is None or preset["passed"],
                row.get("review", False),
                row.get("confidence"),
                row.get("at", ""),
                row.get("even", {}).get("base"),
                json.dumps(row),
            ),
        )

    def again(self, source: str, output: str, at: str = "") -> None:
        """Mark an output as to be made again; it may replace any existing file. at: time of the request."""
        self._tables.execute(
            "INSERT OR REPLACE INTO past VALUES (?, ?, '', 1, 1, 0, NULL, ?, NULL, '{}')",
            (os.fsencode(output), os.fsencode(source), at),
        )

    def decide(self, decision: Decision) -> None:
        """Add the last decision about a photo. Call after all lines of the journal were added.

        Outputs made with the decision count like lines of the journal, unless the journal has a later line.
        """
        source = os.fsencode(decision.source)
        facts = {name: getattr(decision, name) for name in ("verdict", "by", "comment", "matte")}
        self._tables.execute(
            "INSERT OR REPLACE INTO decided VALUES (?, ?, ?, ?, ?, ?)",
            (
                source,
                decision.version,
                decision.verdict,
                decision.made,
                decision.is_done,
                json.dumps({**facts, "options": dict(decision.options)}),
            ),
        )
        for row in decision.rows:
            later = self._tables.execute(
                "SELECT 1 FROM past WHERE output = ? AND source = ? AND at > ?",
                (os.fsencode(row["output"]), source, row["at"]),
            ).fetchone()
            if later is None:
                self.remember(dict(row))

    def decided(self, source: str, version: str) -> int:
        """Number of the last decision that changed the pictures of this version of a photo; 0 for none."""
        made = self._tables.execute(
            "SELECT made FROM decided WHERE source = ? AND version = ?", (os.fsencode(source), version)
        ).fetchone()
        return int(made[0]) if made else 0

    def own_options(self, item: Item) -> Collection[str]:
        """Names of the options that a person has set for this photo."""
        said = self._tables.execute(
            "SELECT decision FROM decided WHERE source = ? AND version = ? AND made",
            (os.fsencode(item.source), item.version),
        ).fetchone()
        return frozenset(json.loads(said[0])["options"]) if said else frozenset()

    def category(self, source: str) -> str:
        (category,) = self._tables.execute(
            "SELECT category FROM wanted WHERE source = ? LIMIT 1", (os.fsencode(source),)
        ).fetchone()
        return str(category)

    def photograph_again(self) -> Iterator[str]:
        """The wanted photos for which a person requested a new photo."""
        rows = self._tables.execute(
            "SELECT DISTINCT source FROM wanted JOIN decided USING (source, version) "
            "WHERE verdict = 'photograph-again' ORDER BY place"
        )
        return (os.fsdecode(source) for (source,) in rows)

    def is_there(self, output: str, modified: float) -> None:
        """Record that an output exists. modified: seconds since 1970."""
        self._tables.execute("INSERT OR REPLACE INTO present VALUES (?, ?)", (os.fsencode(output), modified))

    def want(self, item: Item, category: str = "", measure: str = "") -> None:
        """Add a wanted output of a photo in this round. A newer version of a photo replaces an older one.

        category, measure: the photo's category and measure name in an even catalogue.
        """
        keys = os.fsencode(item.source), os.fsencode(item.output)
        self._tables.execute(
            "INSERT OR REPLACE INTO wanted (source, output, part, version, size, fingerprint, round, category, "
            "measure) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*keys, item.place, item.version, item.size_bytes, item.fingerprint, self.round, category, measure),
        )

    def unwant(self, source: str) -> None:
        """Remove a photo from the wanted ones."""
        self._tables.execute("DELETE FROM wanted WHERE source = ?", (os.fsencode(source),))

    def found(self) -> int:
        """The number of photos in this round."""
        return self._count("wanted")

    def unfinished(self) -> int:
        """The number of photos in this round with a missing output."""
        return self._count("unfinished")

    def _count(self, table: str) -> int:
        query = f"SELECT COUNT(DISTINCT source) FROM {table} WHERE round = ?"  # noqa: S608 - constants
        (count,) = self._tables.execute(query, (self.round,)).fetchone()
        return int(count)

    def missing(self, source: str) -> set[str]:
        """The missing outputs of a photo."""
        rows = self._tables.execute("SELECT output FROM unfinished WHERE source = ?", (os.fsencode(source),))
        return {os.fsdecode(output) for (output,) in rows}

    def todo(self) -> Iterator[Photo]:
        """This round's photos with their missing outputs, in the order of the listing.

        The tables may change during the iteration.
        """
        return self._photos(self._unfinished())

    def _photos(self, wanted: Iterator[Item]) -> Iterator[Photo]:
        for source, items in groupby(wanted, lambda item: item.source):
            all_of_it = tuple(items)
            key = os.fsencode(source)
            said = self._tables.execute(
                "SELECT decision FROM decided WHERE source = ? AND version = ? AND made", (key, all_of_it[0].version)
            ).fetchone()
            decision = json.loads(said[0]) if said else {"matte": None, "options": {}}
            measure, facts = self._tables.execute(
                "SELECT wanted.measure, facts FROM wanted LEFT JOIN measured USING (source, measure) "
                "WHERE source = ? AND part = ?",
                (key, all_of_it[0].place),
            ).fetchone()
            kept = json.loads(facts) if facts else None
            yield Photo(all_of_it, decision["matte"], decision["options"], kept, measure)

    def _unfinished(self, table: str = "unfinished") -> Iterator[Item]:
        after = -1
        while rows := self._tables.execute(
            f"SELECT place, {_COLUMNS} FROM {table} WHERE round = ? AND place > ? ORDER BY place LIMIT ?",  # noqa: S608
            (self.round, after, _BATCH),
        ).fetchall():
            (after, *_) = rows[-1]
            yield from (_item(row) for _, *row in rows)

    def measured(self, source: str, measure: str, category: str, facts: Row, *, decides: bool) -> None:
        """Add the measurements of a photo of an even catalogue. A later call replaces an earlier one.

        measure: fingerprint of all that the measurements depend on. decides: whether the photo influences the look of
        its category.
        """
        width, height = facts["size"]
        self._tables.execute(
            "INSERT OR REPLACE INTO measured VALUES (?, ?, ?, ?, ?, ?, ?)",
            (os.fsencode(source), measure, category, decides, width, height, json.dumps(facts)),
        )

    def unmeasured(self) -> Iterator[Photo]:
        """This round's photos without measurements."""
        return self._photos(self._unfinished("unmeasured"))

    def to_measure(self) -> int:
        """The number of this round's photos without measurements."""
        return self._count("unmeasured")

    def categories(self) -> list[str]:
        rows = self._tables.execute(
            "SELECT DISTINCT category FROM wanted WHERE round = ? ORDER BY category", (self.round,)
        )
        return [category for (category,) in rows]

    def products(self, category: str, *, all_known: bool) -> NDArray[np.float64]:
        """Sizes of the products that decide a category's look: float64 (n, 2), px.

        all_known: whether to include photos that are not part of this run.
        """
        query = (
            "SELECT width, height FROM measured JOIN wanted USING (source, measure) "
            "WHERE wanted.category = ?1 AND part = 0 AND measure <> '' AND decides UNION ALL "
            "SELECT width, height FROM measured WHERE ?2 AND category = ?1 AND decides "
            "AND NOT EXISTS (SELECT 1 FROM wanted WHERE wanted.source = measured.source)"
        )
        sizes = array("d")
        for row in self._tables.execute(query, (category, all_known)):
            sizes.extend(row)
        return np.array(sizes, np.float64).reshape(-1, 2)

    def place_all(self, category: str, part: int, place: Callable[[Item, Size], tuple[str, Placing]]) -> None:
        """Store placing and fingerprint of one output, for each measured photo of a category."""
        after = -1
        while rows := self._tables.execute(
            f"SELECT place, width, height, {_PREFIXED} FROM wanted JOIN measured USING (source, measure) "  # noqa: S608
            "WHERE round = ? AND wanted.category = ? AND part = ? AND measure <> '' AND place > ? "
            "ORDER BY place LIMIT ?",
            (self.round, category, part, after, _BATCH),
        ).fetchall():
            (after, *_) = rows[-1]
            changes = []
            for at, width, height, *row in rows:
                fingerprint, placing = place(_item(row), Size(width, height))
                changes.append((fingerprint, json.dumps(placing), placing.base, at))
            self._tables.executemany(
                "UPDATE wanted SET fingerprint = ?, placing = ?, base = ? WHERE place = ?", changes
            )

    def drawn_again(self) -> dict[str, int]:
        """By category: the number of finished pictures to draw again, because the look has changed."""
        rows = self._tables.execute(
            "SELECT unfinished.category, COUNT(*) FROM unfinished JOIN past USING (output, source) "
            "JOIN present USING (output) WHERE round = ? AND past.ok AND past.base = unfinished.base "
            "GROUP BY 1 ORDER BY 1",
            (self.round,),
        )
        return dict(rows.fetchall())

    def evenness(self) -> Iterator[tuple[str, str, str, str, str, str]]:
        """The rows for evenness.by_category."""
        rows = self._tables.execute(
            "SELECT category, part, wanted.source, wanted.output, past.row FROM wanted "
            "JOIN past USING (output, source, fingerprint) WHERE past.ok AND past.base IS NOT NULL "
            "ORDER BY category, part, place"
        )
        for category, _, source, output, text in rows:
            row = json.loads(text)
            preset = (row.get("preset") or {}).get("title") or ""
            figures = json.dumps({**row["even"]["figures"], "planned": row["even"]["fill"]})
            yield category, preset, os.fsdecode(source), os.fsdecode(output), row["even"]["off"], figures

    def clashes(self) -> Iterator[tuple[Item, str]]:
        """This round's photos that have the same output as an earlier listed photo; with the key of that photo."""
        columns = _PREFIXED.replace("wanted.", "later.")
        rows = self._tables.execute(
            f"SELECT {columns}, earlier.source FROM wanted later JOIN wanted earlier "  # noqa: S608 - constants
            "ON earlier.output = later.output AND earlier.place < later.place WHERE later.round = ? "
            "GROUP BY later.place",
            (self.round,),
        ).fetchall()
        for *row, other in rows:
            yield _item(row), os.fsdecode(other)

    def present(self) -> Iterator[tuple[str, str]]:
        """This round's photos whose output exists already, as any file: keys of photo and output.

        `again` may be called during the iteration, because it changes neither table.
        """
        rows = self._tables.execute(
            "SELECT source, output FROM wanted JOIN present USING (output) WHERE round = ?", (self.round,)
        )
        return ((os.fsdecode(source), os.fsdecode(output)) for source, output in rows)

    def strangers(self, since: float) -> Iterator[Item]:
        """This round's photos whose output's name belongs to a file that packshot did not make.

        packshot made the files in the journal, and files newer than `since`, which a killed run wrote last.
        """
        rows = self._tables.execute(
            f"SELECT {_COLUMNS} FROM wanted JOIN present USING (output) WHERE round = ? AND modified < ? "  # noqa: S608
            "AND NOT EXISTS (SELECT 1 FROM past WHERE past.output = wanted.output AND past.ok)",
            (self.round, since),
        ).fetchall()
        yield from map(_item, rows)

    def rows(self, *, failed_only: bool = False) -> Iterator[Row]:
        """All facts about the wanted outputs, by photo, in the order of the listing. Reads row by row."""
        return self._rows("WHERE NOT ok" if failed_only else "")

    def worst(self, limit: int) -> Iterator[Row]:
        """The same facts for the first `limit` photos to review, worst first."""
        query = f"SELECT source FROM photo WHERE tried {_WORST_FIRST} LIMIT {limit:d}"  # noqa: S608 - a number
        for (source,) in self._tables.execute(query).fetchall():
            yield from self._rows("WHERE source = ?", source)

    def _rows(self, where: str, *values: bytes) -> Iterator[Row]:
        """Rows of the journal, with the human decision about the photo as `decision`."""
        query = (
            f"SELECT row, decision, done FROM known LEFT JOIN decided USING (source, version) {where} ORDER BY place"  # noqa: S608 - constants
        )
        for text, said, done in self._tables.execute(query, values):
            row = json.loads(text)
            if said:
                row = {**row, "decision": json.loads(said), "review": bool(row.get("review")) and not done}
            yield row

    def counts(self) -> Counts:
        figures = self._tables.execute(
            "SELECT COUNT(*), SUM(made = wanted), SUM(NOT ok), SUM(made = wanted AND review), "
            "SUM(made = wanted AND NOT passed), SUM(made) FROM photo"
        ).fetchone()
        return Counts(*(figure or 0 for figure in figures))


def _item(row: Sequence[Any]) -> Item:
    """The item in a row of _COLUMNS."""
    source, version, size_bytes, output, fingerprint, place, placing = row
    drawn = Placing(*json.loads(placing)) if placing else None
    return Item(os.fsdecode(source), version, size_bytes, os.fsdecode(output), fingerprint, place, drawn)
