"""`packshot batch`: processes a whole catalogue, from one folder or bucket into another."""

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
    """A share in [0, 1], written as "2%" or 0.02."""

    name = "share"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        try:
            share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            self.fail(f"{text!r} is not a share. Write it as 2% or 0.02.", param, ctx)
        return share


class BatchCommand(PictureCommand):
    """Explains the error if the shell expanded a pattern such as photos/*.jpg to many names."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if "unexpected extra argument" not in error.message:
                raise
            hint = (
                "IN is one folder. For files, use packshot remove PHOTO... --out FOLDER, or name them in a --manifest."
            )
            raise InvalidOption("There are more arguments than IN and OUT.", hint=hint, field="IN") from error


@click.command(cls=BatchCommand)
@click.argument("photos", metavar="IN")
@click.argument("out", metavar="OUT")
@picture_options
@click.option(
    "--jobs",
    type=click.IntRange(1),
    help="Photos processed at the same time.  [default: one per processor; with --engine ray, of all nodes]",
)
@click.option("--watch", is_flag=True, help="Keep running, and process photos added to the folder until Ctrl-C.")
@click.option(
    "--manifest",
    type=click.File(encoding="utf-8", errors="surrogateescape"),
    help="Process only the photos in this file, one path below IN per line; - for stdin.",
)
@click.option(
    "--even",
    is_flag=True,
    help="Give all products of a folder the same scale and canvas, and report how even they are.",
)
@click.option(
    "--category",
    "column",
    metavar="COLUMN",
    help="With --even: group by this column of the --manifest, a CSV file that also has the column `photo`.",
)
@click.option(
    "--max-error-rate",
    type=Share(),
    default="0",
    show_default=True,
    help="Share of photos that may fail before the exit code reports it, such as 2%.",
)
@click.option("--report", metavar="FOLDER|none", help="Folder for the report, or none.  [default: OUT/packshot-report]")
@click.option(
    "--force",
    is_flag=True,
    help="Make finished photos again, and replace files in OUT that packshot did not make.",
)
@click.option(
    "--engine",
    "engine_name",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Run on this machine, or on a Ray cluster (needs packshot[ray]).",
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
    """Make packshots of a whole catalogue, and write a report.

    \b
    packshot batch photos/ shop/ --preset amazon            a folder
    packshot batch photos/ shop/ --preset amazon,etsy       one folder for each preset
    packshot batch s3://raw/2026 s3://shop/2026 --crop      object storage; also gs:// and az://
    packshot batch photos/ shop/ --manifest failed.txt      only the photos that failed.txt lists
    packshot batch photos/ shop/ --preset amazon --even     same scale for all products of a folder
    packshot batch inbox/ shop/ --watch                     new photos, as they arrive

    The same command continues a stopped run: it skips outputs that are finished for the same photo and options,
    unless you give --force. It also skips files that packshot remove wrote next to the photos. Ctrl-C finishes the
    photos in progress; a second Ctrl-C stops at once. See "Process a catalogue" in the documentation.
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
    """Threads for the network: all processors if one photo at a time runs locally, else 1 (Ray counts processors)."""
    return _processors() if engine == "local" and (jobs or _processors()) == 1 else 1


def _check_together(photos: str, out: str, report: str | None, watch: bool, manifest: TextIO | None) -> None:
    from packshot.storage.blocking import local_folder

    folder = local_folder(photos)
    if folder is not None and not is_folder(folder):
        if is_file(folder):
            hint = f"Process one photo with: packshot remove {photos}"
            raise InvalidOption(f"IN {photos} is a file.", hint=hint, field="IN")
        pattern = " IN cannot be a pattern; use --manifest to name photos." if set("*?[") & set(photos) else ""
        hint = f"Give a folder, or s3://, gs:// or az://.{pattern}"
        raise InvalidOption(f"IN {photos} does not exist.", hint=hint, field="IN")
    for name, place in (("OUT", out), ("--report", report)):
        taken = None if place is None else _file_on_the_way(local_folder(place))
        if taken is not None:
            what = "a file" if taken == local_folder(place or "") else f"in {taken}, which is a file"
            raise InvalidOption(
                f"{name} {place} is {what}.", hint="Give a folder; packshot creates it if needed.", field=name
            )
    if watch and manifest is not None:
        raise InvalidOption("--watch and --manifest exclude each other.", hint="Remove one of them.", field="--watch")
    if watch and folder is None:
        raise InvalidOption(
            f"{photos} cannot be watched.", hint="Watch a local folder, or run the command regularly.", field="--watch"
        )


def _check_even(even: bool, column: str | None, watch: bool, manifest: TextIO | None) -> None:
    if even and watch:
        hint = "Remove --even, or run the command regularly without --watch."
        raise InvalidOption("--even and --watch exclude each other.", hint=hint, field="--even")
    if column is not None and (not even or manifest is None):
        missing = "--even" if not even else "--manifest"
        hint = "Give --even, and a CSV file with this column as --manifest."
        raise InvalidOption(f"--category {column} needs {missing}.", hint=hint, field="--category")


def _file_on_the_way(folder: Path | None) -> Path | None:
    """The file in the place of the folder or of one of its parents; None if no file is in the way."""
    return next((path for path in (folder, *folder.parents) if is_file(path)), None) if folder is not None else None


def _say(summary: Summary, report: str | None, *, force: bool) -> None:
    if not summary.listed:
        say("Stopped before all photos were listed. No photo was processed.", err=True)
        return
    if not summary.measured:
        say("Stopped before all photos were measured. No picture was made. Run the same command to continue.", err=True)
        return
    counts = summary.counts
    if not counts.wanted:
        return
    rate = f", {summary.rate:.1f} photos per second" if summary.rate else ""
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
        say(f"To retry only the failed photos, run the same command with --manifest {report}/failed.txt", err=True)
    if summary.left:
        same = "the same command without --force" if force else "the same command"
        left = "1 photo is" if summary.left == 1 else f"{summary.left:,} photos are"
        say(f"{left} left. Run {same} to continue.", err=True)


def _leave(summary: Summary, stop: Stop, max_error_rate: float) -> None:
    if summary.trouble is not None:
        raise summary.trouble
    if stop.signal:
        sys.exit(128 + stop.signal)
    if summary.error_rate > max_error_rate:
        raise TooManyFailures(
            f"{summary.counts.failed:,} of {summary.counts.wanted:,} photos failed, "
            f"{summary.error_rate:.1%}; the limit is {max_error_rate:.1%}.",
            hint="See the report for the reasons.",
        )
