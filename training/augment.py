"""Batches from a cache: crop, flip and turn in one resampling, then what a camera does. All in torch, on the device."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.data import CANVAS_PX, PairCache

# width / height of the three shapes a batch can have: real photos are mostly 4:3, and no shape needs padding.
ASPECTS = (4 / 3, 1.0, 3 / 4)


@dataclass(frozen=True)
class Augment:
    """How far each change may go; the defaults are the recipe of the first network."""

    whole_share: float = 0.4
    scale: tuple[float, float] = (0.5, 1.1)
    turn_degrees: float = 10.0
    gain: float = 0.25
    gamma: float = 0.3
    gray_share: float = 0.06
    blur_share: float = 0.15
    noise: float = 0.03
    noise_share: float = 0.4


def buckets(cache: PairCache) -> list[np.ndarray]:
    """Row numbers by nearest of ASPECTS, so that a batch's shape suits all of its pictures."""
    aspect = cache.sizes[:, 1] / cache.sizes[:, 0]
    nearest = np.abs(np.log(aspect)[:, None] - np.log(ASPECTS)[None]).argmin(1)
    return [np.flatnonzero(nearest == bucket) for bucket in range(len(ASPECTS))]


def batch_shape(size_px: int, bucket: int) -> tuple[int, int]:
    """Height and width, multiples of 32, the longer one size_px."""
    aspect = ASPECTS[bucket]
    width, height = (size_px, size_px / aspect) if aspect >= 1 else (size_px * aspect, size_px)
    return 32 * round(height / 32), 32 * round(width / 32)


def affine(sizes: Tensor, shape: tuple[int, int], options: Augment, generator: torch.Generator) -> Tensor:
    """(N, 2, 3) maps from output coordinates in [-1, 1] to the canvas's: a turned, mirrored window on each picture."""
    count = len(sizes)

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(count).uniform_(low, high, generator=generator)

    height, width = sizes[:, 0].float(), sizes[:, 1].float()
    whole = uniform(0, 1) < options.whole_share
    scale = torch.where(whole, uniform(1.0, options.scale[1]), uniform(*options.scale))
    stretch = uniform(-0.15, 0.15).exp()
    window_w, window_h = width * scale * stretch.sqrt(), height * scale / stretch.sqrt()
    room_x, room_y = (width - window_w) / 2, (height - window_h) / 2
    centre_x = width / 2 + room_x * uniform(-1, 1)
    centre_y = height / 2 + room_y * uniform(-1, 1)
    angle = uniform(-1, 1) * math.radians(options.turn_degrees) * (uniform(0, 1) < 0.4)
    mirror = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    cos, sin = angle.cos(), angle.sin()
    canvas = CANVAS_PX / 2
    rows = [
        torch.stack([mirror * window_w / 2 * cos, -window_h / 2 * sin, centre_x - canvas], 1),
        torch.stack([mirror * window_w / 2 * sin, window_h / 2 * cos, centre_y - canvas], 1),
    ]
    return torch.stack(rows, 1) / canvas


def sample_window(canvas: Tensor, sizes: Tensor, maps: Tensor, shape: tuple[int, int]) -> Tensor:
    """Resample (N, C, 384, 384) through the maps to (N, C, *shape); outside its picture a window repeats the border."""
    grid = F.affine_grid(maps, [len(canvas), 1, *shape], align_corners=False)
    # A canvas is only filled up to its picture's size: clamp there, not at the canvas's own border.
    limit = (2 * sizes.flip(1).float() - 1) / CANVAS_PX - 1
    grid = torch.minimum(grid, limit[:, None, None, :].to(grid))
    return F.grid_sample(canvas, grid, mode="bilinear", padding_mode="border", align_corners=False)


def camera(picture: Tensor, options: Augment, generator: torch.Generator) -> Tensor:
    """Colour gain, gamma, gray, defocus and sensor noise on (N, 3, H, W) in 0..1."""
    count, device = len(picture), picture.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    gain = 1 + options.gain * (2 * uniform(count, 1, 1, 1) - 1) + 0.08 * (2 * uniform(count, 3, 1, 1) - 1)
    gamma = torch.exp(options.gamma * (2 * uniform(count, 1, 1, 1) - 1))
    picture = picture.clamp(1e-4, 1).pow_(gamma.to(device)).mul_(gain.to(device))
    # The costly changes run on the pictures that they hit only: on a CPU they were a fifth of a step.
    for row in torch.nonzero(uniform(count) < options.gray_share).flatten():
        picture[row] = picture[row].mean(0, keepdim=True)
    for row in torch.nonzero(uniform(count) < options.blur_share).flatten():
        picture[row] = F.avg_pool2d(picture[row], 3, 1, 1, count_include_pad=False)
    for row in torch.nonzero(uniform(count) < options.noise_share).flatten():
        noise = torch.randn(picture.shape[1:], generator=generator).to(device)
        picture[row] += options.noise * torch.rand((), generator=generator).to(device) * noise
    return picture.clamp_(0, 1)


class Batches:
    """An endless, seeded stream of augmented batches. State is a generator: resuming continues the stream."""

    def __init__(self, cache: PairCache, batch: int, device: torch.device, seed: int, options: Augment) -> None:
        self.cache, self.batch, self.device, self.options = cache, batch, device, options
        self.generator = torch.Generator().manual_seed(seed)
        self.buckets = [torch.from_numpy(rows) for rows in buckets(cache)]
        self.shares = torch.tensor([float(len(rows)) for rows in self.buckets])

    def next(self, size_px: int) -> tuple[Tensor, Tensor]:
        """Pictures (N, 3, H, W) and masks (N, 1, H, W), float32 in 0..1, the longer side size_px."""
        bucket = int(torch.multinomial(self.shares, 1, generator=self.generator))
        rows = self.buckets[bucket]
        chosen = rows[torch.randint(len(rows), (self.batch,), generator=self.generator)].numpy()
        sizes = torch.from_numpy(self.cache.sizes[chosen])
        stacked = np.concatenate([self.cache.pictures[chosen], self.cache.masks[chosen][..., None]], -1)
        canvas = torch.from_numpy(stacked).to(self.device).permute(0, 3, 1, 2).float()
        shape = batch_shape(size_px, bucket)
        maps = affine(sizes, shape, self.options, self.generator).to(self.device)
        window = sample_window(canvas, sizes.to(self.device), maps, shape)
        window /= 255  # after the window is taken: it is a third of the canvas
        picture = camera(window[:, :3], self.options, self.generator)
        return picture.contiguous(memory_format=torch.channels_last), window[:, 3:].contiguous()
