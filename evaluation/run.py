"""Score a network: `python -m evaluation FOLDER`, or `python -m evaluation --pairs DATA --split val`.

FOLDER has im/ and gt/ with equal stems; DATA has pairs.csv and zips. Each picture goes through the line that serves
(packshot.engine.remove.find_matte), so what is measured is what users get, refinement included.
"""

from __future__ import annotations

import argparse
import heapq
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from evaluation.metrics import score
from evaluation.pairs import Example, from_data, from_folder
from evaluation.report import Row, Summary, by_stratum, strata, summarise, table
from evaluation.sheet import cutout_over, gray, sheet, write
from packshot.core.picture import Float32, UInt8, to_uint8
from packshot.engine.network import Network, OnnxNetwork
from packshot.engine.remove import find_matte
from packshot.engine.weights import DEFAULT_MODEL, find_card, verify

WORST = 24


class Worst:
    """The pictures with the lowest IoU so far, with their mattes: a sheet shows these, never the best."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._heap: list[tuple[float, str, Example, Float32]] = []

    def add(self, example: Example, matte: Float32, iou: float) -> None:
        heapq.heappush(self._heap, (-iou, example.name, example, matte))
        if len(self._heap) > self._count:
            heapq.heappop(self._heap)

    def rows(self) -> Iterator[tuple[str, tuple[UInt8, ...]]]:
        """Captions and panels (photo, truth, matte, cutout on gray), the worst first."""
        for iou, name, example, matte in sorted(self._heap, key=lambda item: -item[0]):
            cut = cutout_over(example.picture, matte, gray(example.picture))
            yield f"IoU {-iou:.3f}  {name}", (example.picture.rgb, to_uint8(example.truth), to_uint8(matte), cut)


def evaluate(network: Network, examples: Iterator[Example], worst: Worst | None = None) -> list[Row]:
    """Score every example; the seconds of a row are those of its matte alone."""
    rows = []
    for example in examples:
        started = time.perf_counter()
        matte = find_matte(example.picture, network).matte
        seconds = time.perf_counter() - started
        figures = score(matte, example.truth)
        rows.append(Row(example.name, strata(example), figures, seconds))
        if worst:
            worst.add(example, matte, figures.iou)
    if not rows:
        raise SystemExit("there is nothing to evaluate")
    return rows


def load(model: str, side: int | None, threads: int) -> OnnxNetwork:
    """A network by name or path, at its card's side or at another one."""
    card, path = find_card(model)
    verify(card, path)
    if side:
        card = replace(card, input=replace(card.input, side_px=side))
    return OnnxNetwork(card, path, threads)


def examples_of(options: argparse.Namespace) -> Iterator[Example]:
    if options.folder:
        return islice(from_folder(options.folder), options.limit)
    return islice(from_data(options.pairs, split=options.split, sets=tuple(options.sets)), options.limit)


def title_of(options: argparse.Namespace) -> str:
    """What was measured, in the words that a card and a report use."""
    name = options.folder.name if options.folder else f"{' '.join(options.sets)} {options.split}"
    return name if options.limit is None else f"{name}, first {options.limit}"


def report(options: argparse.Namespace, network: OnnxNetwork, rows: list[Row]) -> dict[str, object]:
    card = network.card
    return {
        "title": title_of(options),
        "model": {"name": card.name, "sha256": card.sha256, "side_px": card.input.side_px},
        "summary": summarise(rows),
        "strata": by_stratum(rows),
        "pictures": [row.to_json() for row in rows],
    }


def source_parser(description: str | None) -> argparse.ArgumentParser:
    """The options that say what is measured, on what."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", type=Path, nargs="?", help="folder with im/ and gt/")
    parser.add_argument("--pairs", type=Path, help="data folder with pairs.csv and zips, instead of a folder")
    parser.add_argument("--split", default="val")
    parser.add_argument("--sets", nargs="+", default=["duts_tr"])
    parser.add_argument("--limit", type=int, help="only the first N pictures")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="name of an embedded model, or path of an .onnx file")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of the network")
    return parser


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    options = parser.parse_args(arguments)
    if bool(options.folder) == bool(options.pairs):
        parser.error("give a FOLDER, or --pairs DATA")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    parser = source_parser(__doc__)
    parser.add_argument("--side", type=int, help="longest side of the network input, px; the card's by default")
    parser.add_argument("--out", type=Path, help="write the report as JSON, with a row for each picture")
    parser.add_argument("--sheet", type=Path, help=f"write a contact sheet of the {WORST} worst")
    options = parse(parser, arguments)
    network = load(options.model, options.side, options.threads)
    worst = Worst(WORST)
    rows = evaluate(network, examples_of(options), worst)
    found = report(options, network, rows)
    print(f"{title_of(options)}: {network.card.name} at {network.card.input.side_px} px")
    summaries: dict[str, Summary] = {"all": summarise(rows), **by_stratum(rows)}
    print(table(summaries))
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if options.sheet:
        write(options.sheet, sheet(worst.rows()))


if __name__ == "__main__":
    main()
