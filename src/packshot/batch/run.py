"""A batch run: lists photos, skips finished outputs, makes the others, keeps a journal, writes a report."""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import packshot
from packshot.batch.catalogue import Catalogue, Summary
from packshot.batch.decisions import REVIEW, Decisions
from packshot.batch.even import Look, decide_look, even_framing, fill_of, frames_itself
from packshot.batch.executors import Executor
from packshot.batch.journal import open_journal
from packshot.batch.listing import (
    Item,
    Naming,
    Photo,
    Placing,
    by_folder,
    categories_named,
    make_fingerprint,
    outputs_within,
    photos_in,
    photos_named,
    polls,
)
from packshot.batch.own_files import Siblings, is_marked, say_own
from packshot.batch.process import BatchSettings, Failure, Outcome, Outcomes, measure
from packshot.batch.progress import Progress, duration
from packshot.batch.report import write_report
from packshot.batch.report.page import RunFacts
from packshot.batch.times import now
from packshot.core.codecs.formats import BY_SUFFIX
from packshot.core.geometry import Size
from packshot.core.options import Options
from packshot.engine.presets import find_preset, recipes_for
from packshot.errors import (
    BadSettings,
    ChecksumMismatch,
    InvalidOption,
    ModelMissing,
    PackshotError,
    SetupError,
    StorageError,
    StorageFull,
    StorageRefused,
    StoreUnavailable,
)
from packshot.storage.base import Entry
from packshot.storage.blocking import open_storage

T = TypeVar("T")

REPORT = "packshot-report"
_SETUP = {kind.slug: kind for kind in (SetupError, BadSettings, ModelMissing, ChecksumMismatch)}
Refused = dict[str, dict[str, Outcome]]
"""Outputs that fail before processing, by photo and by output."""

GIVE_UP_AFTER_S = 300.0
"""Seconds without a storage success after which a run stops. Otherwise a million failing photos would take days."""


@dataclass(frozen=True)
class Task:
    """The work of a run.

    namings: naming rules of the outputs, in the order of the recipes. manifest: lines with keys, instead of a listing.
    report: place for the report; None for no report. force: make finished outputs again, and replace files that
    packshot did not make. watch: process new photos in the folder until stopped. even: make an even catalogue, with
    one category per folder, or per value of the manifest's `column`.
    """

    settings: BatchSettings
    namings: tuple[Naming, ...]
    manifest: Iterable[str] | None = None
    report: str | None = None
    force: bool = False
    watch: bool = False
    even: bool = False
    column: str | None = None


def run(task: Task, executor: Executor, stop: threading.Event, progress: Progress) -> Summary:
    """Run a task. Returns when all is done, or soon after `stop` is set; without a report if the listing was cut off.

    Raises
    ------
    InvalidOption
        Two photos would become the same output; or another process works on the same folder.
    SetupError, StorageError
        A place cannot be read or written.
    """
    batch = _Batch(task, executor, stop, progress)
    try:
        batch.prepare()
        for entries in batch.rounds():
            batch.round(entries)
            if batch.trouble or not batch.listed:
                break
        progress.end()
        if batch.listed and batch.found and batch.measured:
            batch.report()
        return batch.summary()
    except sqlite3.OperationalError as error:  # only the catalogue uses SQLite here
        raise StorageFull(
            f"The batch's temporary tables cannot be written: {error}.",
            hint="Free space in /var/tmp, or set SQLITE_TMPDIR to another folder. Run the same command to continue.",
        ) from error
    finally:
        batch.journal.close()
        batch.catalogue.close()
        batch.siblings.close()


