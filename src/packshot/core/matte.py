"""The network input from a picture, and the matte at the picture's size from a coarse matte.

A matte is float32 (H, W) in 0..1, 1 = foreground. A coarse matte has the network's size.
"""

from __future__ import annotations

import cv2
import numpy as np

from packshot.core.geometry import Box, Size
from packshot.core.picture import Bool, Float32, Index, Picture, UInt8, to_unit
from packshot.core.resample import grid, repeated, resample, resample_colours, sample, size_of

DECIDED = np.float32(0.02)
"""Distance from 0 or 1 within which a network has decided: 5 of 255, invisible. Its sigmoid never reaches 0 or 1."""

RADIUS = 8
"""Radius of the guided filter's box, in coarse pixels: 17 px at 512 are 66 px at 1999, wider than a coarse edge is
soft."""

RIDGE = np.float32(1e-5)
"""The guided filter's epsilon, for colours in 0..1: 0.3 % of full scale, about the noise of a good photo."""

REACH = np.float32(5)
"""Largest ratio of a matte value to the coarse one, from either end, so that the matte fades out within the transition
region."""

SLACK = np.float32(0.1)
"""Share of the local contrast that the fit loses at either end, measured in decision 0003."""

FAINT = np.float32(0.1)
"""A matte below this, far from anything solid, is the network's doubt and no part of a product (decision 0024)."""

RESIDUE = np.float32(5.5 / 255)
"""A matte below this counts as 0. On a plain colour it leaves at most 5 of 255, which is JPEG noise."""

FAR_SHARE = 0.012
"""Distance from which a faint matte is far, as a share of the longer side: 15 px of 1250, wider than a soft edge."""

SPECK_SHARE, SPECK_SPAN = 0.005, 2e-4
"""Upper bounds of a speck's weight. SPECK_SHARE is a share of the heaviest piece's weight. SPECK_SPAN is a share of the
square of that piece's longer side, 14x14 px for 1000; a speck without a solid pixel may exceed it. A chain's links, or
a screw beside a box, are heavier."""

BESIDE_SHARE = 0.004
"""Distance by which the faint end of an edge extends beyond its visible part, as a share of the longer side."""

_NEAR = np.ones((3, 3), np.uint8)
_CELL = np.ones((5, 5), np.uint8)
_AROUND = np.ones((2 * RADIUS + 1, 2 * RADIUS + 1), np.uint8)


def network_input(picture: Picture, size: Size) -> Float32:
    """Returns the picture as network input: resampled to the network's size, with anti-aliasing.

    Returns: float32 (1, 3, height, width), RGB in 0..1. Mean and deviation are part of the network's graph.
    """
    return np.asarray(cv2.dnn.blobFromImage(resample_colours(picture, size), 1 / 255), np.float32)


def is_flat(rgb: Float32) -> bool:
    """Whether a picture has one colour throughout, so that it cannot show a product.

    Averages over a grid of 32x32 cells differ by at most 3 of 255 in every channel. Noise and compression vanish in a
    cell's average. Even the faintest white product on white differs by more somewhere.

    Parameters: rgb, float32 (1, 3, h, w) in 0..1, the network input.
    """
    cells = [cv2.resize(plane, (32, 32), interpolation=cv2.INTER_AREA) for plane in rgb[0]]
    return float(max(np.ptp(cell) for cell in cells)) <= 3 / 255


