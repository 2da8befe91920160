"""Make DATA/fluent-emoji.zip, cutouts for composites: `python -m training.emoji PACKAGE.tgz --out DATA`.

PACKAGE.tgz is the npm package @lobehub/fluent-emoji-3d (`npm pack` brings it): Microsoft's 3D emoji, MIT, as
CODE-CODE.webp with alpha. Signs, flags and repeats of one drawing in other skin tones are left out.
"""

from __future__ import annotations

import argparse
import io
import tarfile
import unicodedata
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

NAME = "fluent-emoji"
LEAST_COVER = 0.05  # of the frame
VARIATION, JOINER, KEYCAP = 0xFE0F, 0x200D, 0x20E3
SKIN_TONES = range(0x1F3FB, 0x1F400)
LETTERS = range(0x1F1E6, 0x1F200)  # two of them are a flag
FLAGS = (0x1F3F3, 0x1F3F4)
FIRST_PICTURE = 0x2600  # below it are digits, arrows and letters
SIGNS = (
    *("SQUARED", "CIRCLED", "INPUT SYMBOL", "CLOCK FACE", "ARROW", "NO ENTRY", "RECYCL", "SIGN", "SYMBOL", "BUTTON"),
    *("SQUARE", "HEAVY", "ZODIAC"),
)
ZODIAC = range(0x2648, 0x2654)


def is_thing(stem: str) -> bool:
    """Whether an emoji, by its code points in hexadecimal joined by "-", shows a thing or a being of its own shape."""
    codes = [code for code in (int(part, 16) for part in stem.split("-")) if code != VARIATION]
    first = codes[0]
    if first < FIRST_PICTURE or first in LETTERS or first in FLAGS or first in ZODIAC:
        return False
    if {JOINER, KEYCAP} & set(codes) or any(code in SKIN_TONES for code in codes):
        return False
    name = unicodedata.name(chr(first), "")
    return "SIGN OF THE HORNS" in name or not any(word in name for word in SIGNS)


def cover(file: bytes) -> float:
    """The share of the frame that is opaque."""
    with Image.open(io.BytesIO(file)) as picture:
        return float((np.asarray(picture.convert("RGBA"))[..., 3] > 127).mean())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="the data folder")
    options = parser.parse_args(arguments)
    count = 0
    with tarfile.open(options.package) as package, zipfile.ZipFile(options.out / f"{NAME}.zip", "w") as archive:
        for member in sorted(package.getmembers(), key=lambda member: member.name):
            path = PurePosixPath(member.name)
            content = package.extractfile(member) if path.suffix == ".webp" and is_thing(path.stem) else None
            if content and cover(file := content.read()) >= LEAST_COVER:
                archive.writestr(f"{NAME}/{path.name}", file)
                count += 1
    print(f"{count} pictures")


if __name__ == "__main__":
    main()
