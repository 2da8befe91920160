"""Windows of stored pictures: any affine map, without aliasing. OpenCV from uint8 on a CPU, torch on a GPU.

A map is (2, 3): from the window's coordinates to the canvas's, both in -1..1 (torch.nn.functional.affine_grid).
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.data import CANVAS_PX

SHRUNK_FROM = 1.3
"""From this number of stored px per window px on, bilinear sampling would skip pixels: the picture is shrunk first."""


def px_per_px(maps: Tensor, shape: tuple[int, int]) -> Tensor:
    """Stored px per window px of each map, (N,)."""
    height, width = shape
    linear = maps[:, :, :2] * CANVAS_PX / torch.tensor([width, height], dtype=maps.dtype, device=maps.device)
    return torch.linalg.det(linear).abs().sqrt()


def sample_array(plane: np.ndarray, matrix: np.ndarray, shape: tuple[int, int], *, zeros: bool) -> np.ndarray:
    """One window, uint8 (h, w) or (h, w, C), of a plane uint8 (H, W) or (H, W, C) that holds only the picture.

    matrix, float64 (2, 3): from window px to plane px, centres at whole numbers. Outside is 0, or the repeated border.
    """
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale > SHRUNK_FROM:
        height, width = (max(2, round(side / scale)) for side in plane.shape[:2])
        factor = np.array([width / plane.shape[1], height / plane.shape[0]])
        plane = cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
        matrix = matrix * factor[:, None]
        matrix[:, 2] += factor / 2 - 0.5
    return cv2.warpAffine(
        plane,
        matrix,
        (shape[1], shape[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT if zeros else cv2.BORDER_REPLICATE,
    )


def px_matrices(maps: Tensor, shape: tuple[int, int]) -> np.ndarray:
    """The maps as float64 (N, 2, 3) from window px to canvas px, centres at whole numbers."""
    height, width = shape
    found = maps.double().cpu().numpy() * (CANVAS_PX / 2)
    step = np.array([2 / width, 2 / height])
    linear = found[:, :, :2] * step
    offset = found[:, :, 2] + (found[:, :, :2] * (step / 2 - 1)).sum(2) + (CANVAS_PX - 1) / 2
    return np.concatenate([linear, offset[:, :, None]], 2)


def sample_canvas(canvas: Tensor, sizes: Tensor, maps: Tensor, shape: tuple[int, int], *, zeros: bool) -> Tensor:
    """Windows (N, C, *shape) of canvases (N, C, 384, 384) whose pictures have sizes (N, 2), height and width.

    zeros: the last channel, the mask, is 0 outside its picture; all others repeat the border.
    """
    grid = F.affine_grid(maps, [len(canvas), 1, *shape], align_corners=False)
    limit = 2 * sizes.flip(1).to(grid) / CANVAS_PX - 1
    outside = (grid > limit[:, None, None]).any(3) | (grid < -1).any(3)
    # A canvas is only filled up to its picture's size: clamp there, not at the canvas's border.
    grid = torch.minimum(grid, (limit - 1 / CANVAS_PX)[:, None, None])
    window = F.grid_sample(canvas, grid, mode="bilinear", padding_mode="border", align_corners=False)
    small = F.grid_sample(F.avg_pool2d(canvas, 2), grid, mode="bilinear", padding_mode="border", align_corners=False)
    # Between one and two stored px per window px, the two levels are blended like in a texture unit.
    blend = (px_per_px(maps, shape).log2()).clamp(0, 1)[:, None, None, None]
    window = window.lerp(small, blend)
    if zeros:
        window[:, -1:].masked_fill_(outside[:, None], 0)
    return window
