"""Foreground colours (decontamination): what a soft pixel looks like without the background that shines through it."""

from __future__ import annotations

import cv2
import numpy as np

from packshot.core.geometry import Size
from packshot.core.picture import Float32, Foreground, Index, Picture, to_unit
from packshot.core.resample import grid, resample, sample, size_of

SIDE_PX = 256
"""Longest side at which the blurs run: colours vary slowly on either side of an edge. With mattes as they come out of
refine, 512 px is no nearer to the true colours and takes twice as long (decision 0004)."""

RADII = (11, 2)
"""Of the two blurs, at that size: the first reaches across wide soft parts (the paper's 90 px at 2000), the second
settles what is near."""

_TINY = np.float32(1e-5)


def estimate_foreground(picture: Picture, matte: Float32) -> Foreground:
    """The colours F of I = aF + (1-a)B in the soft band; elsewhere the picture's own pixels are right.

    Blur fusion: F and B are guessed as averages of the picture around, weighted by how much each pixel belongs to
    either, then moved together by the least that makes the equation hold. The guesses are made at a reduced size, the
    equation is made to hold at full size, in the band alone. Weights are a² and (1-a)² where the paper has a and 1-a:
    a nearly pure pixel says more about its colour, which takes a sixth off the error among strands.

    A pixel whose alpha rounds to 0 needs no colour and one that rounds to 255 keeps its own, so neither is in the band.
    Of a picture that came with transparency the background is only what the matte takes away from its own alpha.

    Parameters: picture; matte, float32 (H, W) in 0..1. Returns: Foreground, colours in 0..255, not rounded.
    Source: Forte and Pitié 2021, ICIP, doi:10.1109/ICIP42928.2021.9506164.
    """
    share = _share(picture, matte)
    band = _soft(matte)
    pixels = np.take(picture.rgb.reshape(-1, 3), band, axis=0).astype(np.float32)
    if not band.size:
        return Foreground(picture.rgb, band, pixels)
    front, back = _blurred_colours(picture, share)
    at = grid(band, picture.size, size_of(front))
    return Foreground(picture.rgb, band, _fuse(pixels, share.reshape(-1)[band], sample(front, at), sample(back, at)))


def _share(picture: Picture, matte: Float32) -> Float32:
    """How much of what is seen at a pixel is foreground: the matte, out of the picture's own alpha."""
    if picture.alpha is None:
        return matte
    share: Float32 = np.minimum(matte / np.maximum(to_unit(picture.alpha), _TINY), np.float32(1))
    return share


def _soft(matte: Float32) -> Index:
    """Flat indices of the pixels whose alpha rounds to neither 0 nor 255."""
    return np.flatnonzero((matte > 0.5 / 255) & (matte < 254.5 / 255))


def _blurred_colours(picture: Picture, share: Float32) -> tuple[Float32, Float32]:
    """F and B all over a reduced picture: two float32 (h, w, 3) in 0..255."""
    shrink = min(1.0, SIDE_PX / picture.size.longest)
    size = Size(*(max(1, round(length * shrink)) for length in picture.size))
    pixels, share = resample(picture.rgb, size).astype(np.float32), resample(share, size)
    front = back = pixels
    for radius in RADII:
        average_front, back = _weighted_blur(front, share, radius), _weighted_blur(back, 1 - share, radius)
        front = _fuse(pixels, share, average_front, back)
    return front, back


def _weighted_blur(colours: Float32, weight: Float32, radius: int) -> Float32:
    """Box average of colours (h, w, 3), each counting with its squared weight (h, w)."""
    side, weight = (2 * radius + 1, 2 * radius + 1), weight * weight + _TINY
    total = cv2.boxFilter(weight, -1, side)
    return np.asarray(cv2.boxFilter(colours * weight[..., None], -1, side) / total[..., None], np.float32)


def _fuse(pixels: Float32, share: Float32, front: Float32, back: Float32) -> Float32:
    """F = F' + a (I - aF' - (1-a)B): the guess, corrected by what it leaves unexplained, within 0..255."""
    share = share[..., None]
    return np.clip(front + share * (pixels - back - share * (front - back)), np.float32(0), np.float32(255))
