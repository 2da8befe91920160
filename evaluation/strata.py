"""The strata of a report, measured on the picture and its truth alone: they describe a picture's difficulty."""

from __future__ import annotations

import cv2
import numpy as np

from evaluation.field import Mask
from evaluation.metrics import HOLE_SHARE, band_px, count_holes, eroded
from evaluation.soft import is_soft
from packshot.core.picture import Float32, UInt8

RING_SHARE = 0.02  # of the diagonal: width on either side of the edge where colours are compared
THIN_SHARE = 0.01  # of the diagonal: a part counts as thin below twice this width
THIN_LEAST = 0.1  # of the foreground
SOLID_LEVELS = 8  # of 255: paper under even light
NOISE_LEVELS = 6  # of 255, mean local change: the noise of a night photo
PLAIN_LEVELS = 3  # of 255, mean local change: wood grain and cloth are above it, a blurred room is below it
ALIKE_LEVELS = 40  # of 255, the distance of two colours in RGB
LOOKED_AT_PX = 256  # longest side at which backgrounds are classified

NO_FOREGROUND = "no foreground"


def strata(group: str, rgb: UInt8, truth: Float32) -> tuple[str, ...]:
    """The picture's set, size, place, number of objects, holes, thin parts, softness, background and contrast.

    rgb (H, W, 3) and truth (H, W). A truth without foreground has a single stratum of its own.
    """
    binary = truth >= 0.5
    if not binary.any():
        return (NO_FOREGROUND,)
    return (
        f"set {group}",
        foreground_size(truth),
        "touches the border" if touches_border(binary) else "clear of the border",
        "several objects" if object_count(binary) > 1 else "one object",
        *(["with holes"] if count_holes(binary, binary)[0] else []),
        *(["thin parts"] if thin_share(binary) > THIN_LEAST else []),
        *(["soft truth"] if is_soft(truth) else []),
        background_kind(rgb, binary),
        *(["colour of the background"] if contrast(rgb, binary) < ALIKE_LEVELS else []),
    )


def foreground_size(truth: Float32) -> str:
    share = float(truth.mean())
    return f"foreground {'under 10 %' if share < 0.1 else '10 to 40 %' if share <= 0.4 else 'over 40 %'}"


def touches_border(truth: Mask) -> bool:
    return bool(truth[0].any() or truth[-1].any() or truth[:, 0].any() or truth[:, -1].any())


def object_count(truth: Mask) -> int:
    """The number of separate pieces, without those under 0.1 % of the picture."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(truth.view(np.uint8), connectivity=8)
    return int(np.count_nonzero(stats[1:, cv2.CC_STAT_AREA] >= HOLE_SHARE * truth.size))


def thin_share(truth: Mask) -> float:
    """Share of the foreground in parts narrower than 2 % of the diagonal: a morphological opening removes them."""
    side = 2 * band_px(truth, THIN_SHARE) + 1
    # The picture continues beyond its border, and so does an object that touches it.
    framed = cv2.copyMakeBorder(truth.view(np.uint8), side, side, side, side, cv2.BORDER_REPLICATE)
    opened = cv2.morphologyEx(framed, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))[side:-side, side:-side]
    return 1 - int(np.count_nonzero(opened.astype(bool) & truth)) / int(np.count_nonzero(truth))


def background_kind(rgb: UInt8, truth: Mask) -> str:
    """Solid: of one colour. Plain: of several colours that blend into each other. Busy: with texture or objects."""
    scale = LOOKED_AT_PX / max(truth.shape)
    size = [max(1, round(side * scale)) for side in truth.shape[::-1]]
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    near = cv2.resize(truth.view(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)
    outside = eroded(near == 0, 6, outside=True)  # outside the blur
    if not outside.any():
        return "background hidden"
    smooth = cv2.GaussianBlur(small, (0, 0), 2)
    texture = float(np.abs(small - smooth).mean(axis=2)[outside].mean())
    colours = smooth[outside]
    away = np.percentile(np.abs(colours - np.median(colours, axis=0)).max(axis=1), 95)
    if away <= SOLID_LEVELS and texture <= NOISE_LEVELS:
        return "solid background"
    return "plain background" if texture <= PLAIN_LEVELS else "busy background"


def contrast(rgb: UInt8, truth: Mask) -> float:
    """Distance of the mean colours just inside and just outside the edge, 0..441."""
    width = band_px(truth, RING_SHARE)
    inside, outside = truth & ~eroded(truth, width, outside=True), ~truth & ~eroded(~truth, width, outside=True)
    if not inside.any() or not outside.any():
        return float("inf")
    return float(np.linalg.norm(rgb[inside].mean(axis=0) - rgb[outside].mean(axis=0)))
