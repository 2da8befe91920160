"""Decisions of people about the photos of a batch: files in OUT/packshot-review that are only ever added to.

    packshot-review/decisions/PHOTO/000001.json, 000002.json ...   PHOTO: 16 hex digits of the source key's SHA-256
    packshot-review/decisions/PHOTO/000002-XXXXXXXX.png            the corrected matte of a revision: 8 bits, gray
    packshot-review/photos/KEY, packshot-review/mattes/STEM.png    the last correction: photo as it was, and matte

A revision is created only where it is not there yet, so of two people who decide at once on what both have seen, one
is told that the other was first. Each correction has a matte of its own, so the one who was late has changed nothing.
photos/ and mattes/ are copies for learning: a folder of pairs as the evaluation reads it.

How a batch reads them: `latest()`, without those that are past. A photo whose decision has `made` > 0 is made with
`matte` (through `Mattes` of engine/job.py; None: the network's) and with `options` over those of the run, whatever the
verdict; `made` belongs into the fingerprint of its items (listing.make_fingerprint). `rows` are to be remembered as
lines of the journal, but for an output that the journal knows from a later time (`at`): it was made with the decision.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from packshot.batch.own_files import stem_of
from packshot.batch.times import now
from packshot.errors import ConflictError, StorageRefused
from packshot.storage.blocking import BlockingStorage

REVIEW = "packshot-review"
DECISIONS = f"{REVIEW}/decisions"
PHOTOS = f"{REVIEW}/photos"
MATTES = f"{REVIEW}/mattes"

Verdict = Literal["good", "corrected", "again", "photograph-again", "open"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

_FORM = 1
"""Of the files. A packshot that finds a higher number was not written for it."""


@dataclass(frozen=True)
class Decision:
    """One revision of what is decided about a photo.

    revision: 1 for the first, and one more for each. source: the photo's key. version: of the photo, as Entry has it;
    once the photo has another one, the decision is past. at: when, ISO 8601 in UTC. by: who, as they call themselves.
    verdict: "open" takes back what was decided before. comment: for people.
    made: the last revision that changed the pictures, this one included; 0 while they are as the batch made them.
    matte, options, rows are of that revision, and every later one repeats them. matte: key of the corrected matte in
    OUT; None where the network's is good. options: what is asked for this photo alone, by option name, as text.
    rows: lines of the journal for the outputs that were made then, full.
    """

    revision: int
    source: str
    version: str
    verdict: Verdict
    by: str
    at: str = field(default_factory=now)
    matte: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""
    made: int = 0
    rows: tuple[Mapping[str, Any], ...] = ()

    def is_past(self, version: str) -> bool:
        """Whether the photo is another one now: it counts no longer."""
        return self.version != version

    @property
    def is_done(self) -> bool:
        """Whether somebody has judged the photo, and nobody needs to look at it any more."""
        return self.verdict != "open"


class Decisions:
    """The decisions in the outputs' place of a batch. Safe from threads and from other processes."""

    def __init__(self, out: BlockingStorage) -> None:
        self._out = out

    def latest(self) -> Iterator[Decision]:
        """The last revision for every photo that has one, past ones included, in no particular order.

        Raises: StorageRefused for a file that is no decision.
        """
        last: dict[str, str] = {}
        for entry in self._out.list(DECISIONS):
            folder, _, name = entry.key.rpartition("/")
            if _number(name):
                last[folder] = max(last.get(folder, ""), name)
        for folder, name in last.items():
            yield self._read(f"{folder}/{name}")

    def of(self, source: str) -> Decision | None:
        """The last revision for a photo; None where nobody has decided anything."""
        return next(iter(self.history(source)), None)

    def history(self, source: str) -> Iterator[Decision]:
        """All revisions for a photo, the last one first."""
        folder = _folder(source)
        names = {posixpath.basename(entry.key) for entry in self._out.list(folder)}
        for name in sorted(filter(_number, names), reverse=True):
            yield self._read(f"{folder}/{name}")

    def add(self, decision: Decision) -> None:
        """Write a revision down.

        Raises
        ------
        ConflictError
            Somebody else has written this revision meanwhile. Its field `revision` is the one that came first.
        """
        key = f"{_folder(decision.source)}/{decision.revision:06d}.json"
        data = json.dumps({"form": _FORM, **asdict(decision)}, indent=1).encode() + b"\n"
        if not self._out.create(key, data, "application/json"):
            raise self.conflict(decision.source)

    def conflict(self, source: str) -> ConflictError:
        """The error for a decision that was made on what is no longer the last one."""
        first = self.of(source)
        whose = "Somebody" if first is None else first.by or "Somebody"
        when = "" if first is None else f" at {first.at[11:16]} UTC"
        return ConflictError(
            f"{whose} has decided about {source} meanwhile{when}.",
            hint="Look at what was decided, and decide again if need be.",
            source=source,
            by=None if first is None else first.by,
            at=None if first is None else first.at,
            revision=0 if first is None else first.revision,
        )

    def _read(self, key: str) -> Decision:
        data = self._out.get(key)
        try:
            return _decision(json.loads(data))
        except (ValueError, KeyError, TypeError) as error:
            raise StorageRefused(
                f"{self._out.name}/{key} holds no decision of a review.",
                hint="Remove the file, and decide again; or update packshot, if a newer one wrote it.",
            ) from error


def new_matte_key(source: str, revision: int) -> str:
    """Where the matte of a correction is kept that is about to become a revision; another key for each call."""
    return f"{_folder(source)}/{revision:06d}-{uuid.uuid4().hex[:8]}.png"


def pair_keys(source: str, *, clashes: bool) -> tuple[str, str]:
    """Where the last correction's photo and matte are kept for learning.

    clashes: another photo has this key but for its ending; then the whole name is the stem of both.
    """
    photo = f"{source}{posixpath.splitext(source)[1]}" if clashes else source
    return f"{PHOTOS}/{photo}", f"{MATTES}/{source if clashes else stem_of(source)}.png"


def _decision(said: Any) -> Decision:
    if said.pop("form") != _FORM or said["verdict"] not in VERDICTS or not isinstance(said["revision"], int):
        raise ValueError(said)
    rows = tuple(dict(row) for row in said.pop("rows"))
    decision = Decision(**said, rows=rows)
    if not isinstance(decision.source, str) or not all(isinstance(text, str) for text in decision.options.values()):
        raise TypeError(said)
    return decision


def photo_id(source: str) -> str:
    """The name of a photo in folders of decisions and in addresses: 16 hex digits."""
    return hashlib.sha256(os.fsencode(source)).hexdigest()[:16]


def _folder(source: str) -> str:
    return f"{DECISIONS}/{photo_id(source)}"


def _number(name: str) -> int:
    """Of a revision, by its file's name; 0 for another file."""
    stem, dot, ending = name.partition(".")
    return int(stem) if dot and ending == "json" and len(stem) == 6 and stem.isdecimal() else 0
