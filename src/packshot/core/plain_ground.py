"""Plain grounds: an even or softly graded background, whose colour B in I = aF + (1-a)B is known everywhere.

About half of a shop's photos have one. Pixels near the product that clearly differ from the ground count as product,
even against the network. Pixels that equal the ground are background, unless the network is sure and the product has
such colours too. Soft edges get their alpha from the colours.

All evidence is weighed against the network's own logit. So nothing is forced where product and ground look alike: white
on white, black on black, glass (decision 0039).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from packshot.core.geometry import Box, Size
from packshot.core.matte import DECIDED
from packshot.core.picture import Bool, Float32, Index, UInt8, quantile, ramp
from packshot.core.resample import size_of

STEP = 4
"""Reduction of the network's picture for the fit. A plain ground has no finer detail."""

LEAST_SEEN = 0.05
"""Share of the picture that must be sure background. A smaller share does not show the ground behind the rest."""

PLAIN, PLAIN_OFF = 0.8, 8
"""A ground is plain if at least a share PLAIN of the sure background is within PLAIN_OFF levels of the fit."""

BORDER = 0.7
"""Share of the picture's border that must be ground. The product may cut one side."""

SURE = np.float32(0.95)
"""Network output above which a pixel is sure product and shows the product's colours."""

LEAST_SURE = 20
"""Pixels of sure product. Fewer pixels say nothing about its colours."""

LEAST_AREA = 8
"""Smallest region, in pixels at the network's size: about 3x3 of 384, 0.005 % of the picture."""

NEAR = 0.3
"""Largest distance of a separate part from the product, in its longer sides. Farther off, print and watermarks
begin."""

RINGING = np.float32(0.04)
"""Share of an edge's contrast by which JPEG blocks change the ground next to it, at the network's size."""

LARGE = (0.002, 0.005)
"""Shares of the picture. An even shape below the first may be a letter; from the second on it is an object."""

UNSURE = 1.5
"""A score closer to 0 is a guess. The matte follows it, and the region counts as contested for the confidence."""

AMBIENT = 0.25
"""Share of a shadow's depth by which coloured light may tint it."""

NEVER_GROUND = 16
"""Difference in levels from which a pixel may be a lost part, and no longer pulls the local ground."""


@dataclass(frozen=True, eq=False)
class GroundColours:
    """The colours of the ground behind a product.

    reduced: float32 (h, w, 3) in 0..255; its sides are 1/STEP of the network's picture.
    size: of the network's picture.
    """

    reduced: Float32
    size: Size

    def enlarged(self) -> Float32:
        """Returns the colours at the network's size, float32 (height, width, 3) in 0..255."""
        return np.asarray(cv2.resize(self.reduced, self.size, interpolation=cv2.INTER_LINEAR), np.float32)

    def at(self, size: Size) -> Float32:
        """Returns the colours at another size, float32 (height, width, 3) in 0..255."""
        return np.asarray(cv2.resize(self.enlarged(), size, interpolation=cv2.INTER_LINEAR), np.float32)

    def placed(self, box: Box, size: Size) -> GroundColours:
        """Returns the ground of a picture of that size, from the ground of its part in the box: it continues outside.

        The colours are at the reduced size of the part, which is coarser for the whole picture.
        """
        whole = size.reduced(max(self.reduced.shape))
        across, down = whole.width / size.width, whole.height / size.height
        left, top = min(int(box.left * across), whole.width - 1), min(int(box.top * down), whole.height - 1)
        width = max(1, min(round(box.size.width * across), whole.width - left))
        height = max(1, min(round(box.size.height * down), whole.height - top))
        part = cv2.resize(self.reduced, (width, height), interpolation=cv2.INTER_AREA)
        around = (top, whole.height - top - height, left, whole.width - left - width)
        colours = np.asarray(cv2.copyMakeBorder(part, *around, cv2.BORDER_REPLICATE), np.float32)
        return GroundColours(colours, whole)


@dataclass(frozen=True, eq=False)
class PlainGround:
    """The ground behind a product, and the distance of the network's picture from it.

    smooth: the ground's colours in 0.1 MB; the other fields take 3 MB.
    colours: the same, float32 (h, w, 3) in 0..255, at the network's size.
    off: float32 (h, w), the largest difference of any channel there.
    alike: uint8 (h, w), 1 where `off` is within the ground's noise or the JPEG noise of a nearby edge.
    equal: largest difference of a colour that equals the ground.
    differs: smallest difference of a colour that does not.
    """

    smooth: GroundColours
    colours: Float32
    off: Float32
    alike: UInt8
    equal: float
    differs: float


