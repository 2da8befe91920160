"""Decides if the eight-bit network may be the default: `python -m training.gate --float REPORT ... --int8 REPORT ...`

The reports are those of `python -m evaluation`, in pairs on the same pictures. The exit code is 1 if the eight-bit
network loses too much over all pictures together.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MAE_RISE, BOUNDARY_IOU_FALL = 0.001, 0.003


def passes(exact: Sequence[dict[str, Any]], small: Sequence[dict[str, Any]]) -> bool:
    """Whether MAE rises and boundary IoU falls by less than the limits; prints both, by set and over all pictures."""
    rises, falls, counts = [], [], []
    for before, after in zip(exact, small, strict=True):
        first, second = before["summary"], after["summary"]
        if (before["title"], first["pictures"]) != (after["title"], second["pictures"]):
            raise SystemExit(f"the reports of {before['title']} and {after['title']} are not comparable")
        rises.append(second["mae"] - first["mae"])
        falls.append(first["boundary_iou"] - second["boundary_iou"])
        counts.append(first["pictures"])
        print(f"{before['title']}: MAE {rises[-1]:+.5f}, boundary IoU {-falls[-1]:+.5f}")
    rise, fall = (
        sum(n * each for n, each in zip(counts, changes, strict=True)) / sum(counts) for changes in (rises, falls)
    )
    passed = rise < MAE_RISE and fall < BOUNDARY_IOU_FALL
    print(f"all: MAE {rise:+.5f}, boundary IoU {-fall:+.5f}: {'may' if passed else 'must not'} be the default")
    return passed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--float", "--int8"):
        parser.add_argument(name, type=Path, nargs="+", required=True)
    options = vars(parser.parse_args())
    raise SystemExit(
        not passes(*([json.loads(path.read_text()) for path in options[name]] for name in ("float", "int8")))
    )


if __name__ == "__main__":
    main()
