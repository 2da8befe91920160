"""`packshot remove`: files, folders or stdin in; cutouts, masks and packshots out."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

import click

from packshot.cli import work_begins
from packshot.cli.errors import FileAccess, OutputExists, exit_code, read_input
from packshot.cli.interrupt import Stop, graceful
from packshot.cli.options import (
    PictureCommand,
    device_option,
    in_flags,
    model_option,
    picture_options,
    quiet_option,
    typed_arguments,
)
from packshot.cli.presets import report_lines
from packshot.cli.terminal import about, listing, refuse_terminal, say, say_json, write_stdout
from packshot.errors import InvalidOption, PackshotError, StorageFull

if TYPE_CHECKING:
    from packshot.cli.moving import MovingLine
    from packshot.cli.targets import Target
    from packshot.core.options import Options
    from packshot.core.recipe import Recipe
    from packshot.engine.result import Result
    from packshot.engine.session import Device

_PIPE = "packshot remove - < photo.jpg > cutout.png"
_A_LINE_EACH = 20
"""Most photos with a line each at a terminal. More share one moving line; failures and photos to review stay."""


@click.command(cls=PictureCommand)
@click.argument("inputs", nargs=-1, required=True, metavar="PHOTO|FOLDER|-... [OUT]")
@picture_options
@click.option(
    "-o",
    "--out",
    help="A file (its ending decides the format), a folder, or - for stdout.  [default: next to the photo]",
)
@click.option("-f", "--force", is_flag=True, help="Make outputs again that exist already.")
@quiet_option
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each output.")
@click.option("--jobs", type=click.IntRange(1), help="Photos processed at the same time.  [default: one per processor]")
@model_option
@device_option
def remove(
    inputs: tuple[str, ...],
    options: Options,
    out: str | None,
    force: bool,
    quiet: bool,
    as_json: bool,
    jobs: int | None,
    model: str | None,
    device: Device,
) -> None:
    """Remove the background of photos, or make packshots.

    \b
    packshot remove photo.jpg                       writes photo.png, a cutout
    packshot remove photo.jpg cutout.webp           writes that file, as with --out
    packshot remove photo.jpg --background white    writes photo-white.jpg
    packshot remove photo.jpg --preset amazon       writes photo-amazon.jpg and checks Amazon's rules
    packshot remove photo.jpg --preset amazon,etsy  writes photo-amazon.jpg and photo-etsy.jpg
    packshot remove photo.jpg --crop --margin 5%    writes photo-crop.png
    packshot remove photos/ --out cutouts/          a whole folder
    packshot remove - < photo.jpg > cutout.png      in a pipe

    Outputs that exist already are skipped, so a stopped run can continue; --force makes them again. A failed photo
    does not stop the others; the exit code is that of the first failure. A picture that breaks a rule of its preset
    is still written, and does not count as a failure. `packshot check` exits with 1 for broken rules.
    """
    from packshot.cli.targets import as_output, make_targets, naming, output_format, told_apart
    from packshot.engine.presets import recipes_for

    typed, named = typed_arguments(), inputs
    inputs, out = told_apart(inputs, out, typed=typed, force=force, has_format=options.format is not None)
    presets = len(options.meaning("preset") or (None,))
    recipes = recipes_for(replace(options, format=output_format(inputs, out, options.format, presets=presets)))
    with listing(quiet=quiet) as found:
        note = partial(say, err=True) if not quiet else lambda _line: None
        targets = make_targets(inputs, names=list(map(naming, recipes)), out=out, found=found, note=note)
    _refuse_bytes(targets, as_json=as_json)
    todo, there = _divided(targets, force=force)
    photos = [list(each) for _, each in groupby(todo, key=lambda target: target.name)]
    alone = len({target.name for target in targets}) == 1
    talk = _Talk(len(todo), quiet=quiet, as_json=as_json, alone=alone)
    talk.are_there(there, as_output(typed, named[1]) if len(inputs) < len(named) else typed)
    failures = []
    if todo:
        work, workers = _work(recipes, len(photos), force=force, as_json=as_json, jobs=jobs, model=model, device=device)
        with graceful() if len(photos) > 1 else contextlib.nullcontext() as stop:
            failures = _make(photos, work, workers, talk, stop)
            talk.end()
            if stop is not None and stop.signal:
                sys.exit(128 + stop.signal)
    else:
        talk.end()
    if failures and isinstance(failures[-1], StorageFull):
        raise failures[-1]  # the remaining photos would fail the same way
    if failures and not talk.alone:
        sys.exit(exit_code(failures[0]))  # each failure was printed with its photo
    if failures:
        raise failures[0]


def _refuse_bytes(targets: list[Target], *, as_json: bool) -> None:
    """Refuse to print a picture to a terminal or among JSON, and to read a photo from a terminal."""
    writes = any(target.path is None and not target.fault for target in targets)
    if writes and as_json:
        raise InvalidOption("--json and the picture cannot both go to stdout.", hint="Give --out FILE.", field="--json")
    names = [target.name for target in targets if target.source is not None]
    instead = f"packshot remove {shlex.quote(names[0])} --out cutout.png" if names else _PIPE
    refuse_terminal(reads=len(names) < len(targets), writes=writes, instead=instead)


def _divided(targets: list[Target], *, force: bool) -> tuple[list[Target], list[Target]]:
    """The targets to make, and the targets that exist already."""
    todo: list[Target] = []
    there: list[Target] = []
    for target in targets:
        try:
            is_there = not force and target.is_made()
        except OutputExists:
            is_there = False  # the error is raised when the photo is processed
        (there if is_there else todo).append(target)
    return todo, there


def _work(
    recipes: tuple[Recipe, ...],
    count: int,
    *,
    force: bool,
    as_json: bool,
    jobs: int | None,
    model: str | None,
    device: Device,
) -> tuple[Work, int]:
    """Load the network. Returns the function that processes one photo, and the number of threads for `count` photos."""
    from concurrent.futures import ThreadPoolExecutor

    from packshot.engine.process import keep_memory, tune_process

    # One photo uses all processors. Several photos get one processor each, which is a third faster overall.
    workers = min(jobs or os.cpu_count() or 1, count)
    threads = 1 if workers > 1 else os.cpu_count() or 1
    if workers > 1:
        tune_process()
    else:
        keep_memory()

    # The runtime loads for 0.15 s without the GIL; meanwhile the main thread imports the rest of the pipeline. The
    # loading thread imports nothing: two threads that import one package at the same time may break the import.
    import onnxruntime  # noqa: F401

    from packshot.engine.network import load_network

    with ThreadPoolExecutor(1) as beside:
        loading = beside.submit(load_network, model, threads=threads, device=device)
        from packshot.core.codecs import encode  # noqa: F401 - later it would be imported while the photo waits
        from packshot.core.codecs.software import PACKSHOT
        from packshot.engine.job import make_job
        from packshot.engine.pipeline import run_all

        network = loading.result()
    work_begins()

    def work(targets: list[Target]) -> list[Made]:
        photo = targets[0]
        if photo.fault:
            raise FileAccess(f"The photo cannot be read: {photo.fault}.", hint="Check its name and permissions.")
        for target in targets:
            if target.is_made() and not force:
                hint = "Check whether another command writes to this folder."
                raise OutputExists(f"{target.becomes} was made in the meantime.", hint=hint)
        job = make_job(read_input(photo.source, photo.name), tuple(recipes[target.recipe] for target in targets))
        results = run_all(job, network, software=PACKSHOT)
        for target, result in zip(targets, results, strict=True):
            _write(target, result)
        # The bytes are on disk: drop them, so that they do not fill the memory.
        return [Made(replace(result, data=b""), _row(result) if as_json else {}) for result in results]

    return work, workers


def _row(result: Result) -> dict[str, object]:
    from packshot.batch.process import made

    return made(result)


@dataclass(frozen=True)
class Made:
    """A result. row: all facts about the output, for --json; empty without --json."""

    result: Result
    row: dict[str, object]


Work = Callable[[list["Target"]], list[Made]]
"""Processes all targets of one photo."""


class _Talk:
    """Reports each photo, as lines on stderr or JSON on stdout, and prints the totals at the end.

    total: number of pictures to make. alone: whether the command got one photo.
    """

    def __init__(self, total: int, *, quiet: bool, as_json: bool, alone: bool) -> None:
        self.alone = alone
        self._total, self._quiet, self._as_json = total, quiet, as_json
        self._number = self._photos = self._done = self._failed = self._unsure = self._broken = self._there = 0
        self._judged = False
        self._moving: MovingLine | None = None
        self._started_s = 0.0

    def begin(self) -> None:
        """Start the clock. Call when the network is loaded, before the first photo."""
        self._moving = _moving_line(self._total) if not (self._quiet or self._as_json) else None
        self._started_s = time.perf_counter()

    def are_there(self, targets: Sequence[Target], again: Sequence[str]) -> None:
        """Report outputs that exist already. again: arguments that make them again, together with --force."""
        self._there = len(targets)
        if self._as_json:
            for target in targets:
                say_json({"source": _source(target), "output": target.becomes, "skipped": True})
        if targets and self.alone and not self._quiet:
            command = shlex.join(["packshot", "remove", *again, "--force"])
            for target in targets:
                say(f"{target.becomes} exists already. To make it again: {command}", err=True)

    def photo_made(self, targets: list[Target], made: list[Made]) -> None:
        self._photos += 1
        for each in zip(targets, made, strict=True):
            self._made(*each)

    def _made(self, target: Target, made: Made) -> None:
        result = made.result
        self._number += 1
        self._done += 1
        self._unsure += result.review
        self._judged |= result.report is not None
        self._broken += result.report is not None and not result.report.passed
        if self._as_json:
            say_json({"source": _source(target), "output": target.becomes, **made.row})
        elif not self._quiet:
            self._lines(target, result)

    def photo_failed(self, targets: list[Target], error: PackshotError) -> None:
        target = targets[0]
        self._number += len(targets)
        self._failed += 1
        if self._as_json:
            what = {"slug": error.slug, "message": error.message, "hint": error.hint}
            say_json({"source": _source(target), "output": target.becomes or None, "error": what})
        elif self._moving is not None:
            self._moving.failed(target.name, error)
        elif not self.alone:
            say(f"{self._place}{about(target.name, error)}", err=True)

    def end(self) -> None:
        """Print the last line: the number of photos of each kind, and photos per second."""
        if self._moving is not None:
            self._moving.end()
        if self.alone or self._quiet:
            return
        done = f"{self._done} pictures of {self._photos} photos" if self._done > self._photos else f"{self._done}"
        parts = [f"{done} done, {self._failed} failed, {self._unsure} to look at"]
        if self._judged:
            parts.append(f"{self._broken} break the rules of their preset")
        if self._there:
            parts.append(f"{self._there} exist already (--force makes them again)")
        if self._done:
            parts.append(f"{self._photos / (time.perf_counter() - self._started_s):.1f} photos per second")
        say(", ".join(parts), err=True)
        if left := self._total - self._number:
            say(f"{left} pictures are left." if self._done > self._photos else f"{left} photos are left.", err=True)

    @property
    def _place(self) -> str:
        return "" if self.alone else f"[{self._number}/{self._total}] "

    def _lines(self, target: Target, result: Result) -> None:
        lines = list(_said(target, result, alone=self.alone))
        if self._moving is None:
            for number, line in enumerate(lines):
                say(f"{self._place}{line}" if number == 0 and target.path is not None else line, err=True)
            return
        if result.review or result.notes or (result.report is not None and not result.report.passed):
            for line in lines:
                self._moving.say(line)
        self._moving.made(target.name, sum(result.timings_ms.values()) / 1000)


def _make(photos: list[list[Target]], work: Work, workers: int, talk: _Talk, stop: Stop | None) -> list[PackshotError]:
    """Process the photos in threads and report each outcome. Returns the failures.

    After a stop request, no new photo starts.
    """
    from concurrent.futures import ThreadPoolExecutor

    failures: list[PackshotError] = []
    command = click.get_current_context().command
    talk.begin()
    pool = ThreadPoolExecutor(workers)
    try:
        # Results come in the order of the targets. The pool works ahead, with at most one encoded picture per thread.
        outcomes = pool.map(lambda targets: None if _asked(stop) else _outcome(targets, work), photos)
        for targets, outcome in zip(photos, outcomes, strict=True):
            if outcome is None:
                break
            if isinstance(outcome, list):
                talk.photo_made(targets, outcome)
                continue
            failures.append(in_flags(outcome, command))
            talk.photo_failed(targets, outcome)
            if isinstance(outcome, StorageFull):
                break
    finally:
        pool.shutdown(cancel_futures=True)
    return failures


def _moving_line(total: int) -> MovingLine | None:
    """One moving line, for more than _A_LINE_EACH photos at a terminal; else None."""
    if total <= _A_LINE_EACH or not sys.stderr.isatty():
        return None
    from packshot.cli.moving import MovingLine

    return MovingLine(total)


def _asked(stop: Stop | None) -> bool:
    return stop is not None and stop.event.is_set()


def _said(target: Target, result: Result, *, alone: bool) -> Iterator[str]:
    """The lines for a photo: output, notes, and the rules of its preset."""
    if target.path is not None:
        look = ", look at it" if result.review else ""
        sure = "" if result.confidence is None else f"  confidence {result.confidence:.2f}{look}"
        yield f"{target.name} -> {target.becomes}{sure}"
    yield from (f"  note: {note}" for note in result.notes)
    if result.report is not None:
        yield from report_lines(result.report, kept=alone, review=result.review)


def _source(target: Target) -> str:
    return "-" if target.source is None else target.name


def _outcome(targets: list[Target], work: Work) -> PackshotError | list[Made]:
    try:
        return work(targets)
    except PackshotError as error:
        return error


def _write(target: Target, result: Result) -> None:
    """Write to the target file atomically, or to stdout. Raises: StorageFull, FileAccess."""
    if target.path is None:
        write_stdout(result.data)
        return
    from packshot.engine.result import write_whole

    try:
        target.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target.path, result.data)
    except OSError as error:
        from packshot.storage.folder import full_error

        raise full_error(error, target.path.parent) or FileAccess(
            f"{target.becomes} cannot be written: {error.strerror}.", hint="Check the name and permissions."
        ) from error
