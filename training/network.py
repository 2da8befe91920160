"""The coarse network: nested U blocks behind a stride-4 stem, with a half-resolution skip for detail.

The nesting follows U2-Net (Qin et al. 2020, arXiv:2005.09007); the cheap stem and the pixel-shuffle head follow
the idea of IS-Net (Qin et al. 2022, arXiv:2203.03041) of predicting behind a strided stem.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# ImageNet statistics: the input rule of every card is plain RGB in 0..1, so they live inside the graph.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def conv(inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU: the only unit the network is built of (dense 3x3 is what CPUs run best)."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def upsample_to(x: Tensor, reference: Tensor) -> Tensor:
    """Bilinear resize of (N, C, h, w) to the reference's height and width."""
    return F.interpolate(x, size=reference.shape[-2:], mode="bilinear", align_corners=False)


class NestedU(nn.Module):
    """A residual U inside one stage: `depth` levels, the deepest dilated, added to the block's own input."""

    def __init__(self, inputs: int, mid: int, outputs: int, depth: int) -> None:
        super().__init__()
        self.entry = conv(inputs, outputs)
        self.down = nn.ModuleList([conv(outputs if level == 0 else mid, mid) for level in range(depth - 1)])
        self.bottom = conv(mid, mid, dilation=2)
        self.up = nn.ModuleList([conv(2 * mid, outputs if level == 0 else mid) for level in range(depth - 1)])

    def forward(self, x: Tensor) -> Tensor:
        entry = x = self.entry(x)
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else F.max_pool2d(x, 2, ceil_mode=True))
            skips.append(x)
        x = self.bottom(x)
        for block, skip in zip(reversed(self.up), reversed(skips), strict=True):
            x = block(torch.cat([upsample_to(x, skip), skip], 1))
        return x + entry


class DilatedU(nn.Module):
    """The block of the deepest stages, where pooling further would leave a handful of pixels: dilation instead."""

    def __init__(self, inputs: int, mid: int, outputs: int) -> None:
        super().__init__()
        self.entry = conv(inputs, outputs)
        self.down = nn.ModuleList([conv(outputs, mid), conv(mid, mid, dilation=2), conv(mid, mid, dilation=4)])
        self.bottom = conv(mid, mid, dilation=8)
        self.up = nn.ModuleList(
            [conv(2 * mid, outputs), conv(2 * mid, mid, dilation=2), conv(2 * mid, mid, dilation=4)]
        )

    def forward(self, x: Tensor) -> Tensor:
        entry = x = self.entry(x)
        skips: list[Tensor] = []
        for block in self.down:
            x = block(x)
            skips.append(x)
        x = self.bottom(x)
        for block, skip in zip(reversed(self.up), reversed(skips), strict=True):
            x = block(torch.cat([x, skip], 1))
        return x + entry


class CoarseNetwork(nn.Module):
    """RGB in 0..1 (N, 3, H, W), H and W multiples of 32 -> logits: the matte at full size, then one per decoder stage.

    Six stages at strides 4 to 128. The matte's head joins the first decoder stage with the half-resolution skip and
    shuffles four channels into pixels, so that the output has the input's size without a convolution at that size.
    """

    def __init__(
        self,
        widths: Sequence[int] = (48, 64, 80, 96, 96, 96),
        mids: Sequence[int] = (24, 32, 32, 32, 48, 48),
        depths: Sequence[int] = (6, 5, 4, 4),
        stem: int = 24,
        head: int = 32,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))
        self.stem_half = conv(12, stem)
        self.stem_quarter = conv(stem, stem + 8, stride=2)

        def stage(index: int, inputs: int) -> nn.Module:
            if index < len(depths):
                return NestedU(inputs, mids[index], widths[index], depths[index])
            return DilatedU(inputs, mids[index], widths[index])

        count = len(widths)
        self.encoder = nn.ModuleList([stage(i, stem + 8 if i == 0 else widths[i - 1]) for i in range(count)])
        self.decoder = nn.ModuleList([stage(i, widths[i] + widths[i + 1]) for i in range(count - 1)])
        self.side = nn.ModuleList([nn.Conv2d(width, 1, 3, padding=1) for width in widths])
        self.lateral = nn.Conv2d(widths[0], head, 1)
        self.head = nn.Sequential(conv(head + stem, head), nn.Conv2d(head, 4, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, rgb: Tensor) -> list[Tensor]:
        half = self.stem_half(F.pixel_unshuffle((rgb - self.mean) / self.std, 2))
        x = self.stem_quarter(half)
        skips: list[Tensor] = []
        for index, block in enumerate(self.encoder):
            x = block(x if index == 0 else F.max_pool2d(x, 2, ceil_mode=True))
            skips.append(x)
        stages = [x]
        for block, skip in zip(reversed(self.decoder), reversed(skips[:-1]), strict=True):
            x = block(torch.cat([upsample_to(x, skip), skip], 1))
            stages.append(x)
        stages.reverse()
        matte = self.head(torch.cat([upsample_to(self.lateral(x), half), half], 1))
        return [matte, *(side(stage) for side, stage in zip(self.side, stages, strict=True))]
