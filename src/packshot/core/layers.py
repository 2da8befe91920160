"""What other programs put together by themselves: colours without their alpha, and colours that shine through."""

from __future__ import annotations

import cv2
import numpy as np

from packshot.core.picture import UInt8, to_uint8

_BLOCK_PX = 8  # a JPEG's blocks; with the next ones around, all that the edge's blocks can see


def spread_colours(rgb: UInt8, alpha: UInt8) -> UInt8:
    """Colours that go on beyond the product's edge, for a file without alpha that is shown with the matte beside it.

    A cutout is black where nothing is seen; a JPEG of it would carry that black into the edge. Near the product the
    mean of the seen colours around takes its place, farther out the mean of them all: nothing of what was removed.

    Parameters: rgb, uint8 (H, W, 3), 0 where alpha is; alpha, uint8 (H, W). Returns: uint8 (H, W, 3), the same where
    alpha is not 0.
    """
    seen = (alpha > 0).view(np.uint8)
    if seen.all() or not seen.any():
        return rgb
    height, width = alpha.shape
    blocks = (-(-width // _BLOCK_PX), -(-height // _BLOCK_PX))
    weight = cv2.resize(seen.astype(np.float32), blocks, interpolation=cv2.INTER_AREA)
    sums = cv2.resize(rgb, blocks, interpolation=cv2.INTER_AREA).astype(np.float32)
    mean = sums.sum(axis=(0, 1)) / weight.sum()
    around = cv2.blur(weight, (3, 3))
    near = cv2.blur(sums, (3, 3)) / np.maximum(around, np.float32(1e-6))[..., None]
    means = np.where((around > 1 / _BLOCK_PX**2)[..., None], near, mean)
    filled = cv2.resize(np.clip(np.rint(means), 0, 255).astype(np.uint8), (width, height))
    return np.asarray(cv2.copyTo(rgb, seen, filled), np.uint8)


def veil(rgb: UInt8, alpha: UInt8, colour: tuple[int, int, int], opaque: float) -> tuple[UInt8, UInt8]:
    """A cutout over a half-transparent colour: straight alpha a + (1-a)v, colours mixed by their shares of it.

    Parameters: rgb, uint8 (H, W, 3), and alpha, uint8 (H, W), of the cutout; colour; opaque, v, in 0..1, not 0.
    Returns: colours, uint8 (H, W, 3), and alpha, uint8 (H, W).
    Source: Porter and Duff 1984, doi:10.1145/800031.808606.
    """
    above = (alpha.astype(np.float32) / 255)[..., None]
    below = (1 - above) * np.float32(opaque)
    total = above + below
    mixed = (above * rgb + below * np.array(colour, np.float32)) / total
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8), to_uint8(np.asarray(total[..., 0], np.float32))
