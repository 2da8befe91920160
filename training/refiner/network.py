"""The edge refiner: a few convolutions on folded pixels, with a receptive radius of 24 px."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from packshot.engine import edges

INPUTS = 5  # RGB, the guided matte, the coarse matte
GAIN = 4.0  # the last layer starts at zero and learns slowly: 4 logits per unit let it reach any matte
MARGIN = float(edges.MARGIN)


class Residual(nn.Module):
    """3x3 convolution without padding, batch norm, added to the middle of its input, ReLU."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.trim = dilation

    def forward(self, x: Tensor) -> Tensor:
        trim = self.trim
        return F.relu(self.norm(self.conv(x)) + x[..., trim:-trim, trim:-trim])


class EdgeRefiner(nn.Module):
    """Layers (N, 5, h, w) in 0..1 -> change of the matte's logit (N, 1, h - 2*halo, w - 2*halo).

    No layer is padded: a tile's output equals that of the whole picture, so tiles have no seams. h and w are multiples
    of `fold`. The first layer folds fold x fold pixels into one, which makes the others fold² times cheaper and widens
    their field fold times. It is a convolution, not a pixel_unshuffle before a 1x1 convolution. Both are the same
    function, but ONNX Runtime spent a third of the time on that transpose.
    """

    def __init__(self, fold: int = 4, width: int = 32, dilations: Sequence[int] = (1, 1, 2, 1, 1)) -> None:
        super().__init__()
        self.fold, self.halo = fold, fold * sum(dilations)
        self.entry = nn.Conv2d(INPUTS, width, fold, stride=fold)
        self.body = nn.Sequential(*[Residual(width, dilation) for dilation in dilations])
        self.exit = nn.Conv2d(width, fold * fold, 1)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)

    def keep_norms(self) -> None:
        """Keep the norms' statistics while training: those of `restored` weights are part of the kernels."""
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()

    def forward(self, layers: Tensor) -> Tensor:
        x = F.relu(self.entry(layers))
        return GAIN * F.pixel_shuffle(self.exit(self.body(x)), self.fold)


def restored(path: Path) -> dict[str, Tensor]:
    """The weights of a shipped refiner, NAME.onnx: its norms are part of the kernels, so they start as identities."""
    graph = onnx.load(path).graph
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    layers = [
        [torch.tensor(values[casts.get(name, name)], dtype=torch.float32) for name in node.input[1:]]
        for node in graph.node
        if node.op_type == "Conv"
    ]
    (entry, *body, out), found = layers, {}
    for name, (kernel, bias) in (("entry", entry), ("exit", out)):
        found |= {f"{name}.weight": kernel, f"{name}.bias": bias}
    for number, (kernel, bias) in enumerate(body):
        norm = f"body.{number}.norm"
        found |= {f"body.{number}.conv.weight": kernel, f"{norm}.bias": bias, f"{norm}.weight": torch.ones_like(bias)}
        found |= {f"{norm}.running_mean": torch.zeros_like(bias), f"{norm}.running_var": torch.ones_like(bias)}
        found[f"{norm}.num_batches_tracked"] = torch.tensor(0)
    return found


def fade(coarse: Tensor) -> Tensor:
    """The weight of a change, 0..1: 1 where the coarse matte is undecided, 0 where it is decided."""
    return (torch.minimum(coarse, 1 - coarse) / float(edges.FAINT) - 1).clamp(0, 1)


def changed(matte: Tensor, change: Tensor) -> Tensor:
    """The matte after adding `change` to its logit; zero leaves it exactly unchanged."""
    logit = torch.logit(MARGIN + (1 - 2 * MARGIN) * matte)
    return ((torch.sigmoid(logit + change) - MARGIN) / (1 - 2 * MARGIN)).clamp(0, 1)
