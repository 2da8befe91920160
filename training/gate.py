"""May the eight-bit network be the default? `python -m training.gate FLOAT.json INT8.json` compares two evaluations.

The reports are of `python -m evaluation`, on the same pictures. Exit code 1 when the eight-bit network costs too much.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

MAE_RISE, BOUNDARY_IOU_FALL = 0.001, 0.003


def passes(exact: dict[str, Any], small: dict[str, Any]) -> bool:
    """Whether MAE rises and boundary IoU falls by less than the limits; prints both."""
    before, after = exact["summary"], small["summary"]
    if before["pictures"] != after["pictures"]:
        raise SystemExit(f"the reports are of {before['pictures']} and {after['pictures']} pictures: not comparable")
    rise, fall = after["mae"] - before["mae"], before["boundary_iou"] - after["boundary_iou"]
    passed = bool(rise < MAE_RISE and fall < BOUNDARY_IOU_FALL)
    print(f"MAE {rise:+.5f}, boundary IoU {-fall:+.5f}: {'may' if passed else 'must not'} be the default")
    return passed


if __name__ == "__main__":
    raise SystemExit(not passes(*(json.loads(Path(path).read_text()) for path in sys.argv[1:3])))
