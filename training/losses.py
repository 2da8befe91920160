"""Losses on logits against soft targets in [0, 1]. Every function takes and returns torch tensors, (N, 1, H, W)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE_WEIGHTS = (1.0, 1.0, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 16)


def edge_weight(target: Tensor) -> Tensor:
    """1 + 5*|mean31(target) - target|: pixels near an edge count up to six times (F3Net, Wei et al. 2020).

    The window is 31 px at 352 px and scales with the picture. The mean is taken at a quarter of the size, where it
    costs a thirtieth: at full size it was 14 % of a training step on a CPU.
    """
    height, width = target.shape[-2:]
    small = F.avg_pool2d(target, 4) if min(height, width) >= 64 else target
    radius = max(1, round(max(small.shape[-2:]) * 15 / 352))
    mean = F.avg_pool2d(small, 2 * radius + 1, 1, radius, count_include_pad=False)
    if mean.shape != target.shape:
        mean = F.interpolate(mean, (height, width), mode="bilinear")
    return 1 + 5 * (mean - target).abs()


def structure_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted BCE plus weighted IoU of F3Net (arXiv:1911.11445): pixels and region at once."""
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    bce = (weight * bce).sum((2, 3)) / weight.sum((2, 3))
    matte = torch.sigmoid(logits)
    intersection = (matte * target * weight).sum((2, 3))
    union = ((matte + target) * weight).sum((2, 3)) - intersection
    return (bce + 1 - (intersection + 1) / (union + 1)).mean()


def trusted(target: Tensor, fine: Tensor, share: float = 0.012) -> Tensor:
    """(N, 1, H, W): 0 in a band of `share` of the diagonal on both sides of a coarse label's edge, 1 elsewhere."""
    if bool(fine.all()):
        return torch.ones_like(target)
    height, width = target.shape[-2:]
    radius = max(1, round(share * (height**2 + width**2) ** 0.5))
    both = torch.cat([target, -target], 1)
    for size, pad in (((2 * radius + 1, 1), (radius, 0)), ((1, 2 * radius + 1), (0, radius))):
        both = F.max_pool2d(both, size, 1, pad)
    certain = (both.sum(1, keepdim=True) < 0.5).to(target)
    return torch.where(fine[:, None, None, None], torch.ones_like(target), certain)


def detail_loss(matte: Tensor, target: Tensor) -> Tensor:
    """L1 plus a quarter of gradient L1 on the final matte in [0, 1]: sharpens the edge once the region is right."""
    loss = (matte - target).abs().mean()
    for axis in (2, 3):
        loss = loss + 0.25 * (matte.diff(dim=axis) - target.diff(dim=axis)).abs().mean()
    return loss


def total_loss(outputs: list[Tensor], target: Tensor, fine: Tensor, *, detail: bool) -> Tensor:
    """Deep supervision: each output against the target at its own size; the matte first, then sides 1 to 6.

    fine, (N,) bool: where it is False the label's edge is not to be learned from.
    """
    loss = target.new_zeros(())
    certain = trusted(target, fine)
    for logits, share in zip(outputs, SIDE_WEIGHTS, strict=True):
        size = logits.shape[-2:]
        goal, known = (
            plane if plane.shape[-2:] == size else F.interpolate(plane, size, mode="area")
            for plane in (target, certain)
        )
        loss = loss + share * structure_loss(logits.float(), goal, known * edge_weight(goal))
    if detail and bool(fine.any()):
        loss = loss + detail_loss(torch.sigmoid(outputs[0][fine].float()), target[fine])
    return loss
