"""`packshot batch`: a whole catalogue, from a folder or a bucket into another."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from packshot.cli import work_begins
from packshot.cli.errors import TooManyFailures, is_file, is_folder
from packshot.cli.interrupt import Stop, graceful
from packshot.cli.options import PictureCommand, device_option, model_option, picture_options
from packshot.cli.terminal import say
from packshot.errors import InvalidOption

if TYPE_CHECKING:
    from packshot.batch.catalogue import Summary
    from packshot.batch.executors import Executor
    from packshot.batch.progress import Progress
    from packshot.core.options import Options
    from packshot.engine.session import Device


class Share(click.ParamType[float]):
    """ "2%" or 0.02."""

    name = "share"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        try:
            share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            self.fail(f"{text!r} is no share: give 2% or 0.02.", param, ctx)
        return share


class BatchCommand(PictureCommand):
    """It explains itself where the shell has made many names of one pattern, as photos/*.jpg."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if "unexpected extra argument" not in error.message:
                raise
            hint = "IN is one folder. For files: packshot remove PHOTO... --out FOLDER, or --manifest with their names."
            raise InvalidOption("More was given than IN and OUT.", hint=hint, field="IN") from error


@click.command(cls=BatchCommand)
@click.argument("photos", metavar="IN")
@click.argument("out", metavar="OUT")
@picture_options
@click.option(
    "--jobs",
    type=click.IntRange(1),
    help="Photos at a time.  [default: one per processor, of all nodes with --engine ray]",
)
@click.option("--watch", is_flag=True, help="Go on with photos that come into the folder, until Ctrl-C.")
@click.option(
    "--manifest",
    type=click.File(encoding="utf-8", errors="surrogateescape"),
    help="Only the photos that this file names, one a line, as they are called below IN; - for stdin.",
)
@click.option(
    "--even",
    is_flag=True,
    help="Draw the products of each folder at one scale, in pictures of one size, and report how even they are.",
)
@click.option(
    "--category",
    "column",
    metavar="COLUMN",
    help="With --even: by a column of the --manifest, a CSV file whose header has it beside `photo`.",
)
@click.option(
    "--max-error-rate",
    type=Share(),
    default="0",
    show_default=True,
    help="Share of photos that may fail before the exit code says so, such as 2%.",
)
@click.option("--report", metavar="FOLDER|none", help="Where the report goes.  [default: OUT/packshot-report]")
@click.option(
    "--force",
    is_flag=True,
    help="Make all again, what is finished included, and replace files in OUT that packshot did not make.",
)
@click.option(
    "--engine",
    "engine_name",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="This machine, or a Ray cluster (needs packshot[ray]).",
)
@model_option
@device_option
def batch(
    photos: str,
    out: str,
    options: Options,
    jobs: int | None,
    watch: bool,
    manifest: TextIO | None,
    even: bool,
    column: str | None,
    max_error_rate: float,
    report: str | None,
    force: bool,
    engine_name: str,
    model: str | None,
    device: Device,
) -> None:
    """Make packshots of a whole catalogue, and a report of them.

    \b
    packshot batch photos/ shop/ --preset amazon            a folder
    packshot batch photos/ shop/ --preset amazon,etsy       a folder for each preset
    packshot batch s3://raw/2026 s3://shop/2026 --crop      object storage; also gs:// and az://
    packshot batch photos/ shop/ --manifest failed.txt      only these
    packshot batch photos/ shop/ --preset amazon --even     products of a folder at one scale
    packshot batch inbox/ shop/ --watch                     whatever comes in

    Started again, it goes on where it stopped: what is finished for the same photo and the same options is not made
    again, unless --force is given. What packshot remove has written beside the photos is no photo. Ctrl-C finishes
    the photos in hand; a second one stops at once. docs/batch.md has the rest.
    """
    with graceful() as stop:
        from packshot.batch.even import check_options
        from packshot.batch.listing import make_namings
        from packshot.batch.process import BatchSettings
        from packshot.batch.progress import Progress
        from packshot.batch.run import REPORT, Task, run
        from packshot.engine.presets import recipes_for
        from packshot.engine.weights import default_model, find_card, verify

        report_at = None if report == "none" else report or f"{out.rstrip('/') or '/'}/{REPORT}"
        _check_together(photos, out, report_at, watch, manifest)
        _check_even(even, column, watch, manifest)
        model = model or default_model(None, device)
        card, path = find_card(model)
        verify(card, path)
        recipes = recipes_for(options)
        if even:
            check_options(options, recipes)
        task = Task(
            settings=BatchSettings(photos, out, options, model, device, _threads(engine_name, jobs), report_at),
            namings=make_namings(recipes, f"{card.name}@{card.sha256[:12]}"),
            manifest=manifest,
            report=report_at,
            force=force,
            watch=watch,
            even=even,
            column=column,
        )
        progress = Progress(sys.stderr, jobs or _processors())
        executor = _executor(engine_name, jobs, progress)
        work_begins()
        summary = run(task, executor, stop.event, progress)
        _say(summary, report_at if summary.reported else None, force=force)
        _leave(summary, stop, max_error_rate)


def _executor(name: str, jobs: int | None, progress: Progress) -> Executor:
    from packshot.batch.executors import LocalExecutor, RayExecutor
    from packshot.engine.process import tune_process

    if name == "ray":
        return RayExecutor(jobs, progress.say)
    tune_process()
    return LocalExecutor(jobs or _processors())


def _processors() -> int:
    return os.cpu_count() or 1


def _threads(engine: str, jobs: int | None) -> int:
    """For the network: all processors where one photo is worked on at a time; one on a cluster, which counts them."""
    return _processors() if engine == "local" and (jobs or _processors()) == 1 else 1


def _check_together(photos: str, out: str, report: str | None, watch: bool, manifest: TextIO | None) -> None:
    from packshot.storage.blocking import local_folder

    folder = local_folder(photos)
    if folder is not None and not is_folder(folder):
        if is_file(folder):
            hint = f"For one photo: packshot remove {photos}"
            raise InvalidOption(f"IN {photos} is a file.", hint=hint, field="IN")
        pattern = " IN is no pattern, --manifest takes names." if set("*?[") & set(photos) else ""
        hint = f"Give a folder, or s3://, gs:// or az://.{pattern}"
        raise InvalidOption(f"IN {photos} does not exist.", hint=hint, field="IN")
    for name, place in (("OUT", out), ("--report", report)):
        taken = None if place is None else _file_on_the_way(local_folder(place))
        if taken is not None:
            what = "a file" if taken == local_folder(place or "") else f"in {taken}, which is a file"
            raise InvalidOption(f"{name} {place} is {what}.", hint="Give a folder; it is made if need be.", field=name)
    if watch and manifest is not None:
        raise InvalidOption("--watch and --manifest came together.", hint="Give one of them.", field="--watch")
    if watch and folder is None:
        raise InvalidOption(
            f"{photos} cannot be watched.", hint="Only a folder can; run the command now and then.", field="--watch"
        )


def _check_even(even: bool, column: str | None, watch: bool, manifest: TextIO | None) -> None:
    if even and watch:
        hint = "Make what comes in without --even, or run the command now and then."
        raise InvalidOption("--even and --watch came together.", hint=hint, field="--even")
    if column is not None and (not even or manifest is None):
        missing = "--even" if not even else "--manifest"
        hint = "Give --even, and as --manifest a CSV file that has this column."
        raise InvalidOption(f"--category {column} came without {missing}.", hint=hint, field="--category")


def _file_on_the_way(folder: Path | None) -> Path | None:
    """The file that stands where a folder should be made, if there is one."""
    return next((path for path in (folder, *folder.parents) if is_file(path)), None) if folder is not None else None


def _say(summary: Summary, report: str | None, *, force: bool) -> None:
    if not summary.listed:
        say("Stopped before all photos were found: nothing was begun.", err=True)
        return
    if not summary.measured:
        say("Stopped before all photos were measured: no picture was drawn. The same command goes on.", err=True)
        return
    counts = summary.counts
    if not counts.wanted:
        return
    rate = f", {summary.rate:.1f} photos a second" if summary.rate else ""
    broken = f", {counts.broken:,} break a rule of their preset" if counts.broken else ""
    pictures = f" ({counts.pictures:,} pictures)" if counts.pictures > counts.made else ""
    say(
        f"{counts.made:,} made{pictures}, {counts.failed:,} failed, {counts.review:,} to look at{broken}; "
        f"{summary.now:,} in this run{rate}",
        err=True,
    )
    if report is not None:
        say(f"Report: {report.rstrip('/')}/report.html", err=True)
    if counts.failed and report is not None:
        say(f"Only the failed ones again: the same command with --manifest {report}/failed.txt", err=True)
    if summary.left:
        same = "the same command without --force" if force else "the same command"
        left = "1 photo is" if summary.left == 1 else f"{summary.left:,} photos are"
        say(f"{left} left: {same} goes on.", err=True)


def _leave(summary: Summary, stop: Stop, max_error_rate: float) -> None:
    if summary.trouble is not None:
        raise summary.trouble
    if stop.signal:
        sys.exit(128 + stop.signal)
    if summary.error_rate > max_error_rate:
        raise TooManyFailures(
            f"{summary.counts.failed:,} of {summary.counts.wanted:,} photos failed, "
            f"{summary.error_rate:.1%}; {max_error_rate:.1%} may.",
            hint="The report says why.",
        )
