"""`python -m training.corrections OUT/packshot-review --out DATA`: adds a review's corrections to a data folder.

Writes DATA/SET.zip and the rows of the set in DATA/pairs.csv; rows of other sets stay. One photo in ten is for
validation. The photo's content decides this, so the choice does not depend on its name.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from packshot.core.codecs import LIBRARY_LIMITS, probe, read
from packshot.errors import InputError

COLUMNS = ("shard", "set", "stem", "width", "height", "split", "grade")
FINE = "A"  # a human has checked its edge
LONGEST_PX = 2000
VALIDATION_OF = 10
PHOTOS, MATTES = "photos", "mattes"


@dataclass(frozen=True)
class Correction:
    """A photo and its corrected matte: uint8 (H, W, 3) and (H, W). stem: a hash of its content."""

    stem: str
    photo: Image.Image
    matte: Image.Image

    @property
    def split(self) -> str:
        return "train" if int(self.stem, 16) % VALIDATION_OF else "val"


def corrections(review: Path) -> Iterator[Correction]:
    """The pairs of a review, sorted by photo name. Unreadable pairs are reported and skipped."""
    photos = {path.relative_to(review / PHOTOS).with_suffix(""): path for path in (review / PHOTOS).rglob("*.*")}
    seen = set[str]()
    for name in sorted(photos):
        matte_path = review / MATTES / f"{name}.png"
        if not photos[name].is_file() or not matte_path.is_file():
            continue
        data = photos[name].read_bytes()
        stem = hashlib.sha256(data).hexdigest()[:16]
        try:
            picture = read(data, probe(data, LIBRARY_LIMITS))
            with Image.open(matte_path) as file:
                matte = file.convert("L")
        except (InputError, OSError, ValueError) as error:
            print(f"{photos[name]}: skipped: {error}", file=sys.stderr)
            continue
        if matte.size != tuple(picture.size):
            print(f"{photos[name]}: skipped: its matte has another size", file=sys.stderr)
            continue
        if stem not in seen:
            seen.add(stem)
            photo = Image.fromarray(np.ascontiguousarray(picture.rgb))
            for image in (photo, matte):
                image.thumbnail((LONGEST_PX, LONGEST_PX), Image.Resampling.BOX)
            yield Correction(stem, photo, matte)


def write(review: Path, data: Path, name: str) -> list[dict[str, str]]:
    """Write a set, replacing an earlier set of this name; returns its rows of pairs.csv. Raises SystemExit if empty."""
    data.mkdir(parents=True, exist_ok=True)
    rows, beside = [], data / f"{name}.zip.part"
    with zipfile.ZipFile(beside, "w") as archive:  # its files are compressed already
        for pair in corrections(review):
            archive.writestr(f"im/{name}/{pair.stem}.webp", _encoded(pair.photo, "WEBP", quality=95, method=4))
            archive.writestr(f"gt/{name}/{pair.stem}.png", _encoded(pair.matte, "PNG"))
            size = map(str, pair.photo.size)
            rows.append(dict(zip(COLUMNS, (name, name, pair.stem, *size, pair.split, FINE), strict=True)))
    if not rows:
        beside.unlink()
        raise SystemExit(
            f"no correction in {review}: it should have {PHOTOS}/ and {MATTES}/, as packshot review writes them"
        )
    index = data / "pairs.csv"
    columns, others = _other_rows(index, name)
    with index.with_suffix(".part").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows([*others, *rows])
    beside.replace(data / f"{name}.zip")
    index.with_suffix(".part").replace(index)
    return rows


def _other_rows(index: Path, name: str) -> tuple[list[str], list[dict[str, str]]]:
    if not index.exists():
        return list(COLUMNS), []
    with index.open(newline="") as file:
        reader = csv.DictReader(file)
        return list(reader.fieldnames or COLUMNS), [row for row in reader if row["set"] != name]


def _encoded(image: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("review", type=Path, help="OUT/packshot-review of a batch")
    parser.add_argument("--out", type=Path, required=True, help="the data folder; created if missing")
    parser.add_argument("--set", default="corrections", help="name of the set (default: corrections)")
    options = parser.parse_args()
    rows = write(options.review, options.out, options.set)
    held = sum(row["split"] == "val" for row in rows)
    print(f"{len(rows)} corrections in {options.out / options.set}.zip, {held} of them held out")


if __name__ == "__main__":
    main()
