"""Losses on logits against soft targets in [0, 1]. Every function takes and returns torch tensors, (N, 1, H, W)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE_WEIGHTS = (1.0, 1.0, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 16)


def edge_weight(target: Tensor) -> Tensor:
    """1 + 5*|mean31(target) - target|: pixels near an edge count up to six times (F3Net, Wei et al. 2020).

    The window is 31 px at 352 px and scales with the picture; the mean is separable, which is 15x cheaper on a CPU.
    """
    radius = max(1, round(max(target.shape[-2:]) * 15 / 352))
    size = 2 * radius + 1
    mean = F.avg_pool2d(target, (size, 1), 1, (radius, 0), count_include_pad=False)
    mean = F.avg_pool2d(mean, (1, size), 1, (0, radius), count_include_pad=False)
    return 1 + 5 * (mean - target).abs()


def structure_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted BCE plus weighted IoU of F3Net (arXiv:1911.11445): pixels and region at once."""
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    bce = (weight * bce).sum((2, 3)) / weight.sum((2, 3))
    matte = torch.sigmoid(logits)
    intersection = (matte * target * weight).sum((2, 3))
    union = ((matte + target) * weight).sum((2, 3)) - intersection
    return (bce + 1 - (intersection + 1) / (union + 1)).mean()


def detail_loss(matte: Tensor, target: Tensor) -> Tensor:
    """L1 plus a quarter of gradient L1 on the final matte in [0, 1]: sharpens the edge once the region is right."""
    loss = (matte - target).abs().mean()
    for axis in (2, 3):
        loss = loss + 0.25 * (matte.diff(dim=axis) - target.diff(dim=axis)).abs().mean()
    return loss


def total_loss(outputs: list[Tensor], target: Tensor, *, detail: bool) -> Tensor:
    """Deep supervision: each output against the target at its own size; the matte first, then sides 1 to 6."""
    loss = target.new_zeros(())
    for logits, share in zip(outputs, SIDE_WEIGHTS, strict=True):
        size = logits.shape[-2:]
        goal = target if target.shape[-2:] == size else F.interpolate(target, size, mode="area")
        loss = loss + share * structure_loss(logits.float(), goal, edge_weight(goal))
    if detail:
        loss = loss + detail_loss(torch.sigmoid(outputs[0].float()), target)
    return loss
