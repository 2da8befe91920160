"""Compares input sizes for a network: `python -m evaluation.sides --pairs DATA --sides 256 320 384 448 512`.

Prints one line per side, with the median time of a matte. Pass the best to `python -m training.export --side`.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from evaluation.report import cell, overall
from evaluation.run import evaluate, load, parse, source_of, source_parser

FIGURES = ("mae", "max_f", "s_measure", "iou", "boundary_iou", "iou_over_95", "iou_under_80")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = source_parser(__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 320, 384, 448, 512])
    options = parse(parser, arguments)
    print("side  " + "  ".join(FIGURES) + "  ms")
    with source_of(options) as source:
        for side in options.sides:
            run = evaluate(load(options.model, side), source.pairs, threads=options.threads)
            summary = overall(run.rows)
            cells = "  ".join(cell(name, summary[name]).rjust(len(name)) for name in FIGURES)
            print(f"{side:4}  {cells}  {1000 * median(row.seconds for row in run.rows):.0f}", flush=True)


if __name__ == "__main__":
    main()
