"""Square packshots for every product of a Shopify shop: from its CSV export and its photos to a CSV for the import.

    python examples/shopify_export.py products_export.csv photos/ packshots/ \\
        --address https://cdn.shopify.com/s/files/1/0123/4567/8901/files

1. In the admin, Products > Export gives products_export.csv. It has each picture as a URL that ends in a file name: put
   the photos under these names into one folder (another suffix, .png for .jpg, is fine).
2. Run this. packshots/ then holds NAME-packshot.jpg for each photo, and products_import.csv.
3. In the admin, Content > Files takes all the pictures at once. Copy the link of one of them: the part before its name
   is the --address. (Any public address works: Shopify fetches the pictures from there during the import.)
4. Products > Import takes products_import.csv, with "Overwrite products with matching handles" ticked. Begin with a
   copy that has one product only.

Every row and column of the export stays, and only the addresses of pictures change: Shopify treats a missing option
column as a request to delete variants. A product keeps its picture if its photo is missing or unusable. Both sets of
column names work: Handle, Image Src, Variant Image, and since 2025 URL handle, Product image URL, Variant image URL.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import packshot

HANDLE = ("Handle", "URL handle")
PICTURE = ("Image Src", "Product image URL")
VARIANT = ("Variant Image", "Variant image URL")


@dataclass
class Shop:
    """The pictures of an export; each is made once, even if several rows show it."""

    photos: dict[str, Path]
    folder: Path
    address: str
    options: packshot.Options
    made: dict[str, str] = field(default_factory=dict)
    trouble: list[str] = field(default_factory=list)

    def new_address(self, url: str) -> str:
        """The future address of the packshot of the picture at `url`, or `url` itself if there is none."""
        if url not in self.made:
            self.made[url] = self._make(url)
        return self.made[url]

    def _make(self, url: str) -> str:
        name = unquote(Path(urlsplit(url).path).stem)
        photo = self.photos.get(name.lower())
        if photo is None:
            self.trouble.append(f"{name}: no photo of this name")
            return url
        try:
            result = packshot.remove(photo, self.options)
        except packshot.PackshotError as error:
            self.trouble.append(f"{name}: {error}")
            return url
        self.trouble += [f"{name}: check it, the outline is uncertain"] * result.review
        self.trouble += [f"{name}: {note}" for note in result.notes]
        # A plain name that differs from the photo's, so that Shopify has no reason to change it.
        file = self.folder / f"{re.sub(r'[^A-Za-z0-9_-]+', '_', name)}-packshot.jpg"
        result.save(file)
        return f"{self.address.rstrip('/')}/{file.name}"


def convert(rows: list[dict[str, str]], shop: Shop) -> None:
    """Change the addresses in the rows of an export."""
    _, picture, variant = (column(rows[0], names) for names in (HANDLE, PICTURE, VARIANT))
    for row in rows:
        if picture and row[picture]:
            row[picture] = shop.new_address(row[picture])
        if variant and row[variant]:
            row[variant] = shop.new_address(row[variant])


def column(row: dict[str, str], names: tuple[str, ...]) -> str | None:
    """This export's name for a column. Exits if the CSV has no handles or pictures."""
    found = next((name for name in names if name in row), None)
    if found is None and names != VARIANT:
        sys.exit(f"The CSV has no column {' or '.join(names)}: is it an export of products?")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", type=Path, help="the CSV that Shopify exported")
    parser.add_argument("photos", type=Path, help="folder of photos, named like the export's pictures")
    parser.add_argument("packshots", type=Path, help="folder for the packshots and products_import.csv")
    parser.add_argument("--address", required=True, help="web address of the packshots' folder")
    parser.add_argument("--preset", default="shopify", help="or square, or any other (default: %(default)s)")
    given = parser.parse_args()

    with given.export.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        sys.exit(f"{given.export} has no products.")
    given.packshots.mkdir(parents=True, exist_ok=True)
    photos = {photo.stem.lower(): photo for photo in sorted(given.photos.iterdir()) if photo.is_file()}
    options = packshot.Options(preset=given.preset, canvas="1:1", format="jpeg")
    shop = Shop(photos, given.packshots, given.address, options)
    convert(rows, shop)
    with (given.packshots / "products_import.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    changed = sum(old != new for old, new in shop.made.items())
    print(f"{changed} of {len(shop.made)} pictures are packshots now; import {file.name}")
    for line in shop.trouble:
        print(f"  {line}")


if __name__ == "__main__":
    main()
