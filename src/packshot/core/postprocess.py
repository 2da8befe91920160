"""Postprocessing of a coarse matte: decides small islands, unsure insides, and haze far from any edge.

Each rule uses the surroundings of a pixel, never the picture's own minimum and maximum. Otherwise the output of a
network that found nothing would be stretched into a product. All rules run at the network's size, in a few
milliseconds.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from packshot.core.matte import DECIDED
from packshot.core.picture import Bool, Float32, Index, logistic

SURE = np.float32(0.9)
"""Value from which a pixel is inside. With a lower value, the sides of enclosed areas begin to leak."""

LEAST_SPECK_SHARE = 0.005
"""Share of the largest island's mass. Islands below it are dropped, even sure ones."""

HAZE_SHARE = 0.02
"""Half of the window in which haze is measured, as a share of the longer side: 6 px at 320. A soft edge is 2 to 4 px
wide there and covers a small part of its window; haze fills it."""

HAZE_GAIN = np.float32(2)
"""Increase of the logistic curve's slope where all surroundings are undecided (decision 0019)."""

ALMOST = np.float32(0.004)
"""Values closer than this to 0 or 1 stay. `refine` sets them to 0 or 1 in any case, and they are nearly all pixels."""

LEAST_HOLE_SHARE = 5e-4
"""Share of the picture. A smaller enclosed gap that is nowhere surely background is a doubt, not a hole."""


def postprocess(coarse: Float32) -> Float32:
    """Returns a coarse matte, float32 (h, w) in 0..1, with doubtful areas decided. Same shape and range."""
    return fill_insides(suppress_haze(drop_specks(coarse)))


def drop_specks(coarse: Float32) -> Float32:
    """Removes the small islands of a coarse matte; several real objects all stay.

    An island stays if it is sure somewhere (1/2 or more) and heavy enough. Its mass, area times confidence, must be at
    least LEAST_SPECK_SHARE of the largest one's. Next to an object that fills a fifth of 512x512, that is 16x16 px.
    This takes 2 ms at the network's size; at 1999 px it would take 23.

    Parameters: coarse, float32 (h, w) in 0..1. Returns: the same, with 0 for dropped pixels.
    """
    count, island = cv2.connectedComponents((coarse > DECIDED).view(np.uint8), connectivity=8)
    sure = coarse >= 0.5
    if count <= 2:  # no island, or one
        return coarse if sure.any() else np.zeros_like(coarse)
    # Sums over the small islands, and the rest for the largest: sums over all pixels take three times as long.
    largest = 1 + int(np.bincount(island.reshape(-1), minlength=count)[1:].argmax())
    at = _pixels_of(island, np.isin(np.arange(count), (0, largest), invert=True))
    island_of, small = island.reshape(-1)[at], coarse.reshape(-1)[at]
    mass = np.bincount(island_of, small, count)
    surely = np.bincount(island_of[small >= 0.5], minlength=count)
    mass[largest] = cv2.sumElems(cv2.threshold(coarse, float(DECIDED), 0, cv2.THRESH_TOZERO)[1])[0] - mass.sum()
    surely[largest] = np.count_nonzero(sure) - surely.sum()
    mass *= surely > 0
    keeps = (mass > 0) & (mass >= LEAST_SPECK_SHARE * mass.max())
    keeps[0] = bool(keeps.any())  # the faint ground between islands, which refine treats as decided
    if keeps.all():
        return coarse
    kept = coarse.copy()
    kept.reshape(-1)[_pixels_of(island, ~keeps)] = 0
    return kept


def suppress_haze(coarse: Float32) -> Float32:
    """Moves values far from any edge towards 0 or 1, away from 1/2.

    An edge is undecided along a line, haze over an area. The share of undecidedness 4a(1-a) around a pixel tells them
    apart. The logit is multiplied by 1 + HAZE_GAIN times that share. 0, 1/2 and 1 stay; a soft edge moves by about .05.

    Parameters: coarse, float32 (h, w) in 0..1. Returns: the same.
    """
    side = 2 * max(1, round(HAZE_SHARE * max(coarse.shape))) + 1
    undecided = cv2.blur(4 * coarse * (1 - coarse), (side, side), borderType=cv2.BORDER_REFLECT)
    at = np.flatnonzero((coarse > ALMOST) & (coarse < 1 - ALMOST))
    inner, share = coarse.reshape(-1)[at], np.asarray(undecided, np.float32).reshape(-1)[at]
    moved = coarse.copy()
    moved.reshape(-1)[at] = logistic(np.log(inner / (1 - inner)) * (1 + HAZE_GAIN * share))
    return moved


def fill_insides(coarse: Float32) -> Float32:
    """Fills unsure regions that sure foreground encloses on all sides; real holes stay open.

    A region is filled if its mean is foreground, or if it is tiny and nowhere decided to be background.

    Parameters: coarse, float32 (h, w) in 0..1. Returns: the same, with 1 for filled pixels.
    """
    # A seventh of the time of the function with statistics.
    count, region = cv2.connectedComponents((coarse < SURE).view(np.uint8), connectivity=4)
    enclosed = np.ones(count, np.bool_)
    enclosed[0] = False  # the sure foreground itself
    for border in (region[0], region[-1], region[:, 0], region[:, -1]):
        enclosed[border] = False
    if not enclosed.any():
        return coarse
    at = _pixels_of(region, enclosed)
    of, values = region.reshape(-1)[at], coarse.reshape(-1)[at]
    area = np.bincount(of, minlength=count)
    mean = np.bincount(of, values, count) / np.maximum(area, 1)
    open_somewhere = np.bincount(of[values <= DECIDED], minlength=count) > 0
    doubt = (mean >= 0.5) | ((area < LEAST_HOLE_SHARE * coarse.size) & ~open_somewhere)
    filled = coarse.copy()
    filled.reshape(-1)[at[doubt[of]]] = 1
    return filled


def _pixels_of(label: npt.NDArray[Any], chosen: Bool) -> Index:
    """Returns the flat indices of all pixels with a chosen label."""
    return np.flatnonzero(np.take(chosen, label))
