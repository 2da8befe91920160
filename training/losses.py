"""Losses on logits against soft targets in [0, 1]. All functions take and return torch tensors, (N, 1, H, W)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE_WEIGHTS = (1.0, 1.0, 1 / 2, 1 / 4, 1 / 8)
"""Weights of the matte, and of the outputs at /4, /8, /16 and /32."""

WEIGHED_AT = 4
"""The weight map is computed at a quarter of the size, where its window costs a thirtieth."""


def edge_weight(target: Tensor) -> Tensor:
    """1 + 5*|mean31(target) - target| at /4: pixels near an edge weigh up to 6 (F3Net, Wei et al. 2020).

    The window is 31 px at 352 px and scales with the picture.
    """
    small = F.avg_pool2d(target, WEIGHED_AT)
    radius = max(1, round(max(target.shape[-2:]) * 15 / 352 / WEIGHED_AT))
    mean = small
    for kernel, pad in (((2 * radius + 1, 1), (radius, 0)), ((1, 2 * radius + 1), (0, radius))):
        mean = F.avg_pool2d(mean, kernel, 1, pad, count_include_pad=False)
    return 1 + 5 * (mean - small).abs()


def structure_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted BCE plus weighted IoU of F3Net (arXiv:1911.11445): covers pixels and region."""
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    bce = (weight * bce).sum((2, 3)) / weight.sum((2, 3))
    matte = torch.sigmoid(logits)
    intersection = (matte * target * weight).sum((2, 3))
    union = ((matte + target) * weight).sum((2, 3)) - intersection
    return (bce + 1 - (intersection + 1) / (union + 1)).mean()


def trusted(target: Tensor, fine: Tensor, share: float = 0.012) -> Tensor:
    """(N, 1, H, W): 0 in a band of `share` of the diagonal on both sides of a coarse label's edge, 1 elsewhere."""
    known = torch.ones_like(target)
    if bool(fine.all()):
        return known
    coarse = target[~fine]
    height, width = target.shape[-2:]
    radius = max(1, round(share * (height**2 + width**2) ** 0.5))
    both = torch.cat([coarse, -coarse], 1)
    for size, pad in (((2 * radius + 1, 1), (radius, 0)), ((1, 2 * radius + 1), (0, radius))):
        both = F.max_pool2d(both, size, 1, pad)
    known[~fine] = (both.sum(1, keepdim=True) < 0.5).to(target)
    return known


def sharp_loss(matte: Tensor, target: Tensor, levels: int = 3) -> Tensor:
    """L1, a quarter of gradient L1, and L1 of `levels` Laplacian bands, on mattes in [0, 1].

    It sharpens the edge once the region is right: coarse bands keep thin parts from fading, fine bands place the line.
    """
    error = matte - target
    loss = error.abs().mean()
    for axis in (2, 3):
        loss = loss + 0.25 * error.diff(dim=axis).abs().mean()
    for level in range(levels):  # bands are linear: the bands of the error equal the errors of the bands
        small = F.avg_pool2d(error, 2)
        band = error - F.interpolate(small, size=error.shape[-2:], mode="bilinear")
        loss = loss + 2**level * 0.25 * band.abs().mean()
        error = small
    return loss


def total_loss(outputs: list[Tensor], target: Tensor, fine: Tensor, *, sharp: bool) -> Tensor:
    """Deep supervision: the matte and the side outputs, each against the target at its own size.

    fine, (N,) bool: False excludes the label's edge from the loss. sharp: add the edge losses.
    """
    weight, known = edge_weight(target), trusted(target, fine)
    loss = target.new_zeros(())
    for logits, share in zip(outputs, SIDE_WEIGHTS, strict=True):
        size = logits.shape[-2:]
        goal, weighed, certain = (resized(plane, size) for plane in (target, weight, known))
        loss = loss + share * structure_loss(logits.float(), goal, weighed * certain)
    if sharp and bool(fine.any()):
        loss = loss + sharp_loss(torch.sigmoid(outputs[0][fine].float()), target[fine])
    return loss


def resized(plane: Tensor, size: torch.Size) -> Tensor:
    """(N, 1, h, w): area means when shrinking, bilinear when enlarging."""
    if plane.shape[-2:] == size:
        return plane
    factor = plane.shape[-1] // size[-1]
    return F.avg_pool2d(plane, factor) if factor > 1 else F.interpolate(plane, size=size, mode="bilinear")
