"""The state of each photo of a batch, from the lines of the journal and the decisions of people."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from packshot.batch.decisions import Decision, photo_id
from packshot.batch.printable import printable
from packshot.batch.process import Row
from packshot.batch.report import as_cell
from packshot.batch.report.page import states

Lines = Mapping[str, tuple[Row, "Run"]]
"""The last line of the journal for each output of a photo, and the run that wrote it."""


class Run(NamedTuple):
    """The run that made a row, from the journal."""

    options: Mapping[str, Any]
    network: str
    photos: str | None


@dataclass(frozen=True)
class Shown:
    """A photo of the batch as the review shows it.

    rows: the last line of each output. runs: the run of each row. decision: the last one, if any; it is past if it is
    about an earlier version of the photo.
    """

    source: str
    version: str
    rows: tuple[Row, ...]
    runs: tuple[Run, ...]
    decision: Decision | None

    @cached_property
    def id(self) -> str:
        """A name that is safe in paths and URLs."""
        return photo_id(self.source)

    @property
    def in_force(self) -> Decision | None:
        decision = self.decision
        return None if decision is None or decision.is_past(self.version) else decision

    @property
    def revision(self) -> int:
        """Revision of the last decision, including a past one; 0 for none."""
        return 0 if self.decision is None else self.decision.revision

    @property
    def is_decided(self) -> bool:
        return self.in_force is not None and self.in_force.is_done

    @cached_property
    def states(self) -> tuple[str, ...]:
        """The states of the photo, worst first: failed, broken, review, fine."""
        found = {state for row in self.rows for state in states(row)}
        return tuple(state for state in ("failed", "broken", "review") if state in found) or ("fine",)

    @property
    def confidence(self) -> float | None:
        """The lowest confidence of the photo's pictures."""
        return min((row["confidence"] for row in self.rows if row.get("confidence") is not None), default=None)

    @property
    def pixels(self) -> int:
        """Pixels of the photo, for an estimate of memory; 0 if no output was made."""
        sizes = (row.get("photo") or (0, 0) for row in self.rows)
        return max(width * height for width, height in sizes)

    @property
    def needs_look(self) -> bool:
        """Whether the batch asked for a review of the photo, or a person has decided about it."""
        return self.states != ("fine",) or self.is_decided

    def order(self) -> tuple[object, ...]:
        """Sort key: photos to review first, in the order of the batch's report, then by name."""
        sure = self.confidence
        bad = ("failed" not in self.states, "broken" not in self.states, "review" not in self.states)
        return (self.is_decided, *bad, sure is None, sure, os.fsencode(self.source))


def last_lines(journal: Iterator[Row]) -> dict[str, Lines]:
    """The last lines by photo. For a replaced photo, only lines about the newest version."""
    ran = Run({}, "", None)
    found: dict[str, dict[str, tuple[Row, Run]]] = {}
    for row in journal:
        if "run" in row:
            said = row["run"]
            ran = Run(said.get("options", {}), said.get("network", ""), said.get("photos"))
        elif "fingerprint" in row:
            found.setdefault(row["source"], {})[row["output"]] = row, ran
    return {source: _of_newest(rows) for source, rows in found.items()}


def _of_newest(rows: Lines) -> Lines:
    newest = max((row for row, _ in rows.values()), key=lambda row: str(row["at"]))["version"]
    return {output: each for output, each in rows.items() if each[0]["version"] == newest}


def make_shown(lines: Lines, decision: Decision | None) -> Shown:
    """A photo, from its lines and its last decision. For each output, the later of both counts."""
    rows, runs = zip(*lines.values(), strict=True)
    source, version = rows[0]["source"], rows[0]["version"]
    if decision is not None and not decision.is_past(version):
        decided = {row["output"]: dict(row) for row in decision.rows}
        decision = replace(decision, rows=tuple(decided.values()))
        rows = tuple(
            decided[row["output"]] if row["output"] in decided and decided[row["output"]]["at"] >= row["at"] else row
            for row in rows
        )
    return Shown(source, version, rows, runs, decision)


def as_csv(photos: Iterable[Shown]) -> str:
    """The decisions as CSV, a line per photo; text is escaped as in the report's tables."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["source", "verdict", "by", "at", "comment", "options", "outputs", "photo_replaced"])
    for shown in sorted(photos, key=lambda shown: os.fsencode(shown.source)):
        if (said := shown.decision) is not None:
            options = "; ".join(f"{name}={value}" for name, value in said.options.items())
            outputs = "; ".join(row["output"] for row in shown.rows if row["ok"])
            texts = [said.source, said.verdict, said.by, said.at, said.comment, options, outputs]
            writer.writerow([*map(as_cell, texts), str(shown.in_force is None).lower()])
    return file.getvalue()


def described(shown: Shown) -> dict[str, Any]:
    """A photo as JSON values, for the list."""
    decision = shown.decision
    return {
        "id": shown.id,
        "source": printable(shown.source),
        "states": shown.states,
        "confidence": shown.confidence,
        "needs_look": shown.needs_look,
        "revision": shown.revision,
        "decided": shown.is_decided,
        "decision": None
        if decision is None
        else {
            "verdict": decision.verdict,
            "by": decision.by,
            "at": decision.at,
            "comment": decision.comment,
            "options": dict(decision.options),
            "is_corrected": decision.matte is not None,
            "is_past": shown.in_force is None,
        },
        "outputs": [_described(row) for row in shown.rows],
    }


def _described(row: Row) -> dict[str, Any]:
    preset = row.get("preset") or {}
    return {
        "name": printable(row["output"]),
        "ok": row["ok"],
        "version": f"{row['fingerprint']}-{row['at']}",
        "states": states(row),
        "preset": preset.get("name"),
        "title": preset.get("title"),
        "checks": [
            {"message": check["message"], "required": check["required"]}
            for check in preset.get("checks", ())
            if not check["passed"]
        ],
        "repairs": [repair["message"] for repair in preset.get("repairs", ())],
        "notes": [str(note) for note in row.get("notes", ())],
        "error": row.get("error"),
        **{
            name: row.get(name)
            for name in ("width", "height", "bytes", "media_type", "photo", "box", "product", "confidence")
        },
    }
