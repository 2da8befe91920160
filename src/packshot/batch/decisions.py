"""Decisions of people about the photos of a batch: append-only files in OUT/packshot-review.

    packshot-review/decisions/PHOTO/000001.json, 000002.json ...   PHOTO: 16 hex digits of the source key's SHA-256
    packshot-review/decisions/PHOTO/000002-XXXXXXXX.png            the corrected matte of a revision: 8 bits, gray
    packshot-review/photos/KEY, packshot-review/mattes/STEM.png    the last correction: photo as it was, and matte

A revision is created only if it does not exist. If two people decide at the same time, the second gets a conflict.
Each correction has its own matte file, so the second person's attempt changes nothing. photos/ and mattes/ are copies
for training: a folder of pairs in the format of the evaluation.

A batch reads `latest()` and ignores past decisions. It makes a photo whose decision has `made` > 0 with `matte`
(through `Mattes` of engine/job.py; None: the network's matte), and with `options` over those of the run, for every
verdict. `made` is part of the fingerprint of the photo's items (listing.make_fingerprint). The batch adds `rows` like
lines of the journal. It ignores a row if the journal has a later line (`at`) for the output, which was made with the
decision.
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
"""Version of the file format. Other versions are rejected."""


@dataclass(frozen=True)
class Decision:
    """One revision of the decision about a photo.

    revision: counts from 1. source: the photo's key. version: the photo's, as in Entry; the decision is past when the
    photo has another version. at: time, ISO 8601 in UTC. by: name that the person entered. verdict: "open" withdraws
    the earlier decision. comment: for people.
    made: the last revision, up to this one, that changed the pictures; 0 if they are as the batch made them. matte,
    options and rows belong to that revision, and every later revision repeats them. matte: key in OUT of the corrected
    matte; None for the network's matte. options: for this photo only, by option name, as text. rows: the complete
    journal lines of the outputs made in that revision.
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
        """Whether the photo has changed since, so that the decision no longer counts."""
        return self.version != version

    @property
    def is_done(self) -> bool:
        """Whether the review of the photo is done."""
        return self.verdict != "open"


class Decisions:
    """The decisions in a batch's output place. Safe for use from several threads and processes."""

    def __init__(self, out: BlockingStorage) -> None:
        self._out = out

    def latest(self) -> Iterator[Decision]:
        """The last revision for every photo that has one, including past ones, in no particular order.

        Raises: StorageRefused for a file that is not a valid decision.
        """
        last: dict[str, str] = {}
        for entry in self._out.list(DECISIONS):
            folder, _, name = entry.key.rpartition("/")
            if _number(name):
                last[folder] = max(last.get(folder, ""), name)
        for folder, name in last.items():
            yield self._read(f"{folder}/{name}")

    def of(self, source: str) -> Decision | None:
        """The last revision for a photo; None if there is no decision."""
        return next(iter(self.history(source)), None)

    def history(self, source: str) -> Iterator[Decision]:
        """All revisions for a photo, newest first."""
        folder = _folder(source)
        names = {posixpath.basename(entry.key) for entry in self._out.list(folder)}
        for name in sorted(filter(_number, names), reverse=True):
            yield self._read(f"{folder}/{name}")

    def add(self, decision: Decision) -> None:
        """Store a revision.

        Raises
        ------
        ConflictError
            Another person has stored this revision in the meantime. The error's field `revision` is the stored one.
        """
        key = f"{_folder(decision.source)}/{decision.revision:06d}.json"
        data = json.dumps({"form": _FORM, **asdict(decision)}, indent=1).encode() + b"\n"
        if not self._out.create(key, data, "application/json"):
            raise self.conflict(decision.source)

    def conflict(self, source: str) -> ConflictError:
        """The error for a decision that is not based on the last revision."""
        first = self.of(source)
        whose = "Somebody" if first is None else first.by or "Somebody"
        when = "" if first is None else f" at {first.at[11:16]} UTC"
        return ConflictError(
            f"{whose} has decided about {source} in the meantime{when}.",
            hint="Look at that decision, and decide again if needed.",
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
                f"{self._out.name}/{key} is not a valid review decision.",
                hint="Remove the file and decide again. If a newer packshot wrote it, update packshot.",
            ) from error


def new_matte_key(source: str, revision: int) -> str:
    """A new key for the matte of a correction; different in each call."""
    return f"{_folder(source)}/{revision:06d}-{uuid.uuid4().hex[:8]}.png"


def pair_keys(source: str, *, clashes: bool) -> tuple[str, str]:
    """The keys of the training copies (photo, matte) of the last correction.

    clashes: whether another photo differs only in its ending; then both stems contain the whole name.
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
    """The id of a photo in decision folders and URLs: 16 hex digits."""
    return hashlib.sha256(os.fsencode(source)).hexdigest()[:16]


def _folder(source: str) -> str:
    return f"{DECISIONS}/{photo_id(source)}"


def _number(name: str) -> int:
    """The number of a revision, from its file's name; 0 for other files."""
    stem, dot, ending = name.partition(".")
    return int(stem) if dot and ending == "json" and len(stem) == 6 and stem.isdecimal() else 0
