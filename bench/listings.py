"""Counts photos that become main images by Amazon's rules, with and without repairs: `python -m bench.listings FOLDER`.

The written files are measured with Pillow and numpy alone, against the rules on Amazon's pages, without any of
packshot's own rules. Pixels cannot show whether the photo itself cuts the product off. The product's place in the photo
decides this.
"""

from __future__ import annotations

import argparse
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

import packshot

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
RINGING_PX = 33  # the window of pixels that a JPEG's edge may colour


def faults(result: packshot.Result) -> Iterator[str]:
    """The reasons why Amazon would reject a picture; empty if it would accept it."""
    picture = Image.open(io.BytesIO(result.data))
    if picture.format not in {"JPEG", "PNG", "TIFF", "GIF"} or getattr(picture, "n_frames", 1) > 1:
        yield "format"
    if not 500 <= max(picture.size) <= 10_000:
        yield "too few pixels"
    values = np.asarray(picture.convert("RGB"))
    product = values.min(axis=2) < 250
    rows, columns = np.flatnonzero(product.any(axis=1)), np.flatnonzero(product.any(axis=0))
    if not rows.size:
        yield "empty"
        return
    spans = (np.ptp(rows) + 1) / picture.height, (np.ptp(columns) + 1) / picture.width
    if max(spans) < 0.85:
        yield f"fills {max(spans):.1%}"
    near = np.asarray(Image.fromarray(product).convert("L").filter(ImageFilter.MaxFilter(RINGING_PX))) > 0
    off = (values != 255).any(axis=2) & ~near
    border = np.concatenate([off[0], off[-1], off[:, 0], off[:, -1]])
    if border.any() or off.mean() > 0.0001:
        yield "ground not white"
    left, top, right, bottom = result.box
    if left == 0 or top == 0 or right == result.photo_size.width or bottom == result.photo_size.height:
        yield "cut off by the photo"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.listings", description=__doc__)
    parser.add_argument("folder", type=Path, help="photos")
    parser.add_argument("--out", type=Path, help="folder for the pictures, for a visual check")
    asked = parser.parse_args()
    photos = sorted(path for path in asked.folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    ready, reasons = Counter[bool](), Counter[str]()
    for photo in photos:
        line = [photo.name]
        for repair in (False, True):
            result = packshot.remove(photo, preset="amazon", repair=repair)
            found = list(faults(result))
            ready[repair] += not found
            line.append(", ".join(found) or "ready")
            if repair:
                reasons.update(each.split(" ")[0] if each.startswith("fills") else each for each in found)
                if asked.out is not None:
                    asked.out.mkdir(parents=True, exist_ok=True)
                    result.save(asked.out / f"{photo.stem}.jpg")
                agrees = result.report is not None and result.report.passed == (not found)
                line.append("" if agrees else "(packshot says otherwise)")
        print("  ".join(line))
    print(f"ready of {len(photos)}: {ready[False]} without repairs, {ready[True]} with them; left: {dict(reasons)}")


if __name__ == "__main__":
    main()
