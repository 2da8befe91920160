"""Reads one file with two readers, and measures how far the pictures differ."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps

from packshot.core.codecs import Limits, probe, read
from packshot.core.picture import Bool, UInt8

# A picture too small for a network is still a sample of its format.
LIMITS = Limits(min_side_px=1)
MEAN, CELL_MEAN, GRID = 1.0, 4.0, 8
"""Two pictures count as equal with a mean error under MEAN of 255, and under CELL_MEAN in each cell of GRID x GRID."""


@dataclass(frozen=True, eq=False)
class Pixels:
    """An upright picture in sRGB. rgb: uint8 (H, W, 3). alpha: uint8 (H, W), 255 everywhere if the file has none."""

    rgb: UInt8
    alpha: UInt8


@dataclass(frozen=True)
class Difference:
    """Differences, of 255. mean, cell and most: of the colours where both pictures are visible, as the mean, in the
    worst cell, and in the worst pixel. alpha_mean, alpha_cell: of the alphas.
    """

    mean: float
    cell: float
    most: int
    alpha_mean: float
    alpha_cell: float

    @property
    def is_small(self) -> bool:
        """Whether people would see two equal pictures."""
        return max(self.mean, self.alpha_mean) < MEAN and max(self.cell, self.alpha_cell) < CELL_MEAN

    def __str__(self) -> str:
        words = f"mean {self.mean:.1f}, worst cell {self.cell:.0f}, most {self.most}"
        more = f"; alpha mean {self.alpha_mean:.1f}, worst cell {self.alpha_cell:.0f}"
        return words + more if self.alpha_cell >= MEAN else words


def compare(ours: Pixels, theirs: Pixels) -> Difference:
    """The difference of two pictures of equal size."""
    seen = np.minimum(ours.alpha, theirs.alpha) > 0
    error = np.asarray(cv2.absdiff(ours.rgb, theirs.rgb).max(axis=2) * seen, np.uint8)
    mean, cell = _means(error, seen)
    alpha_mean, alpha_cell = _means(np.asarray(cv2.absdiff(ours.alpha, theirs.alpha), np.uint8), np.ones_like(seen))
    return Difference(mean, cell, int(error.max()), alpha_mean, alpha_cell)


def _means(error: UInt8, counted: Bool) -> tuple[float, float]:
    """The mean over all counted pixels, and the mean of the worst cell. A cell's weight is at least a tenth of it."""
    grid = (min(GRID, error.shape[1]), min(GRID, error.shape[0]))
    sums, shares = (
        cv2.resize(each.astype(np.float32), grid, interpolation=cv2.INTER_AREA) for each in (error, counted)
    )
    return float(error.sum() / max(1, counted.sum())), float((sums / np.maximum(shares, 0.1)).max())


def by_packshot(data: bytes) -> tuple[Pixels, float, str]:
    """The picture, the processor time of its header in seconds, and a message if the header gave another size."""
    started = time.process_time()
    header = probe(data, LIMITS)
    seconds = time.process_time() - started
    picture = read(data, header)
    alpha = np.full(picture.rgb.shape[:2], 255, np.uint8) if picture.alpha is None else picture.alpha
    agree = sorted(header.size) == sorted(picture.size)
    return Pixels(picture.rgb, alpha), seconds, "" if agree else f"header {header.size}, picture {picture.size} px"


def by_pillow(data: bytes) -> Pixels:
    """The reference reader; for a HEIC if pillow_heif is registered (loaded.py).

    Raises: any exception of Pillow, and ValueError for samples whose range the file does not give.
    """
    with Image.open(io.BytesIO(data)) as opened:
        if opened.width * opened.height > LIMITS.max_pixels:
            raise ValueError(f"{opened.width}x{opened.height} px is too large")
        icc = opened.info.get("icc_profile")
        image = ImageOps.exif_transpose(opened)
    if image.mode in {"F", "I", "LAB", "HSV"}:
        raise ValueError(f"mode {image.mode} has no reference")
    if image.mode.startswith("I;16"):  # Pillow's own conversion clips at 255
        image = Image.fromarray(np.rint(np.asarray(image).astype(np.float32) / 257).astype(np.uint8))
    alpha = np.full((image.height, image.width), 255, np.uint8)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = np.array(image.getchannel("A"))
    if image.mode not in {"L", "RGB", "CMYK"}:
        image = image.convert("L" if image.mode == "1" else "RGB")
    return Pixels(np.array(_in_srgb(image, icc)), alpha)


def _in_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    if icc:
        try:
            transform = ImageCms.buildTransform(
                ImageCms.ImageCmsProfile(io.BytesIO(icc)),
                ImageCms.createProfile("sRGB"),
                image.mode,
                "RGB",
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
                ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
            return transform.apply(image)
        except (OSError, ImageCms.PyCMSError):
            pass  # a broken profile, or a profile for another colour space
    return image.convert("RGB")
