"""Figures for one matte against its truth: the standard ones, those for soft edges, and those that matter to a shop."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from math import isnan, nan

import cv2
import numpy as np
import numpy.typing as npt

from evaluation.field import Curve, Mask, e_measure, f_curve, levels, s_measure, weighted_f
from evaluation.soft import BAND_SHARE, band_mae, connectivity_error, gradient_error, is_soft
from packshot.core.picture import Float32

BOUNDARY_SHARE = 0.02  # of the diagonal: Cheng et al. 2021
DAMAGED = 0.5  # factor on the quality of a matte with a lost part or a torn hole
EDGE_SHARE = 0.01  # of the diagonal: closer to the edge, boundary_iou measures kept background
HOLE_SHARE = 0.001  # of the picture: smaller holes are noise in hand-made masks
PART_SHARE = 0.0004  # of the picture: 192 px of 800x600; a rung of 4x60 px has 200 that count
TEAR_SHARE = 0.0002  # of the picture: 96 px of 800x600
NOISE_PX = 9  # a blot of 3x3, which exceeds those shares only in pictures under 212x212


@dataclass(frozen=True)
class Score:
    """Figures of one picture; NaN if a figure is undefined. Higher is better, except for errors and background_kept.

    mae, mse: over all pixels, against the soft truth. sad: sum of absolute differences / 1000, as in matting papers.
    background_kept: share of the true background, off the edge, that the matte at 1/2 keeps.
    A truth without foreground has only these four.
    weighted_f, s_measure, e_measure, f_curve: of field.py, against the truth at 1/2; f_curve over 256 thresholds.
    iou, boundary_iou: of the matte at 1/2. holes: enclosed background regions in the truth. holes_opened: those that
    are mostly removed. band_mae: mae within 0.5 % of the diagonal of the true edge. gradient, connectivity: of soft.py,
    where the truth is soft. parts_lost, holes_torn: of count_damage.
    """

    mae: float
    mse: float
    sad: float
    background_kept: float
    weighted_f: float = nan
    s_measure: float = nan
    e_measure: float = nan
    iou: float = nan
    boundary_iou: float = nan
    band_mae: float = nan
    gradient: float = nan
    connectivity: float = nan
    holes: int = 0
    holes_opened: int = 0
    parts_lost: int = 0
    holes_torn: int = 0
    f_curve: Curve | None = None

    @property
    def has_foreground(self) -> bool:
        """Whether the truth has foreground, so that figures about its shape are defined."""
        return self.f_curve is not None

    @property
    def quality(self) -> float:
        """IoU, halved where a part is lost or a hole is torn: the quality that a confidence predicts."""
        return self.iou * (DAMAGED if self.damaged else 1)

    @property
    def max_f(self) -> float:
        return nan if self.f_curve is None else float(self.f_curve.max())

    @property
    def damaged(self) -> bool:
        """Whether the product itself is damaged, so that no shop can show it: a part lost, or a hole torn."""
        return self.parts_lost + self.holes_torn > 0

    def row(self) -> dict[str, float | None]:
        """All figures; the curve is replaced by its maximum. None for an undefined figure."""
        figures = asdict(self) | {"max_f": self.max_f}
        del figures["f_curve"]
        return {name: None if isnan(value) else round(float(value), 5) for name, value in figures.items()}


def score(matte: Float32, truth: Float32) -> Score:
    """All figures of a matte, float32 (H, W) in 0..1, against a truth of the same shape."""
    mask, binary, exact = matte >= 0.5, truth >= 0.5, matte.astype(np.float64)
    difference = np.abs(exact - truth)
    everywhere = Score(
        mae=float(difference.mean()),
        mse=float((difference**2).mean()),
        sad=float(difference.sum() / 1000),
        background_kept=background_kept(mask, binary),
    )
    if not binary.any():
        return everywhere
    at, soft, (holes, opened) = levels(exact, binary), is_soft(truth), count_holes(mask, binary)
    lost, torn = count_damage(mask, binary)
    return replace(
        everywhere,
        weighted_f=weighted_f(exact, binary),
        s_measure=s_measure(exact, binary),
        e_measure=e_measure(at),
        f_curve=f_curve(at),
        iou=iou(mask, binary),
        boundary_iou=boundary_iou(mask, binary),
        band_mae=band_mae(exact, truth, band_px(binary, BAND_SHARE)),
        gradient=gradient_error(exact, truth) if soft else nan,
        connectivity=connectivity_error(exact, truth) if soft else nan,
        holes=holes,
        holes_opened=opened,
        parts_lost=lost,
        holes_torn=torn,
    )


def iou(mask: Mask, truth: Mask) -> float:
    """Intersection over union; 1 when both are empty."""
    union = int(np.count_nonzero(mask | truth))
    return int(np.count_nonzero(mask & truth)) / union if union else 1.0


def boundary_iou(mask: Mask, truth: Mask) -> float:
    """IoU of the inner boundary bands, 2 % of the diagonal wide: shows edge errors that the inside hides in IoU.

    Source: Cheng et al. 2021, "Boundary IoU", arXiv:2103.16562. Outside the picture counts as background, as there.
    """
    width = band_px(mask, BOUNDARY_SHARE)
    return iou(mask & ~eroded(mask, width), truth & ~eroded(truth, width))


def background_kept(mask: Mask, truth: Mask) -> float:
    """Share of the true background that is kept, without 1 % of the diagonal at the edge; 0 if there is none."""
    background = eroded(~truth, band_px(truth, EDGE_SHARE), outside=True)
    return int(np.count_nonzero(mask & background)) / max(int(np.count_nonzero(background)), 1)


def count_holes(mask: Mask, truth: Mask) -> tuple[int, int]:
    """Number of holes in the truth (background that touches no border), and how many are at least half removed."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~truth).astype(np.uint8), connectivity=4)
    height, width = truth.shape
    left, top, across, down, area = stats[1:].T
    inside = (left > 0) & (top > 0) & (left + across < width) & (top + down < height)
    holes = np.flatnonzero(inside & (area >= HOLE_SHARE * truth.size)) + 1
    removed = np.bincount(labels[~mask], minlength=count)
    return len(holes), int(np.count_nonzero(removed[holes] >= stats[holes, cv2.CC_STAT_AREA] / 2))


