"""`packshot remove`: files, folders or stdin in; cutouts, masks, white pictures or crops out."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packshot.cli.errors import FileAccess, OutputExists
from packshot.cli.options import device_option, model_option
from packshot.errors import PackshotError

if TYPE_CHECKING:
    from packshot.cli.plan import Job
    from packshot.engine.remove import Form, Result
    from packshot.engine.session import Device


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="PHOTO|FOLDER|-...")
@click.option(
    "--form",
    type=click.Choice(["cutout", "mask", "white", "crop"]),
    default="cutout",
    show_default=True,
    help="cutout: PNG with transparency. mask: the matte as gray PNG. white: JPEG on white. "
    "crop: the cutout without its empty margins.",
)
@click.option(
    "--out",
    help="File for one photo, folder for several, - for stdout.  [default: beside the photo, photo.png for photo.jpg]",
)
@click.option("--overwrite", is_flag=True, help="Replace files that exist already.")
@click.option("--jobs", type=click.IntRange(1), help="Photos at a time.  [default: one per processor]")
@model_option
@device_option
def remove(
    inputs: tuple[str, ...],
    form: Form,
    out: str | None,
    overwrite: bool,
    jobs: int | None,
    model: str | None,
    device: Device,
) -> None:
    """Remove the background of photos.

    \b
    packshot remove photo.jpg                       writes photo.png
    packshot remove photo.jpg --form white          writes photo-white.jpg
    packshot remove photos/ --out cutouts/          a whole folder
    packshot remove - < photo.jpg > cutout.png      in a pipe

    One bad photo does not stop the rest. The exit code is then that of the first one that failed.
    """
    from packshot.cli.exit_codes import exit_code
    from packshot.cli.plan import make_plan
    from packshot.engine.network import load_network
    from packshot.engine.remove import remove as remove_line
    from packshot.service.process import tune_process

    plan = make_plan(inputs, form=form, out=out)
    workers = min(jobs or os.cpu_count() or 1, len(plan))
    # One photo: all processors work on it. Several: each has its own, which is a third faster in all.
    if workers > 1:
        tune_process()
    network = load_network(model, threads=1 if workers > 1 else os.cpu_count() or 1, device=device)

    def work(job: Job) -> float | None:
        if job.target is not None and job.target.exists() and not overwrite:
            raise OutputExists(f"{job.target} exists already.", hint="Use --overwrite to replace it.")
        result = remove_line(_read(job), form=form, network=network)
        _write(job, result)
        return result.confidence

    calibration = network.card.confidence
    failures = list(_failures(plan, work, workers, review_below=calibration.review_below if calibration else 0))
    if failures and len(plan) > 1:
        sys.exit(exit_code(failures[0]))  # each was named beside its photo
    if failures:
        raise failures[0]


def _failures(
    plan: list[Job], work: Callable[[Job], float | None], workers: int, *, review_below: float
) -> Iterator[PackshotError]:
    """Work through the plan in threads, say each photo's outcome on stderr, and yield what failed.

    `work` gives the confidence in a photo, if any; those under review_below are for a human to look at.
    """
    from concurrent.futures import ThreadPoolExecutor

    started = time.perf_counter()
    failed = unsure = 0
    pool = ThreadPoolExecutor(workers)
    try:
        # Results come in the order of the plan; the pool works ahead, holding at most one encoded picture per thread.
        outcomes = pool.map(lambda job: _outcome(job, work), plan)
        for number, (job, (error, confidence)) in enumerate(zip(plan, outcomes, strict=True), 1):
            place = f"[{number}/{len(plan)}] " if len(plan) > 1 else ""
            if error is not None:
                failed += 1
                if len(plan) > 1:
                    click.echo(f"{place}{job.name}: {error}", err=True)
                yield error
                continue
            look = confidence is not None and confidence < review_below
            unsure += look
            if job.target is not None:
                sure = "" if confidence is None else f"  confidence {confidence:.2f}{', look at it' if look else ''}"
                click.echo(f"{place}{job.name} -> {job.target}{sure}", err=True)
    finally:
        pool.shutdown(cancel_futures=True)  # on Ctrl-C: finish the photos in hand, begin no other
    if len(plan) > 1:
        took_s = time.perf_counter() - started
        counts = f"{len(plan) - failed} done, {failed} failed, {unsure} to look at"
        click.echo(f"{counts}, {len(plan) / took_s:.1f} photos a second", err=True)


def _outcome(job: Job, work: Callable[[Job], float | None]) -> tuple[PackshotError | None, float | None]:
    try:
        return None, work(job)
    except PackshotError as error:
        return error, None


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
