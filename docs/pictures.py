"""Make the README's picture from examples/: `python -m docs.pictures`. Photo, cutout on a checkerboard, on white."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from evaluation.sheet import checkerboard, cutout_over
from packshot.core import codecs
from packshot.core.picture import UInt8
from packshot.engine.matting import find_matte
from packshot.engine.network import default_network

ROOT = Path(__file__).parent.parent
PANEL_PX = 400
PHOTOS = ("bear.jpg", "stool.jpg", "mug.jpg")


def panels(path: Path) -> list[UInt8]:
    """The photo and two renderings of it, at full size."""
    picture = codecs.decode(path.read_bytes())
    matte = find_matte(picture, default_network()).matte
    white = np.full((1, 1, 1), 255, np.uint8)
    return [picture.rgb, cutout_over(picture, matte, checkerboard(picture)), cutout_over(picture, matte, white)]


def main() -> None:
    rows = []
    for name in PHOTOS:
        images = panels(ROOT / "examples" / name)
        scale = PANEL_PX / images[0].shape[1]
        rows.append(
            np.hstack([cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for image in images])
        )
    target = ROOT / "docs" / "pictures" / "before-after.jpg"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(codecs.encode(np.vstack(rows), format="jpeg", quality=90))


if __name__ == "__main__":
    main()