def refine(picture: Picture, coarse: Float32, seen: Float32 | None = None) -> Float32:
    """Returns the matte at the picture's size, with its edges moved to the picture's edges.

    Colour guided filter: around each point the matte is a linear function of the colour, alpha = s·I + o. The four
    coefficients vary slowly, so they are solved at the coarse size, around the transition region: undecided coarse
    pixels and their neighbours. They are applied to the full picture in that region only. Outside it the matte is 0
    or 1.

    A least-squares fit loses contrast. The lost contrast is restored within the local range of the coarse matte: a
    solid edge becomes solid, and an even half-transparent part stays unchanged.

    Parameters: picture, opaque; coarse, float32 (h, w) in 0..1, of any size and about the picture's aspect; seen,
    float32 (h, w, 3) in 0..255, the picture at the size of the coarse matte, if known. Returns: float32 (H, W) in 0..1.
    Source: He and Sun 2015, arXiv:1505.00996; He, Sun and Tang 2013, doi:10.1109/TPAMI.2012.213.
    """
    rgb, size = picture.rgb, picture.size
    coarse = snap_alpha(resample(coarse, Size(min(size.width, coarse.shape[1]), min(size.height, coarse.shape[0]))))
    undecided = (cv2.dilate(coarse, _NEAR) > 0) & (cv2.erode(coarse, _NEAR) < 1)
    matte, transition = _solid_and_transition(coarse, undecided, size)
    if transition.size:
        small = size_of(coarse)
        if seen is None or size_of(seen) != small:
            seen = resample_colours(picture, small).astype(np.float32)
        around = _solved_part(undecided)
        coarse = coarse[around.slices]
        at = grid(transition, size, small, (around.left, around.top))
        slopes = sample(_guided_coefficients(_centred(seen[around.slices]), coarse), at)
        colours = _centred(np.take(rgb.reshape(-1, 3), transition, axis=0))
        fitted = np.einsum("nc,nc->n", colours, slopes[:, :3]) + slopes[:, 3]
        matte.reshape(-1)[transition] = _restore_contrast(fitted, sample(_local_range(coarse), at))
    return matte


def drop_faint(matte: Float32) -> Float32:
    """Returns a matte without residue, specks, and faint areas far from anything solid, such as a ring on a table.

    On white these are dirt that breaks a marketplace's rule of a pure background. They also widen the product's box, on
    one example by an eighth. Soft edges, hair and cloth have something solid nearby; glass is less faint.

    Parameters: matte, float32 (H, W) in 0..1. Returns: the same, with 0 for dropped pixels.
    """
    levels = in_levels(matte)
    peaks = _peaks(levels)
    specks = _specks(levels, peaks)
    kept = np.asarray(cv2.subtract(peaks, specks), np.uint8)
    # A soft edge is near both. In level haze, only the second bound prevents a leftover ring around the product.
    near = cv2.bitwise_and(_widened(_above(kept, 0.5), FAR_SHARE), _widened(_above(kept, FAINT), BESIDE_SHARE))
    far = cv2.bitwise_and(cv2.dilate(_above(peaks, RESIDUE), _NEAR), cv2.bitwise_not(near))
    clean = np.asarray(cv2.threshold(matte, float(RESIDUE), 0, cv2.THRESH_TOZERO)[1], np.float32)
    least = np.where(near > 0, np.uint8(255 * RESIDUE), np.uint8(255 * FAINT))
    least[specks > 0] = 255
    _keep_above(clean, levels, least, np.asarray(cv2.bitwise_or(far, specks), np.uint8))
    return clean


def _without_specks(matte: Float32) -> Float32:
    """Returns a matte without its specks (SPECK_SHARE, SPECK_SPAN); the same array if it has none."""
    levels = in_levels(matte)
    specks = _specks(levels, _peaks(levels))
    if not cv2.countNonZero(specks):
        return matte
    clean = matte.copy()
    _keep_above(clean, levels, specks, specks)
    return clean


def in_levels(matte: Float32) -> UInt8:
    """Returns a matte in 0..1 in 8 bits, rounded as by to_uint8, in a fraction of its time."""
    return np.asarray(cv2.convertScaleAbs(matte, alpha=255), np.uint8)


