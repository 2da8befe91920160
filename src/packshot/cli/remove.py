"""`packshot remove`: files, folders or stdin in; cutouts, masks and packshots out."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from packshot.cli.errors import FileAccess, OutputExists, exit_code, read_input
from packshot.cli.interrupt import Stop, at_once, graceful
from packshot.cli.options import PictureCommand, device_option, model_option, picture_options
from packshot.cli.presets import report_lines
from packshot.cli.terminal import say, write_stdout
from packshot.errors import PackshotError, StorageFull

if TYPE_CHECKING:
    from packshot.cli.targets import Target
    from packshot.core.options import Options
    from packshot.engine.result import Result
    from packshot.engine.session import Device


@click.command(cls=PictureCommand)
@click.argument("inputs", nargs=-1, required=True, metavar="PHOTO|FOLDER|-...")
@picture_options
@click.option(
    "--out",
    help="File for one photo (its ending decides the format), folder for several, - for stdout.  "
    "[default: beside the photo]",
)
@click.option("--overwrite", is_flag=True, help="Replace files that exist already.")
@click.option("--jobs", type=click.IntRange(1), help="Photos at a time.  [default: one per processor]")
@model_option
@device_option
def remove(
    inputs: tuple[str, ...],
    options: Options,
    out: str | None,
    overwrite: bool,
    jobs: int | None,
    model: str | None,
    device: Device,
) -> None:
    """Remove the background of photos, and make packshots of them.

    \b
    packshot remove photo.jpg                       writes photo.png, a cutout
    packshot remove photo.jpg --background white    writes photo-white.jpg
    packshot remove photo.jpg --preset amazon       writes photo-amazon.jpg, and says which rules it keeps
    packshot remove photo.jpg --crop --margin 5%    writes photo-crop.png
    packshot remove photos/ --out cutouts/          a whole folder
    packshot remove - < photo.jpg > cutout.png      in a pipe

    One bad photo does not stop the rest. The exit code is then that of the first one that failed. A picture that
    does not keep the rules of its preset is written all the same, and is no failure: `packshot check` makes it one.
    """
    from packshot.cli.targets import are_several, format_of, make_targets, naming
    from packshot.engine.job import make_job
    from packshot.engine.network import load_network
    from packshot.engine.pipeline import run
    from packshot.engine.presets import recipe_for
    from packshot.engine.process import tune_process

    if options.format is None and not are_several(inputs):
        options = replace(options, format=format_of(out))
    recipe = recipe_for(options)
    targets = make_targets(inputs, names=naming(recipe), out=out)
    workers = min(jobs or os.cpu_count() or 1, len(targets))
    # One photo: all processors work on it. Several: each has its own, which is a third faster in all.
    if workers > 1:
        tune_process()
    network = load_network(model, threads=1 if workers > 1 else os.cpu_count() or 1, device=device)

    def work(target: Target) -> Result:
        if target.fault:
            raise FileAccess(f"It cannot be read: {target.fault}.", hint="Check its name and its permissions.")
        if target.path is not None and not overwrite and os.path.lexists(target.path):
            raise OutputExists(f"{target.path} exists already.", hint="Use --overwrite to replace it.")
        result = run(make_job(read_input(target.source), recipe), network)
        _write(target, result)
        return replace(result, data=b"")  # its bytes are written: a thousand of them need not wait in memory

    with graceful() if len(targets) > 1 else at_once() as stop:
        failures = list(_failures(targets, work, workers, stop))
        if stop is not None and stop.signal:
            sys.exit(128 + stop.signal)
    if failures and isinstance(failures[-1], StorageFull):
        raise failures[-1]  # the others would have failed as this one
    if failures and len(targets) > 1:
        sys.exit(exit_code(failures[0]))  # each was named beside its photo
    if failures:
        raise failures[0]


@dataclass
class _Tally:
    """What came of the photos so far."""

    done: int = 0
    failed: int = 0
    unsure: int = 0
    broken: int = 0
    judged: bool = False

    def count(self, result: Result) -> None:
        self.done += 1
        self.unsure += result.review
        self.judged |= result.report is not None
        self.broken += result.report is not None and not result.report.passed

    def line(self, took_s: float) -> str:
        rules = f", {self.broken} break the rules of their preset" if self.judged else ""
        rate = (self.done + self.failed) / took_s
        return f"{self.done} done, {self.failed} failed, {self.unsure} to look at{rules}, {rate:.1f} photos a second"


def _failures(
    targets: list[Target], work: Callable[[Target], Result], workers: int, stop: Stop | None
) -> Iterator[PackshotError]:
    """Work through the targets in threads, say each photo's outcome on stderr, and yield what failed.

    Once an end was asked for, no further photo is begun.
    """
    from concurrent.futures import ThreadPoolExecutor

    started = time.perf_counter()
    tally = _Tally()
    pool = ThreadPoolExecutor(workers)
    try:
        # Results come in the order of the targets; the pool works ahead, with at most one encoded picture per thread.
        outcomes = pool.map(lambda target: None if _asked(stop) else _outcome(target, work), targets)
        for number, (target, outcome) in enumerate(zip(targets, outcomes, strict=True), 1):
            place = f"[{number}/{len(targets)}] " if len(targets) > 1 else ""
            if outcome is None:
                break
            if isinstance(outcome, PackshotError):
                tally.failed += 1
                if len(targets) > 1:
                    say(f"{place}{target.name}: {outcome}", err=True)
                yield outcome
                if isinstance(outcome, StorageFull):
                    break
                continue
            tally.count(outcome)
            for line in _said(target, outcome, alone=len(targets) == 1):
                say(f"{place}{line}" if line.startswith(target.name) else line, err=True)
    finally:
        pool.shutdown(cancel_futures=True)
    if len(targets) > 1:
        say(tally.line(time.perf_counter() - started), err=True)
    if _asked(stop):
        say(f"{len(targets) - tally.done - tally.failed} photos are left.", err=True)


def _asked(stop: Stop | None) -> bool:
    return stop is not None and stop.event.is_set()


def _said(target: Target, result: Result, *, alone: bool) -> Iterator[str]:
    """The lines for a photo: what it became, what could not be done as asked, and its preset's rules."""
    if target.path is not None:
        look = ", look at it" if result.review else ""
        sure = "" if result.confidence is None else f"  confidence {result.confidence:.2f}{look}"
        yield f"{target.name} -> {target.path}{sure}"
    yield from (f"  note: {note}" for note in result.notes)
    if result.report is not None:
        yield from report_lines(result.report, kept=alone, review=result.review)


def _outcome(target: Target, work: Callable[[Target], Result]) -> PackshotError | Result:
    try:
        return work(target)
    except PackshotError as error:
        return error


def _write(target: Target, result: Result) -> None:
    """Write beside the target, then rename: a killed run leaves no half picture."""
    from packshot.storage.folder import full_error

    if target.path is None:
        write_stdout(result.data)
        return
    beside = target.path.with_name(f".{uuid.uuid4().hex}.part")  # no longer than a name may be, whatever the photo's
    try:
        target.path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(result.data)
        beside.replace(target.path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise full_error(error, target.path.parent) or FileAccess(
            f"{target.path} cannot be written: {error.strerror}.", hint="Check --out."
        ) from error
