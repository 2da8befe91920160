"""`packshot remove`: files, folders or stdin in; cutouts, masks and packshots out."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packshot.cli.errors import FileAccess, OutputExists
from packshot.cli.options import PictureCommand, device_option, model_option, picture_options
from packshot.errors import PackshotError

if TYPE_CHECKING:
    from packshot.cli.plan import Job
    from packshot.core.options import Options
    from packshot.engine.remove import Result
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
    from packshot.cli.exit_codes import exit_code
    from packshot.cli.plan import are_several, format_of, make_plan, naming
    from packshot.engine.network import load_network
    from packshot.engine.presets import plan as decide
    from packshot.engine.process import tune_process
    from packshot.engine.remove import remove as remove_line

    if options.format is None and not are_several(inputs):
        options = replace(options, format=format_of(out))
    plan = make_plan(inputs, names=naming(decide(options).recipe, options.preset), out=out)
    workers = min(jobs or os.cpu_count() or 1, len(plan))
    # One photo: all processors work on it. Several: each has its own, which is a third faster in all.
    if workers > 1:
        tune_process()
    network = load_network(model, threads=1 if workers > 1 else os.cpu_count() or 1, device=device)

    def work(job: Job) -> Result:
        if job.target is not None and job.target.exists() and not overwrite:
            raise OutputExists(f"{job.target} exists already.", hint="Use --overwrite to replace it.")
        result = remove_line(_read(job), options, network=network)
        _write(job, result)
        return replace(result, data=b"")  # its bytes are written: a thousand of them need not wait in memory

    failures = list(_failures(plan, work, workers))
    if failures and len(plan) > 1:
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


def _failures(plan: list[Job], work: Callable[[Job], Result], workers: int) -> Iterator[PackshotError]:
    """Work through the plan in threads, say each photo's outcome on stderr, and yield what failed."""
    from concurrent.futures import ThreadPoolExecutor

    started = time.perf_counter()
    tally = _Tally()
    pool = ThreadPoolExecutor(workers)
    try:
        # Results come in the order of the plan; the pool works ahead, holding at most one encoded picture per thread.
        outcomes = pool.map(lambda job: _outcome(job, work), plan)
        for number, (job, outcome) in enumerate(zip(plan, outcomes, strict=True), 1):
            place = f"[{number}/{len(plan)}] " if len(plan) > 1 else ""
            if isinstance(outcome, PackshotError):
                tally.failed += 1
                if len(plan) > 1:
                    click.echo(f"{place}{job.name}: {outcome}", err=True)
                yield outcome
                continue
            tally.count(outcome)
            for line in _said(job, outcome, alone=len(plan) == 1):
                click.echo(f"{place}{line}" if line.startswith(job.name) else line, err=True)
    finally:
        pool.shutdown(cancel_futures=True)  # on Ctrl-C: finish the photos in hand, begin no other
    if len(plan) > 1:
        click.echo(tally.line(time.perf_counter() - started), err=True)


def _said(job: Job, result: Result, *, alone: bool) -> Iterator[str]:
    """The lines for a photo: what it became, what could not be done as asked, and its preset's rules."""
    from packshot.cli.reports import report_lines

    if job.target is not None:
        look = ", look at it" if result.review else ""
        sure = "" if result.confidence is None else f"  confidence {result.confidence:.2f}{look}"
        yield f"{job.name} -> {job.target}{sure}"
    yield from (f"  note: {note}" for note in result.notes)
    if result.report is not None:
        yield from report_lines(result.report, kept=alone, review=result.review)


def _outcome(job: Job, work: Callable[[Job], Result]) -> PackshotError | Result:
    try:
        return work(job)
    except PackshotError as error:
        return error


def _read(job: Job) -> bytes:
    if job.source is None:
        return sys.stdin.buffer.read()
    try:
        return job.source.read_bytes()
    except OSError as error:
        raise FileAccess(f"{job.source} cannot be read: {error.strerror}.", hint="Check its permissions.") from error


def _write(job: Job, result: Result) -> None:
    """Write beside the target, then rename: a killed run leaves no half picture."""
    if job.target is None:
        sys.stdout.buffer.write(result.data)
        sys.stdout.buffer.flush()
        return
    beside = job.target.with_name(f".{job.target.name}.{os.getpid()}.part")
    try:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(result.data)
        beside.replace(job.target)
    except OSError as error:
        Path(beside).unlink(missing_ok=True)
        raise FileAccess(f"{job.target} cannot be written: {error.strerror}.", hint="Check --out.") from error
