"""Mattes of products on pure white: the ground is known, so pixels that differ from it are product; holes are white.

Only photos with a certain matte are kept: without soft shadow, without parts as white as the ground, without a doubtful
hole.
"""

from __future__ import annotations

import cv2
import numpy as np

PLAIN = 22
"""Levels below white, in the darkest channel: from this value on a pixel is certainly product."""

NOISE = 8
"""Levels of compression noise around an edge."""

_PIXEL = np.ones((3, 3), np.uint8)


def white_matte(rgb: np.ndarray) -> np.ndarray | None:
    """The matte, uint8 (H, W), of a photo on white, uint8 (H, W, 3); None if it would be a guess."""
    distance = 255 - rgb.min(2).astype(np.float32)
    soft = cv2.blur(distance, (3, 3))
    frame = np.concatenate([distance[0], distance[-1], distance[:, 0], distance[:, -1]])
    if (frame > 6).mean() > 0.02:
        return None
    plain = (distance > PLAIN).astype(np.uint8)
    solid = (plain > 0) | ((cv2.dilate(plain, _PIXEL) > 0) & (distance > NOISE))
    ground = _ground(~solid, soft)
    if ground is None:
        return None
    product = _without_specks(~ground)
    if product.mean() < 0.01 or _is_doubtful(product, distance, soft):
        return None
    # On white, I = aF + (1-a): the distance is a share of the distance of the solid product next to it.
    nearby = cv2.dilate(np.where(product, distance, 0).astype(np.float32), np.ones((5, 5), np.uint8))
    edge = product & (cv2.dilate((~product).astype(np.uint8), _PIXEL) > 0)
    alpha = np.where(edge, np.clip(distance / np.maximum(nearby, 1), 0, 1), product)
    return np.round(255 * alpha).astype(np.uint8)


def _ground(open_: np.ndarray, soft: np.ndarray) -> np.ndarray | None:
    """The ground, bool (H, W): open regions at the border, and holes. None if a large region could be either."""
    height, width = open_.shape
    count, labels, stats, _ = cv2.connectedComponentsWithStats(open_.astype(np.uint8), connectivity=4)
    left, top, across, down, area = stats.T
    at_border = (left == 0) | (top == 0) | (left + across == width) | (top + down == height)
    core = cv2.erode(open_.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    core_area = np.bincount(labels[core], minlength=count)
    mean = np.bincount(labels[core], soft[core], count) / np.maximum(core_area, 1)
    tinted = np.bincount(labels[core], soft[core] > 6, count) / np.maximum(core_area, 1)
    narrow = np.bincount(labels.ravel(), soft.ravel(), count) / np.maximum(area, 1) < 2 * NOISE
    hole = ~at_border & (area >= 10) & np.where(core_area >= 6, (mean < 2.2) & (tinted < 0.06), narrow)
    doubtful = ~at_border & ~hole & (area > 0.002 * open_.size) & (mean < 4)
    inside_product = 0  # the label of pixels that are not open
    hole[inside_product] = doubtful[inside_product] = at_border[inside_product] = False
    return None if doubtful.any() else (at_border | hole)[labels]


def _without_specks(product: np.ndarray) -> np.ndarray:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(product.astype(np.uint8), connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= max(12, 0.0005 * product.size)
    large[0] = False
    return large[labels]


def _is_doubtful(product: np.ndarray, distance: np.ndarray, soft: np.ndarray) -> bool:
    """Whether the ground is tinted: by a shadow or a white part far from the product, or by a soft rim around it."""
    mask = product.astype(np.uint8)
    far = cv2.dilate(mask, np.ones((13, 13), np.uint8)) == 0
    rim = (cv2.dilate(mask, np.ones((5, 5), np.uint8)) == 0) & ~far
    edge = product & (cv2.erode(mask, _PIXEL) == 0)
    shaded = ((soft > 4) & far).sum() > 0.0008 * product.size
    return bool(shaded or ((distance > NOISE + 1) & rim).sum() > 0.12 * edge.sum())


def unmixed(rgb: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """Colours of the product itself, uint8 (H, W, 3), with the white of the ground removed from its edge."""
    alpha = np.maximum(matte, 1)[..., None].astype(np.float32) / 255
    return np.clip(255 - (255 - rgb.astype(np.float32)) / alpha, 0, 255).astype(np.uint8)
