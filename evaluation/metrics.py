"""Figures for one matte against its truth: the field's, and those that a shop would notice.

The field's measures come from pysodmetrics, with normalize=False: its default stretches every prediction to 0..1 by
its own extremes, which turns a network that is unsure, or a haze over the whole picture, into a perfect score.
"""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass

import cv2
import numpy as np
import numpy.typing as npt

from packshot.core.picture import Float32

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its docstrings hold invalid escapes
    import py_sod_metrics as sod

Mask = npt.NDArray[np.bool_]
Matte = npt.NDArray[np.float64]
Curve = npt.NDArray[np.float64]

BOUNDARY_SHARE = 0.02  # of the diagonal: Cheng et al. 2021
EDGE_SHARE = 0.01  # of the diagonal: nearer to the edge, kept background is a matter of boundary_iou
HOLE_SHARE = 0.001  # of the picture: smaller holes are noise in hand-made masks


@dataclass(frozen=True)
class Score:
    """Figures of one picture. Higher is better but for mae, mse, sad and background_kept.

    mae, mse: over all pixels, against the soft truth. sad: sum of absolute differences / 1000, as matting papers do.
    weighted_f, s_measure, e_measure, f_curve: of pysodmetrics, against the truth at 1/2; f_curve over 256 thresholds.
    iou, boundary_iou: of the matte at 1/2. background_kept: share of the true background, off the edge, that the
    matte at 1/2 keeps. holes: enclosed background regions in the truth, holes_opened: those that are mostly removed.
    """

    mae: float
    mse: float
    sad: float
    weighted_f: float
    s_measure: float
    e_measure: float
    iou: float
    boundary_iou: float
    background_kept: float
    holes: int
    holes_opened: int
    f_curve: Curve

    @property
    def max_f(self) -> float:
        return float(self.f_curve.max())

    def row(self) -> dict[str, float]:
        """All figures but the curve, which is represented by its maximum."""
        figures = asdict(self)
        del figures["f_curve"]
        return {name: round(float(value), 5) for name, value in figures.items()} | {"max_f": round(self.max_f, 5)}


def score(matte: Float32, truth: Float32) -> Score:
    """All figures of a matte, float32 (H, W) in 0..1, against a truth of the same shape that has some foreground."""
    mask, binary, exact = matte >= 0.5, truth >= 0.5, matte.astype(np.float64)
    difference = np.abs(exact - truth)
    holes, opened = count_holes(mask, binary)
    return Score(
        mae=float(difference.mean()),
        mse=float((difference**2).mean()),
        sad=float(difference.sum() / 1000),
        weighted_f=weighted_f(exact, binary),
        s_measure=s_measure(exact, binary),
        e_measure=e_measure(exact, binary),
        f_curve=f_curve(exact, binary),
        iou=iou(mask, binary),
        boundary_iou=boundary_iou(mask, binary),
        background_kept=background_kept(mask, binary),
        holes=holes,
        holes_opened=opened,
    )


def weighted_f(matte: Matte, truth: Mask) -> float:
    """Weighted F (Margolin et al. 2014): an error counts by its distance from the object."""
    measure = sod.WeightedFmeasure()
    measure.step(matte, truth, normalize=False)
    return float(measure.get_results()["wfm"])


def s_measure(matte: Matte, truth: Mask) -> float:
    """Structure measure (Fan et al. 2017), alpha 1/2."""
    measure = sod.Smeasure()
    measure.step(matte, truth, normalize=False)
    return float(measure.get_results()["sm"])


def e_measure(matte: Matte, truth: Mask) -> float:
    """Enhanced-alignment measure (Fan et al. 2018), the mean over thresholds."""
    measure = sod.Emeasure()
    measure.step(matte, truth, normalize=False)
    return float(measure.get_results()["em"]["curve"].mean())


def f_curve(matte: Matte, truth: Mask) -> Curve:
    """F measure, beta^2 = 0.3 (Achanta et al. 2009), at 256 thresholds from 1 down to 0."""
    measure = sod.FmeasureV2({"f": sod.FmeasureHandler(with_dynamic=True, with_adaptive=False, beta=0.3)})
    measure.step(matte, truth, normalize=False)
    return np.asarray(measure.get_results()["f"]["dynamic"], np.float64)


def iou(mask: Mask, truth: Mask) -> float:
    """Intersection over union; 1 when both are empty."""
    union = int(np.count_nonzero(mask | truth))
    return int(np.count_nonzero(mask & truth)) / union if union else 1.0


def boundary_iou(mask: Mask, truth: Mask) -> float:
    """IoU of the inner boundary bands, 2 % of the diagonal wide: sees edges that IoU drowns in the inside.

    Source: Cheng et al. 2021, "Boundary IoU", arXiv:2103.16562. Outside the picture counts as background, as there.
    """
    width = band_px(mask, BOUNDARY_SHARE)
    return iou(mask & ~eroded(mask, width), truth & ~eroded(truth, width))


def background_kept(mask: Mask, truth: Mask) -> float:
    """Share of the true background that is kept, 0 when there is none, leaving out 1 % of the diagonal at the edge."""
    background = eroded(~truth, band_px(truth, EDGE_SHARE), outside=True)
    return int(np.count_nonzero(mask & background)) / max(int(np.count_nonzero(background)), 1)


def count_holes(mask: Mask, truth: Mask) -> tuple[int, int]:
    """How many holes the truth has (background that touches no border), and how many are at least half removed."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~truth).astype(np.uint8), connectivity=4)
    height, width = truth.shape
    left, top, across, down, area = stats[1:].T
    inside = (left > 0) & (top > 0) & (left + across < width) & (top + down < height)
    holes = np.flatnonzero(inside & (area >= HOLE_SHARE * truth.size)) + 1
    removed = np.bincount(labels[~mask], minlength=count)
    return len(holes), int(np.count_nonzero(removed[holes] >= stats[holes, cv2.CC_STAT_AREA] / 2))


def band_px(mask: Mask, share: float) -> int:
    """A share of the diagonal in whole px, at least 1."""
    return max(1, round(share * float(np.hypot(*mask.shape))))


def eroded(mask: Mask, radius_px: int, *, outside: bool = False) -> Mask:
    """Erosion by a square of radius_px; beyond the borders everything is `outside`."""
    kernel = np.ones((2 * radius_px + 1, 2 * radius_px + 1), np.uint8)
    return cv2.erode(mask.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=int(outside)).astype(
        bool
    )
