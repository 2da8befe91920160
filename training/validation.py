"""Quick figures for the log, without the pipeline: photos from another source, held-out composites, and DUTS-TR's val.

Choices are based on the first two. The last only shows that training works: its photos have the same origin as the
training set. `python -m evaluation` gives the full figures, through the whole pipeline.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.data import Folders, build_cache, build_validation_cache
from training.network import MULTIPLE_PX
from training.testset import composites

SIDE_PX = 288
PICTURES = {"pascal_s": 120, "alexpppp_kp_noise": 40, "composites": 60, "duts_tr": 80}


class Validation:
    """The pictures of PICTURES, decoded once."""

    def __init__(self, folders: Folders, device: torch.device) -> None:
        self.device = device
        data, cache = folders.data, folders.cache
        self._caches = {name: build_validation_cache(data, cache, name) for name in ("pascal_s", "alexpppp_kp_noise")}
        self._caches["duts_tr"] = build_cache(data, cache, split="val", name="duts_tr")
        made = composites(folders, SIDE_PX)
        self._made = [next(made) for _ in range(PICTURES["composites"])]

    def pairs(self, name: str) -> Iterator[tuple[Tensor, Tensor]]:
        """Pictures (1, 3, H, W) and truths (1, 1, H, W), float32 in 0..1."""
        if name == "composites":
            yield from ((picture[None], truth[None]) for picture, truth in self._made)
            return
        cache = self._caches[name]
        step = max(1, len(cache) // PICTURES[name])  # spread over the set, which is partly sorted by kind
        for row in range(0, len(cache), step)[: PICTURES[name]]:
            height, width = cache.sizes[row]
            picture = torch.from_numpy(cache.pictures[row, :height, :width].copy()).permute(2, 0, 1)
            truth = torch.from_numpy(cache.masks[row, :height, :width].copy())[None]
            yield picture[None].float() / 255, truth[None].float() / 255

    def figures(self, network: nn.Module) -> dict[str, dict[str, float]]:
        """MAE, maximum F (beta^2 = .3) of the mean curve, and mean IoU at 1/2 of each set."""
        network.eval()
        return {name: measure(network, self.pairs(name), self.device) for name in PICTURES}


@torch.no_grad()
def measure(network: nn.Module, pairs: Iterator[tuple[Tensor, Tensor]], device: torch.device) -> dict[str, float]:
    thresholds = torch.linspace(0, 1, 52)[1:-1, None]
    precision, recall = torch.zeros(len(thresholds)), torch.zeros(len(thresholds))
    mae = iou = 0.0
    count = 0
    for picture, soft in pairs:
        truth = soft > 0.5
        scale = SIDE_PX / max(picture.shape[-2:])
        shape = [MULTIPLE_PX * max(2, round(side * scale / MULTIPLE_PX)) for side in picture.shape[-2:]]
        rgb = F.interpolate(picture.to(device), shape, mode="bilinear", antialias=True)
        matte = torch.sigmoid(network(rgb)[0].float())
        matte = F.interpolate(matte, truth.shape[-2:], mode="bilinear").cpu()
        mae += float((matte - soft).abs().mean())
        positive, right = matte.reshape(1, -1) >= thresholds, truth.reshape(1, -1)
        hit = (positive & right).sum(1)
        precision += hit / positive.sum(1).clamp(min=1)
        recall += hit / truth.sum().clamp(min=1)
        both, either = (matte >= 0.5) & truth, (matte >= 0.5) | truth
        iou += float(both.sum() / either.sum().clamp(min=1))
        count += 1
    f_measure = 1.3 * precision * recall / (0.3 * precision + recall).clamp(min=1e-6) / count
    return {
        "mae": round(mae / count, 4),
        "max_f": round(float(f_measure.max()), 4),
        "iou": round(iou / count, 4),
    }
