"""Measuring a finished picture: its background and, on a plain background, its product."""

from __future__ import annotations

import cv2
import numpy as np

from packshot.core.geometry import Box
from packshot.core.matte import SPECK_SHARE, SPECK_SPAN, bounding_box
from packshot.core.picture import UInt8
from packshot.core.rules import Ground
from packshot.core.values import RGB

NEAR_PX = 16
"""Distance within which the product's edge may colour the background: JPEG blocks at halved chroma."""

UNIFORM = 0.7
"""Share of the border that must have one colour for a plain background. A product may cut one side."""

PLAIN_OFF = 8
"""Largest difference of a plain background's pixels from its median colour, of 255."""

RINGING = np.float32(0.2)
"""A JPEG's edges ring by up to this share of their contrast. Without this bound, a red disc on white seems 7 to 9 px
wider on a side in a JPEG of quality 50 to 85. With it, the error is 0 or 1 px."""

DIRT = 0.5
"""Dirt is at most half as large as the largest speck that the pipeline drops (core.matte.drop_faint). An island's area
only approximates the weight of its matte, and a part that the pipeline kept must never count as dirt."""

_NEAR = np.ones((2 * NEAR_PX + 1, 2 * NEAR_PX + 1), np.uint8)


def measure_ground(rgb: UInt8, alpha: UInt8 | None, product: UInt8, colour: RGB, at_most_off: int = 0) -> Ground:
    """Measures how far the background is from a colour, over all pixels farther than NEAR_PX from the product.

    Parameters: rgb, uint8 (H, W, 3), as decoded from the file; alpha, uint8 (H, W) or None; product, uint8 (H, W),
    nonzero on the product; colour, sRGB; at_most_off, of 255, the difference up to which a pixel counts as this colour.
    """
    ground = cv2.dilate(product, _NEAR) == 0
    if not ground.any():
        return Ground()
    difference = _difference(rgb, colour)
    off = difference[ground]
    transparent = alpha is not None and int(alpha[ground].min()) < 255
    at_border = int(border_of(difference * ground).max())
    return Ground(int(off.max()), at_border, float((off > at_most_off).mean()), transparent)


def find_on_plain(rgb: UInt8, alpha: UInt8 | None) -> UInt8 | None:
    """Returns the product of a finished picture: opaque pixels, or pixels that differ from a border of one colour.

    Returns: uint8 (H, W), 1 on the product; None if the border has no single colour, so that only a network can tell. A
    soft shadow counts as product, since pixels alone cannot tell it apart. Dust and small print do not count.
    """
    if alpha is not None and float((border_of(alpha) == 0).mean()) >= UNIFORM:
        return (alpha > 0).astype(np.uint8)
    border = border_of(rgb)
    colour = np.median(border, axis=0)
    off = np.abs(border - colour).max(axis=1)
    plain = off <= PLAIN_OFF
    if float(plain.mean()) < UNIFORM:
        return None
    noise = float(off[plain].max())
    red, green, blue = (round(float(channel)) for channel in colour)
    difference = _difference(rgb, (red, green, blue))
    least = np.maximum(np.float32(noise + PLAIN_OFF), RINGING * cv2.dilate(difference, _NEAR))
    return _without_dirt(np.asarray(difference > least, np.uint8))


def _without_dirt(product: UInt8) -> UInt8:
    """Removes islands too small for a part of a product. Pixels within NEAR_PX of an island belong to it."""
    count, island, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(product, _NEAR), connectivity=8)
    areas = np.bincount(island.reshape(-1), product.reshape(-1), count)
    largest = int(areas.argmax())
    span = max(stats[largest, cv2.CC_STAT_WIDTH], stats[largest, cv2.CC_STAT_HEIGHT]) - 2 * NEAR_PX
    is_part = areas >= DIRT * min(SPECK_SHARE * areas[largest], SPECK_SPAN * span * span)
    return np.asarray(product * is_part[island], np.uint8)


def box_of(product: UInt8) -> Box | None:
    """Returns the box around nonzero values of uint8 (H, W), or None if all are 0."""
    return bounding_box(product.astype(np.float32))


def _difference(rgb: UInt8, colour: RGB) -> UInt8:
    """Returns the largest difference of any channel from a colour, uint8 (H, W)."""
    red, green, blue = cv2.split(cv2.absdiff(rgb, np.array([*colour, 0], np.float64)))
    return np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8)


def border_of(values: UInt8) -> UInt8:
    """Returns the outermost pixels of (H, W[, C]) as (n[, C])."""
    return np.concatenate([values[0], values[-1], values[1:-1, 0], values[1:-1, -1]])
