"""The refiner's loss, limited to the band: the pixels that it may change."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def edge_loss(matte: Tensor, truth: Tensor, band: Tensor) -> Tensor:
    """L1 and L2 of the value, L1 of its gradient, at full size and two coarser ones, in the band. (N, 1, H, W) in 0..1.

    L1 alone leads to the median, which would cut fur with a hard edge. L2 and the coarser sizes lead to the right
    average where a pixel's own value cannot be known.
    """
    loss = matte.new_zeros(())
    for level in range(3):
        share = band / band.sum().clamp(min=1)
        error = matte - truth
        loss = loss + ((error.abs() + 2 * error.square()) * share).sum() / 2**level
        for axis in (2, 3):
            weight = share.narrow(axis, 1, share.shape[axis] - 1)
            loss = loss + 0.5 * (error.diff(dim=axis).abs() * weight).sum() / 2**level
        if level < 2:
            matte, truth, band = (F.avg_pool2d(plane, 2) for plane in (matte, truth, band))
    return loss
