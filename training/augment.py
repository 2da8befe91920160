"""Crop, flip and rotate in one resampling, then simulate a camera. All in torch, on the device."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from training.data import CANVAS_PX


@dataclass(frozen=True)
class Augment:
    """Limits of each change; the defaults are the recipe of the first network."""

    whole_share: float = 0.4
    scale: tuple[float, float] = (0.5, 1.1)
    turn_degrees: float = 10.0
    gain: float = 0.25
    gamma: float = 0.3
    gray_share: float = 0.06
    blur_share: float = 0.15
    noise: float = 0.03
    noise_share: float = 0.4
    jpeg_share: float = 0.25


def affine(sizes: Tensor, options: Augment, generator: torch.Generator) -> Tensor:
    """(N, 2, 3) maps from output coordinates in [-1, 1] to the canvas's: a rotated, mirrored window on each picture."""
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


def camera(picture: Tensor, options: Augment, generator: torch.Generator) -> Tensor:
    """Colour gain, gamma, gray, defocus, sensor noise and JPEG on (N, 3, H, W) in 0..1."""
    count, device = len(picture), picture.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    gain = 1 + options.gain * (2 * uniform(count, 1, 1, 1) - 1) + 0.08 * (2 * uniform(count, 3, 1, 1) - 1)
    gamma = torch.exp(options.gamma * (2 * uniform(count, 1, 1, 1) - 1))
    picture = picture.clamp(1e-4, 1).pow_(gamma.to(device)).mul_(gain.to(device))
    # The costly changes run only on the pictures that they change: on a CPU they were a fifth of a step.
    for row in torch.nonzero(uniform(count) < options.gray_share).flatten():
        picture[row] = picture[row].mean(0, keepdim=True)
    for row in torch.nonzero(uniform(count) < options.blur_share).flatten():
        picture[row] = F.avg_pool2d(picture[row], 3, 1, 1, count_include_pad=False)
    # Drawn on the device, from a seed of the stream's generator: copying numbers from the CPU to a GPU would be slower.
    seed = int(torch.randint(2**31, (), generator=generator))
    sensor = torch.Generator(device).manual_seed(seed)
    for row in torch.nonzero(uniform(count) < options.noise_share).flatten():
        noise = torch.randn(picture.shape[1:], generator=sensor, device=device)
        picture[row] += options.noise * float(uniform(1)) * noise
    for row in torch.nonzero(uniform(count) < options.jpeg_share).flatten():
        picture[row] = jpeg(picture[row].clamp(0, 1), 30 + 65 * float(uniform(1)))
    return picture.clamp_(0, 1)


def jpeg(picture: Tensor, quality: float) -> Tensor:
    """(3, H, W) in 0..1 after JPEG of a quality in 1..100, H and W multiples of 16: 8x8 DCT, halved chroma."""
    red, green, blue = picture
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = torch.stack([0.5 + (blue - luma) / 1.772, 0.5 + (red - luma) / 1.402])
    scale = (50 / quality if quality < 50 else 2 - quality / 50) / 255
    step = (torch.tensor(LUMA_STEPS, device=picture.device).view(8, 8) * scale).clamp(min=1 / 255)
    luma = quantised(luma[None], step)[0]
    chroma = quantised(F.avg_pool2d(chroma, 2), step.amax().expand(8, 8) * 0.6)
    blue_part, red_part = F.interpolate(chroma[None], picture.shape[-2:], mode="bilinear")[0] - 0.5
    red, blue = luma + 1.402 * red_part, luma + 1.772 * blue_part
    return torch.stack([red, (luma - 0.299 * red - 0.114 * blue) / 0.587, blue]).clamp(0, 1)


# Annex K of ITU-T T.81: the quantisation of each luma frequency at quality 50.
LUMA_STEPS = [
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
]


def quantised(planes: Tensor, step: Tensor) -> Tensor:
    """(C, H, W), H and W multiples of 8, with each 8x8 block's frequencies rounded to multiples of step (8, 8)."""
    count, height, width = planes.shape
    angle = torch.arange(8, device=planes.device)
    basis = torch.cos((2 * angle[None] + 1) * angle[:, None] * math.pi / 16) / 2
    basis[0] /= math.sqrt(2)
    blocks = planes.reshape(count, height // 8, 8, width // 8, 8).transpose(2, 3)
    frequencies = basis @ blocks @ basis.T
    blocks = basis.T @ (torch.round(frequencies / step) * step) @ basis
    return blocks.transpose(2, 3).reshape(count, height, width)
