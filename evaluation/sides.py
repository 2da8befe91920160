"""Which input size suits a network: `python -m evaluation.sides --pairs DATA --sides 256 320 384 448 512`.

One line for each side, with the median time of a matte. The best goes to `python -m training.export --side`.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from evaluation.report import summarise
from evaluation.run import evaluate, examples_of, load, parse, source_parser

FIGURES = ("mae", "max_f", "s_measure", "iou", "boundary_iou", "iou_over_95", "iou_under_80")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = source_parser(__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 320, 384, 448, 512])
    options = parse(parser, arguments)
    print("side  " + "  ".join(FIGURES) + "  ms")
    for side in options.sides:
        rows = evaluate(load(options.model, side, options.threads), examples_of(options))
        summary = summarise(rows)
        cells = "  ".join(f"{summary[name]:.4f}".rjust(len(name)) for name in FIGURES)
        print(f"{side:4}  {cells}  {1000 * median(row.seconds for row in rows):.0f}", flush=True)


if __name__ == "__main__":
    main()
