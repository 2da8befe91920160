"""Foreground estimation (decontamination): colours of soft pixels without the background that shines through."""

from __future__ import annotations

import cv2
import numpy as np

from packshot.core.matte import in_levels
from packshot.core.picture import Float32, Foreground, Picture, chunks, ramp, to_unit
from packshot.core.plain_ground import GroundColours
from packshot.core.resample import Grid, grid, resample, resample_colours, sample, size_of
from packshot.core.unmix import FEW, nearby

SIDE_PX = 128
"""Longest side for the blurs, px: colours vary slowly on either side of an edge. 256 px takes 2.5 ms more, and is no
closer to the true colours at hard edges and by 0.1 of 255 among strands (decision 0004)."""

RADII = (6, 1)
"""Radii of the two blurs at that size. The first reaches across wide soft parts (the paper's 90 px at 2000), the second
refines nearby colours."""

SOLID = np.float32(0.995)
"""Share from which a pixel shows the product's own colour."""

_TINY = np.float32(1e-5)

_SOFT = np.array([1.0]), np.array([254.0])
"""Alpha of the transition region."""


def estimate_foreground(picture: Picture, matte: Float32, ground: GroundColours | None = None) -> Foreground:
    """Returns the colours F of I = aF + (1-a)B in the transition region; elsewhere the picture's own pixels are right.

    Blur fusion: F and B start as averages of the surrounding picture, weighted by how much each pixel belongs to
    either. Then both move by the least amount that makes the equation hold. The averages are made at a reduced size.
    The equation is solved at full size, in the transition region only.

    Weights are a² and (1-a)²; the paper has a and 1-a. A nearly pure pixel says more about its colour, which reduces
    the error among strands by a sixth.

    The region excludes pixels whose alpha rounds to 0, which need no colour, or to 255, which keep theirs. In a picture
    with transparency, background is only the difference between its own alpha and the matte.

    On a plain ground, whose colour is known, its spill is removed from fur (_without_spill).

    Parameters: picture; matte, float32 (H, W) in 0..1; ground, if it is plain. Returns: Foreground, colours in 0..255,
    not rounded.
    Source: Forte and Pitié 2021, ICIP, doi:10.1109/ICIP42928.2021.9506164.
    """
    alpha = in_levels(matte)
    soft = np.asarray(cv2.inRange(alpha, *_SOFT), np.uint8) & np.uint8(1)
    transition = np.flatnonzero(soft.view(np.bool_))  # in half of the time that numbers take
    colours = np.empty((transition.size, 3), np.float32)
    if not transition.size:
        return Foreground(picture.rgb, alpha, transition, colours)
    share, size = _share(picture, matte), picture.size.reduced(SIDE_PX)
    seen = resample_colours(picture, size).astype(np.float32)
    # 8 bits are enough for the weights of averages, and take half of the time.
    small = to_unit(resample(alpha, size)) if share is matte else resample(share, size)
    front, back = _blurred_colours(seen, small)
    for chunk in chunks(transition.size):
        where = transition[chunk]
        pixels = np.take(picture.rgb.reshape(-1, 3), where, axis=0).astype(np.float32)
        at = grid(where, picture.size, size)
        shares = _in_three(share.reshape(-1)[where]).reshape(-1, 3)
        fused = _fuse(pixels, shares, sample(front, at), sample(back, at))
        if ground is not None:
            fused = _without_spill(fused, seen, small, at, ground)
        colours[chunk] = fused
    return Foreground(picture.rgb, alpha, transition, colours)


def _without_spill(colours: Float32, seen: Float32, share: Float32, at: Grid, ground: GroundColours) -> Float32:
    """Removes the ground's colour from the transition region, as far as solid pixels nearby contain less of it.

    Works only on wide edges, as in fur. There blur fusion guesses the product's colour from pixels that all contain
    some ground. On a bear's fur, the remaining ground falls from .037 to .003 on blue, and from .12 to .05 on white. On
    crisp edges it would remove the product's own light rims (decision 0039).

    Parameters: colours, float32 (n, 3), of the transition region; seen, float32 (h, w, 3) in 0..255, the reduced
    picture; share, float32 (h, w), of the foreground in it; at, the region's grid in it. Returns: float32 (n, 3).
    """
    wide = ramp(np.asarray(cv2.boxFilter(4 * share * (1 - share), -1, (5, 5)), np.float32), 0.15, 0.3)
    if not wide.any():
        return colours
    behind = sample(cv2.merge([*cv2.split(ground.at(size_of(seen))), wide]), at)  # type: ignore[arg-type]
    chosen = np.flatnonzero(behind[:, 3] > 0)
    near = sample(nearby(seen, share > SOLID, (1, 3)), at)[chosen]
    span = behind[chosen, :3] - near[:, :3]
    square = np.einsum("nc,nc->n", span, span)
    more = np.einsum("nc,nc->n", colours[chosen] - near[:, :3], span)
    spilled = np.clip(more / np.maximum(square, 1), 0, 1)
    spilled *= ramp(np.sqrt(square / 3), 20, 60) * behind[chosen, 3] * (near[:, 3] > FEW)
    colours[chosen] = np.clip(colours[chosen] - spilled[:, None] * span, 0, 255)
    return colours


def _share(picture: Picture, matte: Float32) -> Float32:
    """Returns the foreground's share of each visible pixel: the matte divided by the picture's own alpha."""
    if picture.alpha is None:
        return matte
    share = to_unit(picture.alpha)
    np.maximum(share, _TINY, out=share)
    np.divide(matte, share, out=share)
    return np.minimum(share, np.float32(1), out=share)


def _blurred_colours(pixels: Float32, share: Float32) -> tuple[Float32, Float32]:
    """Returns F and B of a whole reduced picture: two float32 (h, w, 3) in 0..255."""
    front = back = pixels
    shares = _in_three(share)
    for radius in RADII:
        average_front, back = _weighted_blur(front, share, radius), _weighted_blur(back, 1 - share, radius)
        front = _fuse(pixels, shares, average_front, back)
    return front, back


def _weighted_blur(colours: Float32, weight: Float32, radius: int) -> Float32:
    """Returns the box average of colours (h, w, 3), each weighted by its squared weight (h, w)."""
    side, weight = (2 * radius + 1, 2 * radius + 1), weight * weight + _TINY
    total = cv2.boxFilter(weight, -1, side)
    weighted = cv2.multiply(colours, _in_three(weight))
    return np.asarray(
        cv2.divide(cv2.boxFilter(weighted, -1, side), _in_three(np.asarray(total, np.float32))), np.float32
    )


def _in_three(plane: Float32) -> Float32:
    """Returns a plane as three equal channels: numpy's broadcast to three takes twice as long."""
    return np.asarray(cv2.merge([plane, plane, plane]), np.float32)


def _fuse(pixels: Float32, share: Float32, front: Float32, back: Float32) -> Float32:
    """Corrects a guess by its residual: F = F' + a (I - aF' - (1-a)B), within 0..255. share: float32
    (..., 3), equal channels."""
    behind = front - back
    behind *= share
    fused = pixels - back
    fused -= behind
    fused *= share
    fused += front
    return np.clip(fused, np.float32(0), np.float32(255), out=fused)