class _Batch:
    """State and parts of one run."""

    def __init__(self, task: Task, executor: Executor, stop: threading.Event, progress: Progress) -> None:
        self.task, self.executor, self.stop, self.progress = task, executor, stop, progress
        self.photos, self.out = open_storage(task.settings.photos), open_storage(task.settings.out)
        self.inside = outputs_within(self.photos, self.out)
        self.reports = None if task.report is None else open_storage(task.report)
        self.journal = open_journal(self.out)
        self.catalogue, self.siblings = Catalogue(), Siblings()
        self.since, self.seconds = time.time(), 0.0
        self.found = self.own = self.done = self.made = 0
        self.listed = True
        self.trouble: PackshotError | None = None
        self.reported, self.measured = False, True
        self._storage_worked = time.monotonic()

    def prepare(self) -> None:
        """Read the journal, and add a line for the start of this run."""
        self.progress.begin(f"Looking for photos in {self.photos.name}")
        for row in self._until_stopped(self.journal.lines()):
            if "run" in row:
                self.since = min(self.since, row["run"]["since"])
            elif "measured" in row:
                self.catalogue.measured(**row["measured"])
            elif "again" in row:
                self.catalogue.again(**row["again"])
            elif "fingerprint" in row:
                self.catalogue.remember(row)
        self._take_in_decisions()
        self.out.remove_leftovers()
        if self.out.folder is None:
            for entry in self._until_stopped(self.out.list()):
                self._take_in(entry)
        self.journal.add({"run": {"since": self.since, **self._about()}})

    def _take_in_decisions(self) -> None:
        """Read the decisions of people in reviews of this batch."""
        count = 0
        for decision in self._until_stopped(Decisions(self.out).latest()):
            self.catalogue.decide(decision)
            count += 1
        if count:
            photos = "1 photo" if count == 1 else f"{count:,} photos"
            self.progress.say(f"Using review decisions about {photos}: {self.out.name}/{REVIEW}")

    def rounds(self) -> Iterator[Iterable[tuple[Entry, str]]]:
        """The photos of each round with their categories. One round, or with --watch a round per poll of the folder."""
        if self.task.manifest is not None and self.task.column is not None:
            rows = categories_named(self.task.manifest, self.task.column)
            yield (
                (entry, category)
                for line, category in rows
                for entry in photos_named(self.photos, [line], self.progress.say)
            )
        elif self.task.manifest is not None:
            yield by_folder(photos_named(self.photos, self.task.manifest, self.progress.say))
        elif not self.task.watch:
            yield by_folder(photos_in(self.photos, but=self.inside))
        else:
            self.progress.say(f"Watching {self.photos.name}. Press Ctrl-C to stop.")
            yield from map(by_folder, polls(self.photos, self.stop, but=self.inside))

    def round(self, entries: Iterable[tuple[Entry, str]]) -> None:
        """Make the missing outputs of one round."""
        self.catalogue.round += 1
        refused: Refused = {}
        self._want(entries, refused)
        own = self._pass_over_own()
        found = self.catalogue.found()
        if not self.listed or (self.task.watch and not found):
            self.listed |= self.task.watch  # with --watch, earlier rounds still count
            return
        self.found, self.own = self.found + found, self.own + own
        if self.task.force:
            self._forget()
        self._refuse(refused)
        if self.task.even and not self._even(refused):
            return
        # If all missing outputs of a photo are refused, the photo is done.
        done = {
            source: refused[source] for source in refused if self.catalogue.missing(source) <= refused[source].keys()
        }
        todo = self.catalogue.unfinished() - sum(bool(self.catalogue.missing(source)) for source in done)
        self.progress.say(self._say_found(found, found - todo - len(done), own))
        self.progress.start(todo + len(done))
        started = time.perf_counter()
        try:
            for outcomes in done.values():
                self._take(tuple(outcomes.values()))
            for made in self.executor.outcomes(self._todo(refused), self.task.settings, self.stop):
                self._take((*refused.get(made[0].item.source, {}).values(), *made))
                self.done += 1
                self.made += all(outcome.failure is None for outcome in made)
        except PackshotError as error:  # stalled cluster or unwritable journal: still write the report
            self.trouble = error
        self.seconds += time.perf_counter() - started
        if self.task.watch:
            self.report()

    def _even(self, refused: Refused) -> bool:
        """Measure unmeasured photos, and decide the placing of each picture. Returns False if stopped.

        Photos that cannot be measured are added to `refused`.
        """
        missing = self.catalogue.to_measure()
        if missing:
            self.progress.say(f"{missing:,} photo{'s' * (missing > 1)} to measure first.")
            self.progress.start(missing)
        photos = (photo for photo in self.catalogue.unmeasured() if photo.source not in refused)
        try:
            for outcomes in self.executor.outcomes(photos, self.task.settings, self.stop, measure):
                self._take_measured(outcomes, refused)
        except PackshotError as error:
            self.trouble = error
        if self.stop.is_set() or self.trouble:
            self.measured = False
            return False
        settings = self.task.settings
        recipes = recipes_for(settings.options)
        partial_list = self.task.manifest is not None and self.task.column is None
        for category in self.catalogue.categories():
            products = self.catalogue.products(category, all_known=partial_list)
            for naming, recipe in zip(self.task.namings, recipes, strict=True):
                rules = () if recipe.preset is None else find_preset(recipe.preset).rules
                framing = even_framing(recipe.framing, settings.options)
                look = decide_look(framing, rules, products) if len(products) else None
                self.catalogue.place_all(category, naming.place, partial(self._place, category, look, naming))
        for category, count in self.catalogue.drawn_again().items():
            name = category or self.photos.name
            pictures = "1 picture is" if count == 1 else f"{count:,} pictures are"
            self.progress.say(f"{name}: {pictures} made again, because the look of the category has changed.")
        return True

    def _place(
        self, category: str, look: Look | None, naming: Naming, item: Item, product: Size
    ) -> tuple[str, Placing]:
        """Fingerprint and placing of a picture of an even catalogue."""
        if look is None:  # people have framed all photos of the category
            recipe = recipes_for(self.task.settings.options)[naming.place]
            look = decide_look(even_framing(recipe.framing, self.task.settings.options), (), [product])
        fill, off = fill_of(look, product)
        placing = Placing(*look.size, round(fill, 6), look.max_upscale, category, off or "", item.fingerprint)
        decided = self.catalogue.decided(item.source, item.version)
        key = placing.options_key(naming.options_key)
        return make_fingerprint(item.source, item.version, key, naming.network, decided), placing

    def _take_measured(self, outcomes: Outcomes, refused: Refused) -> None:
        for outcome in outcomes:
            if outcome.made is None:
                refused.setdefault(outcome.item.source, {})[outcome.item.output] = outcome
                self._look_for_trouble(outcome.failure)
                continue
            own = self.catalogue.own_options(outcome.item)
            row: dict[str, Any] = {
                "source": outcome.item.source,
                "measure": self._measure_name(outcome.item.source, outcome.item.version),
                "category": self.catalogue.category(outcome.item.source),
                "facts": outcome.made,
                "decides": not frames_itself(own),
            }
            self.journal.add({"measured": row})
            self.catalogue.measured(**row)
            self._look_for_trouble(None)
        self.progress.step(replace(outcomes[0], failure=None))  # failures are reported with the pictures

    def _measure_name(self, source: str, version: str) -> str:
        """Fingerprint of all that a photo's matte and box depend on."""
        said = self.task.settings.options
        key = Options(roi=said.roi, touch_up=said.touch_up, rotate=said.rotate).key()
        return make_fingerprint(
            source, version, key, self.task.namings[0].network, self.catalogue.decided(source, version)
        )

    def _todo(self, refused: Refused) -> Iterator[Photo]:
        """The round's photos with the outputs to make."""
        for photo in self.catalogue.todo():
            if items := tuple(item for item in photo.items if item.output not in refused.get(photo.source, {})):
                yield replace(photo, items=items)

    def summary(self) -> Summary:
        return Summary(
            self.catalogue.counts(),
            now=self.done,
            made_now=self.made,
            seconds=self.seconds,
            own=self.own,
            listed=self.listed,
            trouble=self.trouble,
            reported=self.reported,
            measured=self.measured,
        )

    def report(self) -> None:
        """Write the report. If that fails, an earlier error takes precedence."""
        if self.reports is None:
            return
        facts = RunFacts(self.photos.url, self.out.url, self._about(), self.summary())
        try:
            write_report(self.catalogue, self.reports, facts)
        except StorageError as error:
            self.trouble = self.trouble or error
            self.reported = False
        else:
            self.reported = True
        self.reports.remove_leftovers()

    def _want(self, entries: Iterable[tuple[Entry, str]], refused: Refused) -> None:
        """Add a round's photos to the catalogue. Photos that cannot be read are refused."""
        there = _Names(self.out.folder)
        looks = self.task.manifest is None and self.photos.folder is not None
        for count, (entry, category) in enumerate(self._until_stopped(entries), 1):
            decided = self.catalogue.decided(entry.key, entry.version)
            measure_name = self._measure_name(entry.key, entry.version) if self.task.even else ""
            for naming in self.task.namings:
                item = naming.item(entry, decided)
                if entry.fault:
                    error = f"The photo cannot be read: {entry.fault}."
                    _refuse(refused, item, StorageRefused(error, hint="Check its name and permissions."))
                self.catalogue.want(item, category, measure_name)
                if there.may_hold(item.output):
                    with contextlib.suppress(
                        StorageRefused
                    ):  # an invalid key in a manifest fails later, when it is made
                        self._take_in(self.out.find(item.output))
            if looks and not entry.fault:
                self.siblings.add(entry.key)
            self.progress.listing(count)

    def _until_stopped(self, entries: Iterable[T]) -> Iterator[T]:
        """The entries, until a stop. A stop marks the listing as incomplete, and then no work begins."""
        for entry in entries:
            if self.stop.is_set():
                self.listed = False
                return
            yield entry

    def _pass_over_own(self) -> int:
        """Remove photos that are packshot's own outputs of other photos. Returns their number.

        In folders only: `packshot remove` never writes to a bucket, and each check there would be a request.
        """
        folder, looks, count = self.photos.folder, itertools.count(1), 0

        def is_own(key: str) -> bool:
            self.progress.looking(next(looks))
            return not self.stop.is_set() and folder is not None and is_marked(folder / key)

        for key in self._until_stopped(self.siblings.own_outputs(is_own)):
            self.catalogue.unwant(key)
            count += 1
        self.listed &= not self.stop.is_set()
        return count

    def _forget(self) -> None:
        """Mark existing outputs as to be made again.

        The journal stores the marks, so that the next run continues a stopped one without --force.
        """
        at = now()
        for source, output in self.catalogue.present():
            self.journal.add({"again": {"source": source, "output": output, "at": at}})
            self.catalogue.again(source, output, at)

    def _say_found(self, count: int, finished: int, own: int) -> str:
        photos = "1 photo" if count == 1 else f"{count:,} photos"
        if not count and self.task.manifest is None:
            photos = f"{self.photos.name} contains no photos: no name ends in {', '.join(sorted(BY_SUFFIX))}"
        before = f", {finished:,} of them finished before" if finished else ""
        passed_over = f"; {say_own(own, 'more ')}" if own else ""
        return f"{photos}{before}{passed_over}."

    def _take_in(self, entry: Entry | None) -> None:
        if entry is not None and entry.size_bytes:  # an empty file does not count: a power cut may leave one
            self.catalogue.is_there(entry.key, entry.modified)

    def _refuse(self, refused: Refused) -> None:
        """Find the outputs that fail before processing."""
        clashes = list(self.catalogue.clashes())
        if clashes and not self.task.watch:
            raise _clash(*clashes[0], len({item.source for item, _ in clashes}))
        if not self.task.force:
            for item in self.catalogue.strangers(self.since):
                _refuse(refused, item, _taken(item))
        for item, other in clashes:
            _refuse(refused, item, _clash(item, other))

    def _take(self, outcomes: Outcomes) -> None:
        """Record the outcomes of a photo, first in the journal, then in the catalogue."""
        for outcome in outcomes:
            row = outcome.row()
            self.journal.add(row)
            self.catalogue.remember(row)
            if outcome.failure is None:
                self.catalogue.is_there(outcome.item.output, time.time())
            self._look_for_trouble(outcome.failure)
        self.progress.step(max(outcomes, key=lambda outcome: outcome.failure is not None))

    def _look_for_trouble(self, failure: Failure | None) -> None:
        """Stop the run if no photo can be made: wrong setup, or storage unreachable or full."""
        if failure is not None and failure.slug in _SETUP:
            self.trouble = _SETUP[failure.slug](failure.message, hint=failure.hint)
        if failure is not None and failure.slug == StorageFull.slug:
            self.trouble = StorageFull(failure.message, hint=f"{failure.hint} Then run the same command to continue.")
        if failure is None or failure.slug != StoreUnavailable.slug:
            self._storage_worked = time.monotonic()
        elif (away_s := time.monotonic() - self._storage_worked) > GIVE_UP_AFTER_S:
            self.trouble = StoreUnavailable(
                f"Storage has failed for {duration(away_s)}: {failure.message}",
                hint="Run the same command to continue when storage works again.",
            )
        if self.trouble:
            self.stop.set()

    def _about(self) -> dict[str, object]:
        settings = self.task.settings
        options = settings.options.given()
        return {
            "at": now(),
            "options": {name: "a file" if isinstance(value, bytes) else value for name, value in options.items()},
            "options_key": self.task.namings[0].options_key,
            **({"even": self.task.column or "folder"} if self.task.even else {}),
            "presets": [recipe.preset for recipe in recipes_for(settings.options) if recipe.preset is not None],
            "photos": self.photos.url,
            "network": self.task.namings[0].network,
            "packshot": packshot.__version__,
        }


