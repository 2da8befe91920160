"""The review of a batch: lists photos that need a person, stores decisions, makes pictures again after corrections.

A correction computes the matte with the network and the painted touch-up, and stores the matte in 8 bits. All pictures
of the photo are made from the 8-bit matte. So a later run of the batch makes the same bytes from the stored matte.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Literal

from packshot.batch.decisions import Decision, Decisions, Verdict, new_matte_key, pair_keys, photo_id
from packshot.batch.journal import journal_version, read_journal
from packshot.batch.mattes import given, read_matte
from packshot.batch.own_files import stem_of, thumbnail_key
from packshot.batch.printable import printable
from packshot.batch.process import MAX_PHOTO_BYTES, Row, shared_network, thumbnail
from packshot.batch.review.making import (
    laid_over,
    output_recipe,
    own_options,
    remade_row,
)
from packshot.batch.review.photos import Lines, Shown, last_lines, make_shown
from packshot.core import codecs
from packshot.core.codecs import FORMATS, LIBRARY_LIMITS
from packshot.core.codecs.software import PACKSHOT
from packshot.core.options import Options
from packshot.core.picture import UInt8, to_uint8
from packshot.core.recipe import Framing, Recipe
from packshot.engine.job import make_job
from packshot.engine.network import Network
from packshot.engine.pipeline import run, run_all
from packshot.engine.presets import recipe_for
from packshot.engine.result import Result
from packshot.errors import (
    ConflictError,
    FileMissing,
    FileTooLarge,
    InvalidOption,
    PackshotError,
    PhotoUnknown,
    StorageError,
    StorageRefused,
)
from packshot.storage.blocking import BlockingStorage, open_storage

PREVIEW_PX = 1500
LONGEST_NAME, LONGEST_COMMENT = 80, 1000
_REPORT = "packshot-report"
_KEPT_MATTES = 8
_FOR_BROWSERS = frozenset({"jpeg", "png", "webp", "avif"})


@dataclass(frozen=True)
class _Change:
    """The change that a decision makes to a photo's pictures.

    matte: uint8 (H, W); None for the network's. painted: the touch-up used for the matte, a gray PNG. options: the
    photo's own options.
    """

    matte: UInt8 | None
    painted: bytes | None
    options: Mapping[str, str]


class Review:
    """The review of one output place. Thread-safe; other processes may review the same place."""

    def __init__(
        self,
        out: BlockingStorage,
        *,
        photos: str | None = None,
        model: str | None = None,
        device: Literal["cpu", "cuda"] = "cpu",
        threads: int = 1,
    ) -> None:
        """photos: the place of the photos, overrides the journal's. model: None for the batch's model."""
        self.out, self.decisions = out, Decisions(out)
        self._photos, self._model, self._device, self._threads = photos, model, device, threads
        self._lock, self._working = threading.Lock(), defaultdict[str, threading.Lock](threading.Lock)
        self._journal: tuple[tuple[str, ...], dict[str, Lines]] = ((), {})
        self._mattes: OrderedDict[str, UInt8] = OrderedDict()

    def photos(self) -> list[Shown]:
        """All photos of the batch in their current state; photos to review first."""
        lines, decided = self._lines(), {decision.source: decision for decision in self.decisions.latest()}
        return sorted((make_shown(rows, decided.get(source)) for source, rows in lines.items()), key=Shown.order)

    def find(self, name: str) -> Shown:
        """The current state of the photo with an id. Raises: PhotoUnknown."""
        source = next((source for source in self._lines() if photo_id(source) == name), None)
        if source is None:
            raise PhotoUnknown("This batch has no such photo.", hint="Load the page again.")
        return self._now(source)

    def photo(self, shown: Shown) -> tuple[bytes, str]:
        """A photo in a format that browsers can show, and its media type. Raises: StorageError, InputError."""
        data = self._bytes_of(shown)
        header = codecs.probe(data, LIBRARY_LIMITS)
        if header.format in _FOR_BROWSERS:
            return data, FORMATS[header.format].media_type
        picture = codecs.read(data, header)
        return codecs.encode(picture.rgb, format="jpeg", quality=92), "image/jpeg"

    def output(self, shown: Shown, place: int) -> tuple[bytes, str]:
        """The picture of `shown.rows[place]`, and its media type. Raises: PhotoUnknown, StorageError."""
        row = shown.rows[place] if 0 <= place < len(shown.rows) else None
        if row is None or not row["ok"]:
            raise PhotoUnknown("This photo has no such picture.", hint="Load the page again.")
        return self.out.get(row["output"]), row["media_type"]

    def preview(self, shown: Shown, touch_up: bytes | None) -> bytes:
        """A cutout of the whole photo with the current touch-up: a WebP, at most PREVIEW_PX on the longest side."""
        data, decision = self._bytes_of(shown), shown.in_force
        matte = None if touch_up is not None or decision is None else self._kept(decision)
        if matte is None:
            painted = laid_over(self._painted(decision), touch_up)
            matte = self._find_matte(shown, data, painted, _options_of(decision))
        recipe = recipe_for(Options(form="cutout", format="webp", quality=80, max_px=PREVIEW_PX))
        return run(make_job(data, recipe), self._network(shown), mattes=given(matte)).data

    def judge(self, shown: Shown, verdict: Verdict, *, by: str, comment: str = "") -> Shown:
        """Store a decision about a photo, without changing its pictures.

        Raises: ConflictError if another person has decided since `shown` was read; InvalidOption.
        """
        if verdict not in {"good", "photograph-again", "open"}:
            raise InvalidOption(f"verdict is {verdict!r:.40}.", hint="Give good, photograph-again or open.")
        decision = self._next(shown, verdict, by, comment)
        self.decisions.add(decision)
        return self._now(shown.source)

    def correct(self, shown: Shown, touch_up: bytes, *, by: str, comment: str = "") -> Shown:
        """Correct the matte with a touch-up, painted over earlier touch-ups, and make all pictures again.

        Raises
        ------
        ConflictError
            Another person has decided since `shown` was read, or the photo was replaced. Nothing was changed.
        InvalidOption
            The touch-up cannot be read, or the pictures cannot be made again. The message says why.
        NoForeground
            The corrected matte is empty.
        """
        decision, options = self._next(shown, "corrected", by, comment), _options_of(shown.in_force)
        with self._work_on(shown):
            data, painted = self._bytes_of(shown), laid_over(self._painted(shown.in_force), touch_up)
            matte = self._find_matte(shown, data, painted, options)
            return self._remake(shown, data, decision, _Change(matte, painted, options))

    def again(self, shown: Shown, options: Mapping[str, str], *, by: str, comment: str = "") -> Shown:
        """Make all pictures of a photo again with its own options: from AGAIN, as text; empty for the batch's.

        Raises: as `correct`.
        """
        wanted, decision = own_options(options), self._next(shown, "again", by, comment)
        with self._work_on(shown):
            data, before = self._bytes_of(shown), shown.in_force
            matte, painted = None, self._painted(before)
            if before is not None and before.matte is not None:
                same = before.options.get("roi") == wanted.get("roi")
                matte = self._kept(before) if same else self._find_matte(shown, data, painted, wanted)
            return self._remake(shown, data, decision, _Change(matte, painted, wanted))

    def restore(self, shown: Shown, revision: int, *, by: str) -> Shown:
        """Restore the decision of an earlier revision; 0 restores the pictures of the batch.

        Raises: as `correct`, and PhotoUnknown if the revision does not exist.
        """
        with self._work_on(shown):
            earlier = next((each for each in self.decisions.history(shown.source) if each.revision == revision), None)
            if revision and earlier is None:
                raise PhotoUnknown("This photo has no such decision.", hint="Load the page again.")
            if earlier is None or earlier.is_past(shown.version):
                earlier = Decision(0, shown.source, shown.version, "open", by)
            decision = self._next(shown, earlier.verdict, by, earlier.comment)
            if (decision.matte, decision.options) == (earlier.matte, earlier.options):
                self.decisions.add(decision)
                return self._now(shown.source)
            change = _Change(self._kept(earlier), self._painted(earlier), earlier.options)
            return self._remake(shown, self._bytes_of(shown), decision, change)

    def settle(self, shown: Shown) -> Shown:
        """Make missing pictures of the current decision, after a process was killed before it wrote them."""
        decision = shown.in_force
        if decision is None or not decision.rows or not self.lacks(shown):
            return shown
        with self._locked(shown.source):
            data = self._bytes_of(shown)
            results = self._draw(shown, data, _Change(self._kept(decision), None, decision.options))
            for row, result in zip(shown.rows, results, strict=True):
                self.out.put(row["output"], result.data, result.media_type)
        return shown

    def warm(self) -> None:
        """Load the network of the batch, so that the first correction does not wait for it."""
        with suppress(PackshotError):
            for rows in self._lines().values():
                _, ran = next(iter(rows.values()))
                shared_network(self._model or ran.network.partition("@")[0], self._device, self._threads)
                return

    # Reading

    def _lines(self) -> dict[str, Lines]:
        """The journal's last line for each photo and output. Reads the journal only if it has changed."""
        with self._lock:
            version = journal_version(self.out)
            if not version:
                raise StorageRefused(
                    f"{self.out.name} contains no batch.", hint="Give the OUT folder of a finished `packshot batch`."
                )
            if self._journal[0] != version:
                self._journal = version, last_lines(read_journal(self.out))
            return self._journal[1]

    def _now(self, source: str) -> Shown:
        return make_shown(self._lines()[source], self.decisions.of(source))

    def _bytes_of(self, shown: Shown) -> bytes:
        """A photo's bytes. Raises: ConflictError if the photo has changed since; FileMissing, FileTooLarge."""
        photos = self._place(shown)
        entry = photos.find(shown.source)
        if entry is None:
            raise FileMissing(
                f"{photos.name}/{printable(shown.source)} does not exist any more.", hint="Check whether it was moved."
            )
        if entry.version != shown.version:
            raise ConflictError(
                f"{printable(shown.source)} was replaced after the batch ran.",
                hint="Run the batch again to process the new photo, then continue the review.",
            )
        if entry.size_bytes > MAX_PHOTO_BYTES:
            raise FileTooLarge(
                f"The photo has {entry.size_bytes:,} bytes, which is too large.", hint="Check that it is a photo."
            )
        return photos.get(shown.source)

    def _place(self, shown: Shown) -> BlockingStorage:
        place = self._photos or next((ran.photos for ran in shown.runs if ran.photos), None)
        if place is None:
            raise InvalidOption(
                "The journal of this batch does not name the folder of the photos: an older packshot wrote it.",
                hint="Start the review with --photos IN.",
            )
        return open_storage(place)

    def _network(self, shown: Shown) -> Network:
        name = self._model or shown.runs[0].network.partition("@")[0]
        return shared_network(name, self._device, self._threads)

    def _kept(self, decision: Decision) -> UInt8 | None:
        """The corrected matte of a decision; None if it has none."""
        return None if decision.matte is None else read_matte(self.out.get(decision.matte))

    def _painted(self, decision: Decision | None) -> bytes | None:
        """The touch-up of a decision's corrected matte; None if there is none."""
        if decision is None or decision.matte is None:
            return None
        with suppress(FileMissing):
            return self.out.get(_painted_key(decision.matte))
        return None

    def _find_matte(self, shown: Shown, data: bytes, painted: bytes | None, options: Mapping[str, str]) -> UInt8:
        """The matte from the network and the touch-up: uint8 (H, W), of the upright photo. Caches the last few."""
        name = json.dumps(
            [shown.source, shown.version, options.get("roi"), painted and hashlib.sha256(painted).hexdigest()]
        )
        with self._lock:
            if (known := self._mattes.get(name)) is not None:
                return known
        roi = Options.from_fields({"roi": options["roi"]}).meaning("roi") if "roi" in options else None
        # Only the full-size matte is used, so the picture itself can be small.
        recipe = Recipe(form="mask", framing=Framing(max_px=64), roi=roi, touch_up=painted)
        matte = to_uint8(run(make_job(data, recipe), self._network(shown), keep_matte=True).matte)
        with self._lock:
            self._mattes[name] = matte
            while len(self._mattes) > _KEPT_MATTES:
                self._mattes.popitem(last=False)
        return matte

    # Changing

    @contextmanager
    def _locked(self, source: str) -> Iterator[None]:
        with self._lock:
            lock = self._working[source]
        with lock:
            yield

    @contextmanager
    def _work_on(self, shown: Shown) -> Iterator[None]:
        """Lock a photo. Raises: ConflictError, before any work, if another person has decided meanwhile."""
        with self._locked(shown.source):
            last = self.decisions.of(shown.source)
            if (0 if last is None else last.revision) != shown.revision:
                raise self.decisions.conflict(shown.source)
            yield

    def _next(self, shown: Shown, verdict: Verdict, by: str, comment: str) -> Decision:
        """The next revision, which keeps the current pictures."""
        if not by.strip() or len(by) > LONGEST_NAME:
            raise InvalidOption(
                "A decision needs the name of a person.", hint=f"Give a name of at most {LONGEST_NAME} characters."
            )
        if len(comment) > LONGEST_COMMENT:
            raise InvalidOption("The comment is too long.", hint=f"Use at most {LONGEST_COMMENT:,} characters.")
        new = Decision(shown.revision + 1, shown.source, shown.version, verdict, by.strip(), comment=comment)
        if (last := shown.in_force) is None:
            return new
        return replace(new, matte=last.matte, options=last.options, made=last.made, rows=last.rows)

    def _remake(self, shown: Shown, data: bytes, decision: Decision, change: _Change) -> Shown:
        """Make all pictures, store the decision, then replace the pictures. On a conflict, no picture changes."""
        results = self._draw(shown, data, change)
        as_batch = change.matte is None and not change.options
        made_by, key = 0 if as_batch else decision.revision, None
        if change.matte is not None:
            key = new_matte_key(shown.source, decision.revision)
            self.out.put(key, codecs.encode(change.matte, format="png"), "image/png")
            if change.painted is not None:
                self.out.put(_painted_key(key), change.painted, "image/png")
        rows = [
            self._with_thumbnail(
                old, remade_row(old, ran, output_recipe(old, ran, change.options), result, made_by), result
            )
            for old, ran, result in zip(shown.rows, shown.runs, results, strict=True)
        ]
        self.decisions.add(replace(decision, matte=key, options=dict(change.options), made=made_by, rows=tuple(rows)))
        for row, result in zip(rows, results, strict=True):
            self.out.put(row["output"], result.data, result.media_type)
        self._keep_pair(shown, data, key)
        return self._now(shown.source)

    def _draw(self, shown: Shown, data: bytes, change: _Change) -> list[Result]:
        network, mattes = self._network(shown), None if change.matte is None else given(change.matte)
        return list(run_all(make_job(data, _recipes(shown, change.options)), network, software=PACKSHOT, mattes=mattes))

    def lacks(self, shown: Shown) -> bool:
        """Whether pictures of the last decision are missing or incomplete."""
        decided = {row["output"]: row for row in shown.in_force.rows} if shown.in_force else {}
        for row in shown.rows:
            if decided.get(row["output"]) is row:
                entry = self.out.find(row["output"])
                if entry is None or entry.size_bytes != row["bytes"]:
                    return True
        return False

    def _keep_pair(self, shown: Shown, data: bytes, matte: str | None) -> None:
        """Store photo and matte as a training pair, or remove the pair if no correction is left."""
        stem = stem_of(shown.source)
        clashes = any(other != shown.source and stem_of(other) == stem for other in self._lines())
        photo_key, matte_key = pair_keys(shown.source, clashes=clashes)
        if matte is None:
            self.out.remove([photo_key, matte_key])
        else:
            self.out.put(photo_key, data, "application/octet-stream")
            self.out.put(matte_key, self.out.get(matte), "image/png")

    def _with_thumbnail(self, old: Row, row: Row, result: Result) -> Row:
        """The row with a new thumbnail, if the report is in its default folder."""
        names = old.get("thumbnails") or ()
        kept = [name for name in names if name.endswith("-photo.webp")]
        with suppress(StorageError):
            if names and self.out.find(f"{_REPORT}/{names[0]}") and (small := thumbnail(result.data)):
                name = thumbnail_key(row["fingerprint"], "output")
                self.out.put(f"{_REPORT}/{name}", small, "image/webp")
                kept.append(name)
        return {**row, "thumbnails": kept} if kept else row


def _options_of(decision: Decision | None) -> Mapping[str, str]:
    return {} if decision is None else decision.options


def _painted_key(matte_key: str) -> str:
    return f"{matte_key.removesuffix('.png')}-painted.png"


def _recipes(shown: Shown, options: Mapping[str, str]) -> tuple[Recipe, ...]:
    """The recipe of each of a photo's pictures."""
    return tuple(output_recipe(row, ran, options) for row, ran in zip(shown.rows, shown.runs, strict=True))
