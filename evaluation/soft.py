"""Errors at soft edges: a matte against a truth with half-transparent pixels.

Masks cut by hand give no half-transparent pixels, so only the band error uses them.
"""

from __future__ import annotations

import cv2
import numpy as np

from evaluation.field import Mask, Matte
from packshot.core.picture import Float32

BAND_SHARE = 0.005  # of the diagonal: 14 px at 2000x2000, 2 px at 400x300
UNSURE = 0.05  # an encoded truth is rarely exactly 0 or 1: JPEG leaves up to 10 of 255 next to an edge
SOFT = 0.1, 0.9
FILTER_SIGMA = 1.4  # Rhemann et al. 2009
STEP = 0.1  # same source
FORGIVEN = 0.15  # same source: a smaller loss of connection is invisible


def is_soft(truth: Float32) -> bool:
    """Whether a truth has half-transparent pixels: more than half its outline's length.

    A binary mask has none; a shrunk mask has about one for each pixel of the outline.
    """
    outline = cv2.morphologyEx((truth >= 0.5).view(np.uint8), cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8))
    return bool(cv2.countNonZero(cv2.inRange(truth, *SOFT)) > cv2.countNonZero(outline) / 2)


def band(truth: Float32, width_px: int) -> Mask:
    """The true edge and half-transparent parts, dilated by width_px."""
    square = np.ones((2 * width_px + 1, 2 * width_px + 1), np.uint8)
    return np.asarray((cv2.dilate(truth, square) > UNSURE) & (cv2.erode(truth, square) < 1 - UNSURE))


def band_mae(matte: Matte, truth: Float32, width_px: int) -> float:
    """Mean absolute error in the band, 0 if the band is empty: the MAE of the edge alone."""
    edge = band(truth, width_px)
    return float(np.abs(matte - truth)[edge].mean()) if edge.any() else 0.0


def gradient_error(matte: Matte, truth: Float32) -> float:
    """Sum of squared differences of the gradient magnitudes, in thousands: edges too steep, too flat, or doubled.

    Source: Rhemann et al. 2009, "A perceptually motivated online benchmark for image matting".
    """
    return float(((_steepness(matte) - _steepness(truth.astype(np.float64))) ** 2).sum() / 1000)


def _steepness(matte: Matte) -> Matte:
    """Gradient magnitude of the Gaussian-smoothed values, in each pixel."""
    at = np.arange(-4, 5)  # the bell exceeds 1 % here, as in the benchmark
    bell = np.exp(-(at**2) / (2 * FILTER_SIGMA**2))
    slope = at * bell
    # Each scaled to unit energy, like the benchmark's filters.
    bell, slope = bell / np.linalg.norm(bell), slope / np.linalg.norm(slope)
    across = cv2.sepFilter2D(matte, -1, slope, bell, borderType=cv2.BORDER_REPLICATE)
    down = cv2.sepFilter2D(matte, -1, bell, slope, borderType=cv2.BORDER_REPLICATE)
    return np.hypot(across, down)


def connectivity_error(matte: Matte, truth: Float32) -> float:
    """Sum of differences in the pixels' connection to the object, in thousands: lost strands, islands.

    A pixel is connected up to the threshold at which it still belongs to the largest piece that both mattes share;
    the rest of its value counts as loose.
    Source: Rhemann et al. 2009, as above.
    """
    held = np.zeros(truth.shape)
    still = np.ones(truth.shape, bool)
    for threshold in np.arange(STEP, 1 + STEP / 2, STEP):
        still &= _largest((matte >= threshold) & (truth >= threshold))
        held[still] = threshold
    return float(np.abs(_firmness(matte, held) - _firmness(truth, held)).sum() / 1000)


def _firmness(matte: Matte | Float32, held: Matte) -> Matte:
    loose = matte - held
    return np.where(loose >= FORGIVEN, 1 - loose, 1.0)


def _largest(mask: Mask) -> Mask:
    """The largest 4-connected piece."""
    count, piece, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=4)
    return piece == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if count > 1 else np.zeros_like(mask)