def find_plain_ground(seen: Float32, coarse: Float32) -> PlainGround | None:
    """Returns the ground, or None if it is not plain.

    Fits a quadratic surface to the sure background, robust against shadows and lost parts. Then adds the local
    residual: a bend between wall and table, a soft shadow.

    Parameters: seen, float32 (h, w, 3) in 0..255, the network's picture; coarse, float32 (h, w) in 0..1.
    """
    size, around = size_of(coarse), cv2.dilate(coarse, np.ones((5, 5), np.uint8))
    reduced = Size(max(8, size.width // STEP), max(8, size.height // STEP))
    free = cv2.resize(around, reduced, interpolation=cv2.INTER_AREA) <= DECIDED
    if np.count_nonzero(free) < LEAST_SEEN * free.size:
        return None
    small = np.asarray(cv2.resize(seen, reduced, interpolation=cv2.INTER_AREA), np.float32)
    surface = _robust_surface(small, free)
    if surface is None:
        return None
    left = small - surface
    weight = (free & (_largest(left) <= NEVER_GROUND)).astype(np.float32)
    near = cv2.GaussianBlur(weight, (0, 0), 3)
    small = surface + cv2.GaussianBlur(left * weight[..., None], (0, 0), 3) / (near + np.float32(0.02))[..., None]
    smooth = GroundColours(small, size)
    colours = smooth.enlarged()
    off = _largest(seen - colours)
    ground = off[around <= DECIDED]
    noise = quantile(ground[::5], 0.75)
    border = np.concatenate([off[0], off[-1], off[:, 0], off[:, -1]])
    if (ground <= PLAIN_OFF).mean() < PLAIN or (border <= PLAIN_OFF + 2 * noise).mean() < BORDER:
        return None
    ringing = 3 + RINGING * cv2.dilate(off, np.ones((9, 9), np.uint8))
    alike = (off < np.maximum(ringing, np.float32(3 * noise + 3))).view(np.uint8)
    return PlainGround(smooth, colours, off, alike, 3 * noise + 3, max(16.0, 4 * noise + 8))


def _robust_surface(small: Float32, free: Bool) -> Float32 | None:
    """Fits a quadratic surface to the free pixels, by least squares with Tukey-like weights.

    Returns None if after two steps half of the pixels are too far from it for a plain ground, as in most photos of a
    scene.
    """
    terms = surface_terms(free.shape)
    at, values = terms[free][::3], small[free][::3]
    weight = np.ones(len(at), np.float32)
    for turn in range(5):
        coefficients = fit_surface(at, values, weight)
        off = _largest_of(np.abs(values - at @ coefficients))
        middle = quantile(off, 0.5)
        if middle > PLAIN_OFF and turn:  # outliers pull the first fit
            return None
        weight = (1 / (1 + (off / max(3.0, 2.2 * middle)) ** 2) ** 2).astype(np.float32)
    return np.asarray(terms @ coefficients, np.float32)


def _largest_of(values: Float32) -> Float32:
    """Returns the largest of three channels, (n, 3) -> (n,). numpy's max over a short axis takes five times as long."""
    return np.asarray(np.maximum(np.maximum(values[:, 0], values[:, 1]), values[:, 2]), np.float32)


def _largest(difference: Float32) -> Float32:
    """Returns the largest absolute difference of any channel, float32 (h, w)."""
    red, green, blue = cv2.split(np.abs(difference))
    return np.asarray(cv2.max(cv2.max(red, green), blue), np.float32)


@dataclass(frozen=True, eq=False)
class Settled:
    """A coarse matte after whole regions were decided.

    coarse: float32 (h, w) in 0..1.
    contested: float32 (h, w), 1 where ground and network disagree and neither is sure, else 0.
    """

    coarse: Float32
    contested: Float32


def settle(ground: PlainGround, seen: Float32, answer: Float32, coarse: Float32) -> Settled:
    """Decides whole regions of a coarse matte: opens regions that equal the ground, adds parts that differ.

    Parameters: seen, float32 (h, w, 3) in 0..255; answer, float32 (h, w) in 0..1, the raw network output; coarse, the
    same after postprocessing.
    """
    opened = _open_ground(ground, answer, coarse)
    added = _add_parts(ground, seen, answer, opened.coarse)
    return Settled(added.coarse, np.maximum(opened.contested, added.contested))


def _open_ground(ground: PlainGround, answer: Float32, coarse: Float32) -> Settled:
    """Turns regions that equal the ground into background, unless the network's logit outweighs the evidence.

    The evidence is how unlikely the product has this colour: the share of its sure pixels elsewhere with this colour or
    nearly so. A neutral ground adds a little to that share, since white labels and black lettering are common.
    """
    sure = answer > SURE
    alike = ground.alike & (coarse > DECIDED).view(np.uint8)
    equal = np.asarray(cv2.morphologyEx(alike, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)), np.uint8)
    regions = _Regions.of(equal, connectivity=4)
    if not regions.count or np.count_nonzero(sure) < LEAST_SURE:
        return Settled(coarse, np.zeros_like(coarse))
    all_sure = float(np.count_nonzero(sure))
    nearly = np.count_nonzero((ground.off > ground.equal) & (ground.off < 3 * ground.equal) & sure) / all_sure
    own = regions.mean(sure.reshape(-1)[regions.at].astype(np.float32)) * regions.area
    elsewhere = (np.count_nonzero((ground.off <= ground.equal) & sure) - own) / np.maximum(all_sure - own, 1)
    tinted = regions.mean(ramp(np.ptp(ground.colours.reshape(-1, 3)[regions.at], axis=1), 10, 40))
    share = np.clip(2 * nearly + elsewhere + 0.01 + 0.08 * (1 - tinted), 0, 0.9)
    doubt = regions.mean(_logit(answer.reshape(-1)[regions.at])) + 0.85 * np.log(share / (1 - share))
    kept = regions.mean((coarse.reshape(-1)[regions.at] >= 0.5).astype(np.float32))
    # Leaves a one-pixel rim along the outline to edge refinement, but opens a slit of that width.
    outside = regions.any(_widened((coarse <= DECIDED) & (ground.alike > 0), 1))
    thick = regions.any(np.asarray(cv2.erode(equal, np.ones((3, 3), np.uint8)), np.uint8))
    least = LEAST_AREA * (1 + 3 * (1 - tinted))  # larger on a neutral ground, but a white screw is small too
    counts = (kept > 0.2) & (regions.area >= least) & (thick | ~outside)
    opened = np.where(regions.spread(counts & (doubt < 0)), np.float32(0), coarse)
    return Settled(opened, regions.spread(counts & (np.abs(doubt) < UNSURE)).astype(np.float32))


def _add_parts(ground: PlainGround, seen: Float32, answer: Float32, coarse: Float32) -> Settled:
    """Turns pieces that differ from the ground into product, unless they are a shadow or a reflection.

    Evidence against them: the network's logit, and a place below the product or at the picture's edge. Evidence for
    them: a colour or a darkness that no shadow of this ground has, a sharp outline, and one even colour inside.

    The weights are a rounded logistic regression on 240 composites of objects from the network's training set (decision
    0039). The weight of an even colour was set by hand, for drawn shapes; a size limit excludes print.
    """
    product = (coarse >= 0.5).view(np.uint8)
    _, top, width, height = cv2.boundingRect(product)
    if not width:
        return Settled(coarse, np.zeros_like(coarse))
    contrast = cv2.dilate(ground.off, np.ones((5, 5), np.uint8))
    differs = (ground.off > np.maximum(ground.differs, contrast / 2)) & (coarse < 0.5)  # skips mixed edge pixels
    regions = _Regions.of(differs.view(np.uint8), connectivity=8)
    if not regions.count:
        return Settled(coarse, np.zeros_like(coarse))
    distance = np.asarray(cv2.distanceTransform(1 - product, cv2.DIST_L2, 3), np.float32).reshape(-1)[regions.at]
    colours = ground.colours.reshape(-1, 3)[regions.at]
    change = seen.reshape(-1, 3)[regions.at] - colours
    brighter = np.einsum("nc,nc->n", change, colours) / (np.einsum("nc,nc->n", colours, colours) + 1)
    shade = -np.minimum(brighter, 0) * colours.max(axis=1)
    tint = regions.mean(np.maximum(np.abs(change - brighter[:, None] * colours).max(axis=1) - AMBIENT * shade, 0))
    darkness = regions.mean(np.maximum(-brighter, 0))
    below = regions.mean((regions.at // coarse.shape[1]).astype(np.float32) - (top + height / 2)) / height
    # Steepness at the boundary with the ground: a shadow fades slowly.
    beside = (_widened(ground.off < ground.differs, 2).reshape(-1)[regions.at] > 0).astype(np.float32)
    steep = 1 - (cv2.erode(ground.off, np.ones((5, 5), np.uint8)) / np.maximum(contrast, 1)).reshape(-1)[regions.at]
    sharp = regions.mean(steep * beside) / np.maximum(regions.mean(beside), np.float32(1e-3))
    off = ground.off.reshape(-1)[regions.at]
    even = regions.mean((off > 0.94 * regions.most(off)[regions.label]).astype(np.float32))
    large = ramp(np.asarray(regions.area / coarse.size, np.float32), *LARGE)
    score = (
        -2.6
        + sharp
        + 3 * sharp * large * ramp(even, 0.5, 0.8)
        + 0.75 * regions.mean(_logit(answer.reshape(-1)[regions.at]))
        + 0.13 * np.minimum(tint, 40)
        + darkness
        + 3 * ramp(darkness, 0.5, 0.85)
        - 1.5 * np.maximum(below, 0)
        - 1.2 * regions.cut
    )
    # A region within 3 px all along is the product's own edge, unless no ground is next to it.
    inner = regions.most(beside) == 0
    counts = (inner | (regions.most(distance) >= 3)) & (regions.area >= LEAST_AREA)
    far = regions.least(distance) > NEAR * max(width, height)
    adds = regions.spread(counts & (score > 0) & ~far)
    solid = (_widened(adds, 3) > 0) & (ground.off > np.maximum(ground.differs, 0.75 * contrast))
    contested = regions.spread(counts & (np.where(far, score > 0, np.abs(score) < UNSURE)))
    return Settled(np.where(adds | solid, np.float32(1), coarse), contested.astype(np.float32))


def _widened(mask: Bool, radius: int) -> UInt8:
    """Returns uint8 (h, w), nonzero within `radius` px of a mask."""
    return np.asarray(cv2.dilate(mask.view(np.uint8), np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)), np.uint8)


@dataclass(frozen=True, eq=False)
class _Regions:
    """Connected regions of a mask.

    at: flat indices of their pixels.
    label: the region of each pixel, from 0.
    area: in px.
    cut: 1 for regions that reach the picture's edge.
    """

    shape: tuple[int, ...]
    at: Index
    label: Index
    area: Float32
    cut: Float32

    @classmethod
    def of(cls, mask: UInt8, connectivity: int) -> _Regions:
        count, labels = cv2.connectedComponents(mask, connectivity=connectivity)
        at = np.flatnonzero(mask)
        label = labels.reshape(-1)[at].astype(np.intp) - 1
        edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
        area, cut = np.bincount(label, minlength=count - 1), np.bincount(edge, minlength=count)[1:] > 0
        return cls(mask.shape, at, label, area.astype(np.float32), cut.astype(np.float32))

    @property
    def count(self) -> int:
        return len(self.area)

    def mean(self, values: Float32) -> Float32:
        """Returns the mean of each region. values: one for each pixel of `at`."""
        return (np.bincount(self.label, values, self.count) / self.area).astype(np.float32)

    def most(self, values: Float32) -> Float32:
        found = np.full(self.count, -np.inf, np.float32)
        np.maximum.at(found, self.label, values)
        return found

    def least(self, values: Float32) -> Float32:
        return -self.most(-values)

    def any(self, mask: UInt8) -> Bool:
        """Returns for each region whether a plane (h, w) is nonzero anywhere in it."""
        return np.bincount(self.label, mask.reshape(-1)[self.at], self.count) > 0

    def spread(self, chosen: Bool) -> Bool:
        """Returns the pixels of the chosen regions, bool (h, w)."""
        mask = np.zeros(self.shape, np.bool_)
        mask.reshape(-1)[self.at[chosen[self.label]]] = True
        return mask


def _logit(probability: Float32) -> Float32:
    inner = np.clip(probability, np.float32(0.0025), np.float32(0.9975))  # +-6: no single pixel outweighs a region
    return np.asarray(np.log(inner / (1 - inner)), np.float32)


def surface_terms(shape: tuple[int, ...]) -> Float32:
    """Returns the terms of a quadratic surface, which models one colour under even light.

    Returns: float32 (h, w, 6): 1, x, y, x², xy, y² at every pixel, x and y in -1..1.
    """
    y, x = (np.linspace(-1, 1, length, dtype=np.float32) for length in shape)
    x, y = np.meshgrid(x, y)
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)


def fit_surface(at: Float32, values: Float32, weight: Float32) -> Float32:
    """Returns the coefficients of a weighted least squares fit, float32 (6, channels). A small ridge damps bending.

    Parameters: at, float32 (n, 6), terms; values, float32 (n, channels); weight, float32 (n,).
    """
    weighted = at * weight[:, None]
    ridge = 1e-5 * len(at) * np.diag([1e-3, 1, 1, 1, 1, 1])
    return np.linalg.solve(weighted.T @ at + ridge, weighted.T @ values).astype(np.float32)
