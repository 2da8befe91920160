"""A contact sheet of a roll, with a row for each class: each photo next to its matte."""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

from PIL import Image

CELL_PX = 160


def sheet(folder: Path, *, columns: int = 5, start: int = 0, classes: frozenset[str] = frozenset()) -> Image.Image:
    """Lay out up to `columns` pairs of each class from the `start`-th on. Raises ValueError if there is none."""
    rows = defaultdict(list)
    for path in sorted((folder / "gt").glob("*.png")):
        rows[path.stem.rpartition("-")[0]].append(path)
    shown = [paths[start : start + columns] for name, paths in sorted(rows.items()) if not classes or name in classes]
    if not any(shown):
        raise ValueError(f"no pairs in {folder}")
    page = Image.new("RGB", (2 * CELL_PX * columns, CELL_PX * len(shown)), (96, 24, 96))
    for row, paths in enumerate(shown):
        for column, path in enumerate(paths):
            photo = folder / "im" / f"{path.stem}.jpg"
            for half, source in enumerate((photo, path)):
                with Image.open(source) as image:
                    small = image.convert("RGB")
                small.thumbnail((CELL_PX - 2, CELL_PX - 2))
                page.paste(small, ((2 * column + half) * CELL_PX, row * CELL_PX))
    return page


def main() -> None:
    """Write the sheet of a folder."""
    parser = argparse.ArgumentParser(prog="python -m training.studio.sheet", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--columns", type=int, default=5)
    parser.add_argument("--start", type=int, default=0, help="pairs of each class to skip")
    parser.add_argument("--classes", default="", metavar="A,B")
    options = parser.parse_args()
    chosen = frozenset(filter(None, options.classes.split(",")))
    sheet(options.folder, columns=options.columns, start=options.start, classes=chosen).save(options.out)


if __name__ == "__main__":
    main()
