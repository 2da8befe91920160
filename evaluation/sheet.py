"""Contact sheets: `python -m evaluation.sheet FOLDER_OR_ZIP --out sheet.png` shows mattes and cutouts of any photos.

Figures hide visible faults. Each row of a sheet is one picture, with its panels side by side.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from evaluation.pairs import photos
from packshot.core.compose import cutout
from packshot.core.foreground import estimate_foreground
from packshot.core.picture import Float32, Picture, UInt8, to_uint8
from packshot.engine.matting import find_matte
from packshot.engine.network import load_network
from packshot.engine.weights import DEFAULT_MODEL

PANEL_PX = 240
GAP_PX = 6
GRAY = 128


def panel(image: UInt8) -> UInt8:
    """A picture (H, W, 3) or matte (H, W), shrunk to fit a dark square of PANEL_PX."""
    rgb = image if image.ndim == 3 else np.repeat(image[..., None], 3, 2)
    height, width = rgb.shape[:2]
    scale = PANEL_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    square = np.full((PANEL_PX, PANEL_PX, 3), 24, np.uint8)
    top, left = (PANEL_PX - size[1]) // 2, (PANEL_PX - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = small
    return square


def cutout_over(picture: Picture, matte: Float32, backdrop: UInt8) -> UInt8:
    """The user's cutout over a backdrop (H, W, 1 or 3)."""
    rgb, alpha = cutout(estimate_foreground(picture, matte))
    opacity = alpha[..., None] / np.float32(255)
    return np.rint(rgb * opacity + backdrop * (1 - opacity)).astype(np.uint8)


def gray(picture: Picture) -> UInt8:
    """A backdrop that shows both dark and light fringes."""
    return np.full((picture.size.height, picture.size.width, 1), GRAY, np.uint8)


def checkerboard(picture: Picture) -> UInt8:
    """The usual transparency pattern, with 16 squares along the longest side."""
    square = max(1, picture.size.longest // 16)
    y, x = np.ogrid[: picture.size.height, : picture.size.width]
    light = (y // square + x // square) % 2 == 0
    return np.where(light, np.uint8(238), np.uint8(198))[..., None]


def sheet(rows: Iterable[tuple[str, Sequence[UInt8]]], *, columns: int = 2) -> UInt8:
    """Rows of panels with captions, laid out in `columns` -> RGB uint8 (H, W, 3)."""
    strips = [captioned(caption, [panel(image) for image in images]) for caption, images in rows]
    if not strips:
        raise SystemExit("there are no pictures for the sheet")
    blank = np.zeros_like(strips[0])
    strips += [blank] * (-len(strips) % columns)
    lines = [np.hstack(strips[start : start + columns]) for start in range(0, len(strips), columns)]
    return np.vstack(lines)


def captioned(caption: str, panels: Sequence[UInt8]) -> UInt8:
    """One row: a line of text over its panels."""
    gap = np.zeros((PANEL_PX, GAP_PX, 3), np.uint8)
    strip = np.hstack([part for image in panels for part in (image, gap)])
    text = np.zeros((18, strip.shape[1], 3), np.uint8)
    cv2.putText(text, caption, (2, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (230, 230, 230), 1, cv2.LINE_AA)
    return np.vstack([text, strip])


def write(path: Path, image: UInt8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    path.write_bytes(encoded.tobytes())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="a folder or a zip of photos")
    parser.add_argument("--out", type=Path, required=True, help="sheet.png or sheet.jpg")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="name of an embedded model, or path of an .onnx file")
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    network = load_network(options.model)
    rows = []
    for name, picture in photos(options.source, count=options.count, seed=options.seed):
        matte = find_matte(picture, network).matte
        rows.append((name, (picture.rgb, to_uint8(matte), cutout_over(picture, matte, checkerboard(picture)))))
    write(options.out, sheet(rows))


if __name__ == "__main__":
    main()