def _refuse(refused: Refused, item: Item, error: PackshotError) -> None:
    refused.setdefault(item.source, {}).setdefault(item.output, Outcome(item, failure=Failure.of(error)))


class _Names:
    """Cached file names per folder. Saves a lookup per output: most outputs of a first run do not exist."""

    _KEPT = 64  # listings; enough for a photo's folder and its parents

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._known: dict[str, frozenset[str] | None] = {}

    def may_hold(self, key: str) -> bool:
        """Whether the file exists. True also if the folder cannot be listed; always False for a bucket."""
        if self._folder is None:
            return False
        below, _, name = key.rpartition("/")
        if below not in self._known:
            if len(self._known) == self._KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[below] = self._listed(self._folder / below)
        names = self._known[below]
        return names is None or name in names

    def _listed(self, folder: Path) -> frozenset[str] | None:
        try:
            return frozenset(os.listdir(folder))  # noqa: PTH208 - names only: Path objects take ten times as long
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError):
            return None


def _clash(item: Item, other: str, count: int = 1) -> InvalidOption:
    more = f", and {count - 1:,} more pair{'s' * (count > 2)} like this" if count > 1 else ""
    return InvalidOption(
        f"{other} and {item.source} would both become {item.output}{more}.",
        hint="Rename one of each pair, or list the photos that you want in a --manifest.",
    )


def _taken(item: Item) -> InvalidOption:
    return InvalidOption(
        f"{item.output} exists already in OUT, and this batch did not make it.", hint="Use --force to replace it."
    )
