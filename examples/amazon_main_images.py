"""Make Amazon main images from a folder of photos, named for Amazon's bulk upload, and check the rules.

    python examples/amazon_main_images.py photos/ amazon/

Name a photo after its product: B000123456.jpg, or the number under its barcode (EAN, JAN, UPC, ISBN-13). Your own
names, such as an SKU, need a list: `--names names.csv`, with the columns `photo` (the file name without its suffix) and
`product`. Photos of other views, such as B000123456.PT01.jpg, are skipped.

amazon/ then holds B000123456.MAIN.jpg for each photo whose picture keeps every required rule: zip these and upload
them. Pictures that break a rule go to amazon/rejected/. rules.csv has one line for each picture and rule, with the
measured value. The program lists cases for a human at the end; the exit code is then 1.

Amazon's naming: product identifier, full stop, variant code, full stop, ending; "spaces, dashes, or additional
characters will prevent your image from being uploaded" (Seller Central, Name your image files).
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import packshot

RULES = ("photo", "picture", "rule", "required", "passed", "measured", "asked", "message")


def product_of(name: str, names: dict[str, str]) -> str:
    """The product identifier from a photo's name, or from the list. Raises ValueError."""
    identifier = re.sub(r"[\s-]", "", names.get(name, name)).upper()
    if re.fullmatch(r"\d{12,13}", identifier):
        if not has_check_digit(identifier):
            raise ValueError(f"{identifier} is not a barcode number: its check digit is wrong")
    elif not re.fullmatch(r"[A-Z0-9]{10}", identifier):
        raise ValueError(f"{name} is neither an ASIN nor a barcode number; list it with --names")
    return identifier


def has_check_digit(number: str) -> bool:
    """Whether the last digit of an EAN, JAN, UPC or ISBN-13 is the correct check digit (GS1)."""
    weighted = (int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(number)))
    return sum(weighted) % 10 == 0


def read_names(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return {row["photo"]: row["product"] for row in csv.DictReader(lines)}


def main_photos(folder: Path) -> Iterator[tuple[Path, str]]:
    """The photos of main images, with the product part of their names. A name without a variant code means MAIN."""
    for photo in sorted(folder.iterdir()):
        name, dot, variant = photo.stem.rpartition(".")
        if photo.is_file() and not photo.name.startswith(".") and (not dot or variant.upper() == "MAIN"):
            yield photo, name or photo.stem


def make(photo: Path, options: packshot.Options, name: str, folder: Path) -> tuple[list[dict[str, object]], list[str]]:
    """Write the main image of a photo. Returns its lines of rules.csv, and messages for a human."""
    result = packshot.remove(photo, options)
    checks = result.report.checks if result.report else ()
    trouble = [check.message for check in checks if check.required and not check.passed]
    result.save((folder / "rejected" if trouble else folder) / name)
    lines = [{"photo": photo.name, "picture": name, **asdict(check)} for check in checks]
    return lines, trouble + ["check it: the outline is uncertain"] * result.review


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument("amazon", type=Path, help="folder for the main images and rules.csv")
    parser.add_argument("--names", type=Path, help="CSV with the columns photo and product")
    parser.add_argument("--max-upscale", type=float, default=1.0, help="greatest enlargement of small products (to 4)")
    given = parser.parse_args()

    options = packshot.Options(preset="amazon", format="jpeg", max_upscale=given.max_upscale)
    names = read_names(given.names)
    (given.amazon / "rejected").mkdir(parents=True, exist_ok=True)
    done: dict[str, Path] = {}
    trouble: list[str] = []
    with (given.amazon / "rules.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, RULES, extrasaction="ignore")
        writer.writeheader()
        for photo, said in main_photos(given.photos):
            try:
                product = product_of(said, names)
                if product in done:
                    raise ValueError(f"{done[product].name} is already the main image of {product}")
                lines, doubts = make(photo, options, f"{product}.MAIN.jpg", given.amazon)
            except (ValueError, packshot.PackshotError) as error:
                trouble.append(f"{photo.name}: {error}")
                continue
            done[product] = photo
            writer.writerows(lines)
            trouble += [f"{photo.name}: {doubt}" for doubt in doubts]
    rejected = len(list((given.amazon / "rejected").glob("*.MAIN.jpg")))
    print(f"{len(done)} main images, {rejected} of them rejected; {file.name} has the measured values")
    for line in trouble:
        print(f"  {line}")
    sys.exit(1 if trouble else 0)


if __name__ == "__main__":
    main()