def count_damage(mask: Mask, truth: Mask) -> tuple[int, int]:
    """Number of lost parts of the product, and of holes torn into it: pieces of truth & ~mask.

    A torn hole is a piece inside the product. A lost part is a piece that touches the true background or the border and
    is more than an edge error: one pixel is farther than 1 % of the diagonal from every kept pixel of the product.
    Only pixels farther than 0.5 % count towards its area. So an edge drawn too far inside is no loss, and neither are
    connected tips of a fringe along it. A rung between two legs is lost if it is longer than 2 % of the diagonal: its
    middle is then far from the kept pixels at its ends. A narrower slit from outside is neither.
    """
    missing, kept = truth & ~mask, truth & mask
    count, labels = cv2.connectedComponents(missing.view(np.uint8), connectivity=8)
    piece = labels[missing]
    area = np.bincount(piece, minlength=count)  # OpenCV's statistics take 1 ms longer at 400x300
    large = area >= max(TEAR_SHARE * truth.size, NOISE_PX)
    if not large.any():
        return 0, 0

    def pixels(where: Mask) -> npt.NDArray[np.intp]:
        """The number of pixels of each piece in `where`."""
        return np.bincount(piece[where[missing]], minlength=count)

    outer = pixels(~eroded(truth, 1)) > 0  # has pixels next to the background or the border
    # If nothing is kept, every distance is infinite.
    away = cv2.distanceTransform((~kept).view(np.uint8), cv2.DIST_L2, 5)
    off_edge, far = pixels(away > band_px(truth, BAND_SHARE)), pixels(away > band_px(truth, EDGE_SHARE))
    lost = outer & (far > 0) & (off_edge >= max(PART_SHARE * truth.size, NOISE_PX))
    return int(np.count_nonzero(lost)), int(np.count_nonzero(large & ~outer))


def band_px(mask: Mask, share: float) -> int:
    """A share of the diagonal in whole px, at least 1."""
    return max(1, round(share * float(np.hypot(*mask.shape))))


def eroded(mask: Mask, radius_px: int, *, outside: bool = False) -> Mask:
    """Erosion by a square of radius_px; beyond the borders everything is `outside`."""
    kernel = np.ones((2 * radius_px + 1, 2 * radius_px + 1), np.uint8)
    return cv2.erode(mask.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=int(outside)).astype(
        bool
    )