def _peaks(levels: UInt8) -> UInt8:
    """Returns a matte at a quarter of its size, widened first, so that thin structures do not fall between pixels."""
    size = size_of(levels)
    quarter = Size(-(-size.width // 4), -(-size.height // 4))
    return np.asarray(cv2.resize(cv2.dilate(levels, _CELL), quarter, interpolation=cv2.INTER_NEAREST), np.uint8)


def _specks(levels: UInt8, peaks: UInt8) -> UInt8:
    """Returns 255 on pieces that are specks, at a quarter of the size.

    A piece is a visible area with 8 to 13 px around it. Areas farther apart than 26 px are separate pieces. The
    measurement of a finished picture joins areas within 32 px (core.measure.NEAR_PX).
    """
    pieces = cv2.dilate(_above(peaks, FAINT), _CELL)
    count, piece = cv2.connectedComponents(pieces, connectivity=8)  # a seventh of the time of the one with statistics
    if count <= 2:  # background and one piece
        return np.zeros_like(peaks)
    seen = cv2.threshold(levels, int(255 * FAINT), 0, cv2.THRESH_TOZERO)[1]  # haze around a speck adds nothing to it
    at = np.flatnonzero(pieces)
    piece_at = piece.reshape(-1)[at]
    mass = np.bincount(piece_at, to_unit(resample(seen, size_of(peaks)).reshape(-1)[at]), count)
    heaviest = int(mass.argmax())
    span = max(cv2.boundingRect((piece == heaviest).view(np.uint8))[2:]) - (_CELL.shape[0] - 1)
    solid = np.bincount(piece_at[peaks.reshape(-1)[at] > int(255 * 0.5)], minlength=count) > 0
    are_specks = (mass < SPECK_SHARE * mass[heaviest]) & ((mass < SPECK_SPAN * span * span) | ~solid)
    are_specks[0] = False
    return np.asarray((are_specks * np.uint8(255))[piece], np.uint8)


def _widened(plane: UInt8, share: float) -> UInt8:
    """Widens a plane of a quarter of the size, on every side by a share of its longer side, at least by one pixel."""
    side = 2 * max(1, round(share * max(plane.shape))) + 1
    return np.asarray(cv2.dilate(plane, np.ones((side, side), np.uint8)), np.uint8)


def _above(levels: UInt8, value: float | np.float32) -> UInt8:
    """Returns 255 where a matte in 8 bits is above a value in 0..1."""
    return np.asarray(cv2.threshold(levels, int(255 * value), 255, cv2.THRESH_BINARY)[1], np.uint8)


def _keep_above(matte: Float32, levels: UInt8, least: UInt8, where: UInt8) -> None:
    """Sets a matte to 0 wherever it is not above `least`, in the box around `where`. Both have 8 bits and a quarter of
    the size. Most of a large photo lies outside that box, and takes no time."""
    left, top, width, height = cv2.boundingRect(where)
    if not width:
        return
    # A cell beyond, since the last one of an odd size is narrower.
    cells = Box(left - 1, top - 1, left + width + 1, top + height + 1).within(Box.full(size_of(where)))
    part = cells.scaled(size_of(where), size_of(matte))
    matte[part.slices] *= levels[part.slices] > repeated(least, size_of(matte), part)


def bounding_box(matte: Float32, threshold: float = 1 / 255) -> Box | None:
    """Returns the smallest box around all values of at least the threshold, or None without any. The default
    threshold keeps every value that may round to nonzero in 8 bits."""
    left, top, width, height = cv2.boundingRect((matte >= threshold).view(np.uint8))
    return Box(left, top, left + width, top + height) if width else None


def visible_box(matte: Float32) -> Box:
    """Returns the box of the visible product, for its share of a frame: values from 0.1 on, or from half the maximum if
    less.

    The outermost pixels of a soft edge are nearly invisible. With them, a product seems to fill 1 % more of a frame
    than a measurement of the picture finds. Specks would shift the product. A crop to the product keeps the soft edge:
    see `bounding_box`.
    """
    box = bounding_box(_without_specks(matte), min(float(FAINT), float(matte.max()) / 2))
    assert box is not None  # noqa: S101 - the pipeline rejects an empty matte
    return box


def is_empty(matte: Float32, most: float = 1.0) -> bool:
    """Whether nothing stands out: values of at least most / 2 add up to less than 0.02 % of the picture.

    That is 7x7 px of 512x512 and 28x28 px of 1999x1999, less than a pearl in a wide photo. Haze does not count: a
    network that is unsure everywhere has found nothing.

    Parameters: matte, float32 (H, W) in 0..1; most, the value of a solid product, below 1 if the picture itself is half
    transparent all over.
    """
    bound = most * max(1.0, 2e-4 * matte.size)
    if _sum_from(matte[::8], most / 2) >= bound:  # an eighth of the rows shows most products
        return False
    return _sum_from(matte, most / 2) < bound


def _sum_from(matte: Float32, least: float) -> float:
    """Returns the sum of the values of at least `least`."""
    below = np.nextafter(np.float32(least), np.float32(0))
    return cv2.sumElems(cv2.threshold(matte, below, 0, cv2.THRESH_TOZERO)[1])[0]


def snap_alpha(coarse: Float32) -> Float32:
    """Sets the decided values of a coarse matte, those within DECIDED of 0 or 1, to exactly 0 or 1.

    Continuous, so that no step appears where the transition region ends. Parameters: coarse, float32 in 0..1. Returns:
    the same shape and range.
    """
    return np.clip((coarse - DECIDED) / (1 - 2 * DECIDED), np.float32(0), np.float32(1))


def _solved_part(undecided: Bool) -> Box:
    """Returns the part of the coarse matte that any undecided pixel's coefficients depend on: two boxes on each side,
    and a pixel for the interpolation."""
    left, top, across, down = cv2.boundingRect(undecided.view(np.uint8))
    margin = 2 * RADIUS + 2
    part = Box(left - margin, top - margin, left + across + margin, top + down + margin)
    return part.within(Box.full(size_of(undecided)))


def _solid_and_transition(coarse: Float32, undecided: Bool, size: Size) -> tuple[Float32, Index]:
    """Returns the matte outside the transition region, and that region: coarse pixels whose neighbourhood is neither
    all 0 nor all 1."""
    solid = ((coarse >= 0.5) & ~undecided).astype(np.float32)
    return repeated(solid, size), np.flatnonzero(repeated(undecided, size))


def _centred(rgb: UInt8 | Float32) -> Float32:
    """Returns colours of 0..255 in -0.5..0.5. In a covariance, squares of numbers near 0 lose least to cancellation."""
    return to_unit(rgb) - np.float32(0.5)


def _mean(plane: Float32) -> Float32:
    side = 2 * RADIUS + 1
    return np.asarray(cv2.boxFilter(plane, -1, (side, side), borderType=cv2.BORDER_REFLECT), np.float32)


def _guided_coefficients(guide: Float32, coarse: Float32) -> Float32:
    """Returns slopes and offset of alpha = s·I + o, solved in every box and averaged over all boxes around a pixel.

    Solves (cov(I, I) + epsilon) s = cov(I, alpha) by elimination (LDL'), not by the adjugate. For similar colours, as
    in a gray picture, the determinant is about 1e-11 and cancels in float32 (decision 0003).

    Parameters: guide, float32 (h, w, 3), centred colours; coarse, float32 (h, w). Returns: float32 (h, w, 4).
    """
    red, green, blue = cv2.split(guide)
    mean_r, mean_g, mean_b = cv2.split(_mean(guide))
    mean_a = _mean(coarse)
    rr = _mean(red * red) - mean_r * mean_r + RIDGE
    rg = _mean(red * green) - mean_r * mean_g
    rb = _mean(red * blue) - mean_r * mean_b
    gg = _mean(green * green) - mean_g * mean_g + RIDGE
    gb = _mean(green * blue) - mean_g * mean_b
    bb = _mean(blue * blue) - mean_b * mean_b + RIDGE
    x = _mean(red * coarse) - mean_r * mean_a
    y = _mean(green * coarse) - mean_g * mean_a
    z = _mean(blue * coarse) - mean_b * mean_a

    g_by_r, b_by_r = rg / rr, rb / rr
    gg -= g_by_r * rg
    gb -= g_by_r * rb
    b_by_g = gb / gg
    bb -= b_by_r * rb + b_by_g * gb
    y -= g_by_r * x
    z -= b_by_r * x + b_by_g * y
    slope_b = z / bb
    slope_g = y / gg - b_by_g * slope_b
    slope_r = x / rr - g_by_r * slope_g - b_by_r * slope_b
    offset = mean_a - slope_r * mean_r - slope_g * mean_g - slope_b * mean_b
    return _mean(cv2.merge([slope_r, slope_g, slope_b, offset]))  # type: ignore[arg-type]


def _local_range(coarse: Float32) -> Float32:
    """Returns float32 (h, w, 3): the smoothed local minimum and maximum, and the value itself."""
    low = cv2.blur(cv2.erode(coarse, _AROUND), (RADIUS + 1, RADIUS + 1))
    high = cv2.blur(cv2.dilate(coarse, _AROUND), (RADIUS + 1, RADIUS + 1))
    return np.asarray(cv2.merge([low, high, coarse]), np.float32)


def _restore_contrast(fitted: Float32, around: Float32) -> Float32:
    """Stretches fitted values by the contrast that a fit loses, within the local range and REACH of the coarse value.

    Parameters: fitted, float32 (n,); around, float32 (n, 3), from _local_range. Returns: float32 (n,) in 0..1.
    """
    low, high, coarse = around.T
    span = high - low
    values = low + np.clip((fitted - low - SLACK * span) / (1 - 2 * SLACK), 0, span)
    values = np.maximum(np.minimum(values, REACH * coarse), 1 - REACH * (1 - coarse))
    return np.asarray(np.clip(values, 0, 1), np.float32)
