"""Postprocessing of a coarse matte: islands of no account, unsure insides, and haze far from any edge are decided.

Each rule looks at what lies around a pixel, never at the picture's own minimum and maximum: a network that found
nothing must not be stretched into having found something. All run at the network's size, a few milliseconds in all.
"""

from __future__ import annotations

import cv2
import numpy as np

from packshot.core.matte import DECIDED
from packshot.core.picture import Float32, logistic

SURE = np.float32(0.9)
"""From here on a pixel is inside. Lower, and the sides of what it encloses begin to leak."""

LEAST_SPECK_SHARE = 0.005
"""Of the largest island's mass: below it a sure island is of no account."""

HAZE_SHARE = 0.02
"""Half the window in which haze is measured, as a share of the longer side: 6 px at 320. A soft edge is 2 to 4 px wide
there, so it is a small part of its window; haze fills it."""

HAZE_GAIN = np.float32(2)
"""How much steeper the logistic curve becomes where all around is undecided (decision 0019)."""

LEAST_HOLE_SHARE = 5e-4
"""Of the picture: an enclosed gap that is smaller and nowhere surely background is a doubt, not a hole."""


def postprocess(coarse: Float32) -> Float32:
    """A coarse matte, float32 (h, w) in 0..1, with what can be decided decided. Returns the same shape and range."""
    return fill_insides(suppress_haze(drop_specks(coarse)))


def drop_specks(coarse: Float32) -> Float32:
    """A coarse matte without its islands of no account; several real objects all stay.

    An island stays if it is sure somewhere (1/2 or more) and its mass, area times confidence, is at least
    LEAST_SPECK_SHARE of the largest one's: beside an object that fills a fifth of 512x512 that is 16x16 px. At the
    network's size this takes 2 ms, at 1999 px it would take 23.

    Parameters: coarse, float32 (h, w) in 0..1. Returns: the same, with 0 for what was dropped.
    """
    count, island = cv2.connectedComponents((coarse > DECIDED).view(np.uint8), connectivity=8)
    mass = np.bincount(island.reshape(-1), coarse.reshape(-1), count)
    sure = np.bincount(island[coarse >= 0.5], minlength=count) > 0
    mass[0] = 0
    mass *= sure
    keeps = (mass > 0) & (mass >= LEAST_SPECK_SHARE * mass.max())
    keeps[0] = bool(keeps.any())  # the faint ground between islands, which refine treats as decided
    return np.where(keeps[island], coarse, np.float32(0))


def suppress_haze(coarse: Float32) -> Float32:
    """Values far from any edge move towards 0 or 1, on the side of 1/2 on which they are.

    An edge is undecided along a line, haze over an area: the share of undecidedness 4a(1-a) around a pixel says which,
    and the logit is multiplied by 1 + HAZE_GAIN times that share. 0, 1/2 and 1 stay; a soft edge moves by .05 or so.

    Parameters: coarse, float32 (h, w) in 0..1. Returns: the same.
    """
    side = 2 * max(1, round(HAZE_SHARE * max(coarse.shape))) + 1
    undecided = cv2.blur(4 * coarse * (1 - coarse), (side, side), borderType=cv2.BORDER_REFLECT)
    inner = np.clip(coarse, np.float32(1e-4), np.float32(1 - 1e-4))
    logit = np.log(inner / (1 - inner)) * (1 + HAZE_GAIN * np.asarray(undecided, np.float32))
    return np.where((coarse == 0) | (coarse == 1), coarse, logistic(logit))


def fill_insides(coarse: Float32) -> Float32:
    """Unsure regions that sure foreground encloses on all sides become solid; real holes stay open.

    Such a region is solid if it is foreground in the mean, or if it is tiny and nowhere decided to be background.

    Parameters: coarse, float32 (h, w) in 0..1. Returns: the same, with 1 for what was filled.
    """
    height, width = coarse.shape
    count, region, stats, _ = cv2.connectedComponentsWithStats((coarse < SURE).view(np.uint8), connectivity=4)
    left, top, across, down, area = stats.T
    enclosed = (left > 0) & (top > 0) & (left + across < width) & (top + down < height)
    flat = region.reshape(-1)
    mean = np.bincount(flat, coarse.reshape(-1), count) / np.maximum(area, 1)
    open_somewhere = np.bincount(flat[coarse.reshape(-1) <= DECIDED], minlength=count) > 0
    doubt = (mean >= 0.5) | ((area < LEAST_HOLE_SHARE * coarse.size) & ~open_somewhere)
    fills = enclosed & doubt
    fills[0] = False  # the sure foreground itself
    return np.where(fills[region], np.float32(1), coarse)
