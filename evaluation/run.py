"""Score a network: `python -m evaluation FOLDER`, or `python -m evaluation --pairs DATA --split val`.

FOLDER has pairs in im/ and gt/ or similar (folders.py); DATA has pairs.csv and zips. Each picture runs through the
serving pipeline (packshot.engine.pipeline.find_matte), so the figures include refinement, as users get it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2

from evaluation.machine import machine
from evaluation.metrics import score
from evaluation.page import page
from evaluation.pairs import Pair, Source, from_data, from_folder
from evaluation.report import Row, by_stratum, overall, table
from evaluation.sheet import sheet, write
from evaluation.strata import strata
from evaluation.worst import WORST, Worst
from packshot.engine.matting import find_matte
from packshot.engine.network import Network, OnnxNetwork
from packshot.engine.weights import DEFAULT_MODEL, find_card, verify
from packshot.errors import InputError


@dataclass(frozen=True)
class Problem:
    """A pair that could not be scored, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class Run:
    """The results of all pairs: rows in order, problems, and the number of truths resized to their picture."""

    rows: list[Row]
    problems: list[Problem]
    resized: int
    seconds: float


MOST_LISTED = 20


def evaluate(network: Network, pairs: Iterable[Pair], *, threads: int = 1, worst: Worst | None = None) -> Run:
    """Score every pair, `threads` in parallel: decoding, the network and most of the figures release the GIL."""
    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(lambda pair: _outcome(network, pair, worst), pairs))
    rows = [row for row, _ in found if isinstance(row, Row)]
    problems = [row for row, _ in found if isinstance(row, Problem)]
    if not rows:
        raise SystemExit(_listed("no pair could be scored:", [f"{p.name}: {p.reason}" for p in problems]))
    return Run(rows, problems, sum(was_resized for _, was_resized in found), time.perf_counter() - started)


def _outcome(network: Network, pair: Pair, worst: Worst | None) -> tuple[Row | Problem, bool]:
    """A row, or the pair's problem; and whether its truth was resized. The time covers the matte alone."""
    try:
        example = pair.load()
    except (InputError, OSError, ValueError) as error:
        return Problem(pair.name, str(error)), False
    picture, truth = example.picture, example.truth
    started = time.perf_counter()
    found = find_matte(picture, network)
    seconds = time.perf_counter() - started
    figures = score(found.matte, truth)
    if worst and figures.has_foreground:
        worst.add(example, found.matte, figures.iou)
    told = {} if found.signs is None else found.signs.values()
    row = Row(pair.name, strata(pair.group, picture.rgb, truth), figures, seconds, found.confidence, told)
    return row, example.was_resized


def load(model: str, side: int | None = None) -> OnnxNetwork:
    """A network by name or path, at its card's side or at another side, where its calibration is not valid."""
    card, path = find_card(model)
    verify(card, path)
    if side and side != card.input.side_px:
        card = replace(card, input=replace(card.input, side_px=side), confidence=None)
    return OnnxNetwork(card, path)


@contextmanager
def source_of(options: argparse.Namespace) -> Iterator[Source]:
    """The pairs that the options name; lists files without a partner on stderr."""
    with ExitStack() as stack:
        if options.folder:
            source = from_folder(options.folder)
        else:
            source = from_data(options.pairs, split=options.split, sets=tuple(options.sets), stack=stack)
        if source.lonely:
            print(_listed(f"files without a partner: {len(source.lonely)}", source.lonely), file=sys.stderr)
        yield replace(source, pairs=source.pairs[: options.limit])


def _listed(what: str, names: Sequence[str]) -> str:
    more = [f"... and {len(names) - MOST_LISTED} more"] if len(names) > MOST_LISTED else []
    return "\n  ".join([what, *names[:MOST_LISTED], *more])


def title_of(options: argparse.Namespace) -> str:
    """The name of the measured set, as used in cards and reports."""
    name = options.folder.resolve().name if options.folder else f"{' '.join(options.sets)} {options.split}"
    return name if options.limit is None else f"{name}, first {options.limit}"


def report(title: str, network: Network, source: Source, run: Run) -> dict[str, Any]:
    """All results as plain values, for the JSON."""
    card = network.card
    return {
        "title": title,
        "model": {"name": card.name, "sha256": card.sha256, "side_px": card.input.side_px},
        "machine": machine(),
        "seconds": round(run.seconds, 1),
        "summary": overall(run.rows),
        "strata": by_stratum(run.rows),
        "resized": run.resized,
        "without_partner": source.lonely,
        "problems": {problem.name: problem.reason for problem in run.problems},
        "pictures": [row.to_json() for row in run.rows],
    }


def source_parser(description: str | None) -> argparse.ArgumentParser:
    """The options for the network and the test set."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", type=Path, nargs="?", help="folder with im/ and gt/ or similar, including subfolders")
    parser.add_argument("--pairs", type=Path, help="data folder with pairs.csv and zips, instead of a folder")
    parser.add_argument("--split", default="val")
    parser.add_argument("--sets", nargs="+", default=["duts_tr"])
    parser.add_argument("--limit", type=int, help="only the first N pictures")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="name of a model, or path of an .onnx file")
    threads = min(2, os.cpu_count() or 1)
    parser.add_argument("--threads", type=int, default=threads, help=f"pictures in parallel, by default {threads}")
    return parser


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    options = parser.parse_args(arguments)
    if bool(options.folder) == bool(options.pairs):
        parser.error("give a FOLDER, or --pairs DATA")
    cv2.setNumThreads(1)  # pictures run in parallel instead
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    parser = source_parser(__doc__)
    parser.add_argument("--side", type=int, help="longest side of the network input, px; default: the card's")
    parser.add_argument("--out", type=Path, help="write the report as JSON, with one row per picture")
    parser.add_argument("--page", type=Path, help="write the report as one HTML file")
    parser.add_argument("--sheet", type=Path, help=f"write a contact sheet of the {WORST} worst")
    options = parse(parser, arguments)
    network, worst = load(options.model, options.side), Worst()
    with source_of(options) as source:
        run = evaluate(network, source.pairs, threads=options.threads, worst=worst)
    found = report(title_of(options), network, source, run)
    say(found, run, options.threads)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if options.page:
        options.page.write_text(page(found, run.rows, worst.rows()), encoding="utf-8")
    if options.sheet and worst.rows():
        write(options.sheet, sheet(worst.rows()))


def say(found: dict[str, Any], run: Run, threads: int) -> None:
    """Print the table, the time, and the problems."""
    print(f"{found['title']}: " + " ".join(map(str, found["model"].values())))
    print(table({"all": overall(run.rows), **by_stratum(run.rows)}))
    times = sorted(row.seconds for row in run.rows)
    print(
        f"{len(run.rows)} pictures in {run.seconds:.0f} s, {threads} in parallel; a matte takes "
        f"{1000 * times[len(times) // 2]:.0f} ms in the median, {1000 * times[len(times) * 95 // 100]:.0f} at 95 %"
    )
    print("; ".join(f"{name} {value}" for name, value in machine().items()))
    if run.resized:
        print(f"truths resized to their picture's size: {run.resized}", file=sys.stderr)
    if run.problems:
        names = [f"{problem.name}: {problem.reason}" for problem in run.problems]
        print(_listed(f"pairs that could not be read: {len(names)}", names), file=sys.stderr)


if __name__ == "__main__":
    main()
