"""Measuring a finished picture: what lies behind its product, and, where a plain background shows it, its product."""

from __future__ import annotations

import cv2
import numpy as np

from packshot.core.geometry import Box
from packshot.core.matte import SPECK_SHARE, SPECK_SPAN, bounding_box
from packshot.core.picture import UInt8
from packshot.core.rules import Ground
from packshot.core.values import RGB

NEAR_PX = 16
"""How far from the product its own edge may colour the background: the blocks of a JPEG with halved colour."""

UNIFORM = 0.7
"""Share of the border that must have one colour for the background to count as plain: a product may cut one side."""

PLAIN_OFF = 8
"""Of 255: by how much pixels of one plain background differ from its middle colour."""

RINGING = np.float32(0.2)
"""A JPEG's edges ring by up to a fifth of their own contrast. Without this a red disc on white, in a JPEG of quality 50
to 85, seems 7 to 9 px wider on a side; with it, 0 or 1."""

DIRT = 0.5
"""Dirt on a background is half as large as the largest speck that the pipeline drops (core.matte.drop_faint): an
island's area is only about what its matte weighed, and a part that the pipeline has kept must never be taken for
dirt."""

_NEAR = np.ones((2 * NEAR_PX + 1, 2 * NEAR_PX + 1), np.uint8)


def measure_ground(rgb: UInt8, alpha: UInt8 | None, product: UInt8, colour: RGB, at_most_off: int = 0) -> Ground:
    """How far the background is from a colour, over all pixels that are not product nor within NEAR_PX of it.

    Parameters: rgb, uint8 (H, W, 3), as decoded from the file; alpha, uint8 (H, W) or None; product, uint8 (H, W), not
    0 where the product is; colour, sRGB; at_most_off, of 255, up to which a pixel counts as of this colour.
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
    """The product of a finished picture: what is opaque, or what differs from a border of one colour.

    Returns: uint8 (H, W), 1 where the product is; None where the border has no single colour, so that only a network
    can tell. A soft shadow counts as product, for nothing in the pixels tells it apart; dust and small print do not.
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
    """Without islands too small for a part of a product; what lies within NEAR_PX of an island belongs to it."""
    count, island, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(product, _NEAR), connectivity=8)
    areas = np.bincount(island.reshape(-1), product.reshape(-1), count)
    largest = int(areas.argmax())
    span = max(stats[largest, cv2.CC_STAT_WIDTH], stats[largest, cv2.CC_STAT_HEIGHT]) - 2 * NEAR_PX
    is_part = areas >= DIRT * min(SPECK_SHARE * areas[largest], SPECK_SPAN * span * span)
    return np.asarray(product * is_part[island], np.uint8)


def box_of(product: UInt8) -> Box | None:
    """The box around what is not 0 in uint8 (H, W), or None where nothing is."""
    return bounding_box(product.astype(np.float32))


def _difference(rgb: UInt8, colour: RGB) -> UInt8:
    """uint8 (H, W): the largest difference of any channel from a colour."""
    red, green, blue = cv2.split(cv2.absdiff(rgb, np.array([*colour, 0], np.float64)))
    return np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8)


def border_of(values: UInt8) -> UInt8:
    """The outermost pixels of (H, W[, C]): (n[, C])."""
    return np.concatenate([values[0], values[-1], values[1:-1, 0], values[1:-1, -1]])
