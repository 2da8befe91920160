"""Train the coarse network: `python -m training.train CONFIG --data DATA --run RUN --minutes 120` or `--samples N`.

Resumes from RUN/checkpoint.pt when there is one. The schedule follows the share of the run that is over, measured
in training time (--minutes; a run then fits the time there is) or in samples (--samples; then it is repeatable).
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.augment import Augment, Batches
from training.composites import Compositor, Recipe
from training.data import PairCache, build_cache, build_cutout_cache, build_folder_cache, load_backgrounds
from training.losses import total_loss
from training.network import CoarseNetwork
from training.pool import Pool, read_excluded


@dataclass
class Progress:
    """What has been done so far; all that a resumed run needs besides the tensors."""

    step: int = 0
    samples: int = 0
    elapsed_s: float = 0.0

    def share(self, minutes: float | None, samples: int | None) -> float:
        done = self.elapsed_s / (60 * minutes) if minutes else self.samples / (samples or 1)
        return min(done, 1.0)


def learning_rate(share: float, peak: float, warmup: float) -> float:
    """Linear warm-up, then cosine down to zero at the end of the run."""
    if share < warmup:
        return peak * max(share / warmup, 0.01)
    return peak * 0.5 * (1 + math.cos(math.pi * (share - warmup) / (1 - warmup)))


def optimizer_for(network: nn.Module, decay: float) -> torch.optim.Optimizer:
    """AdamW with weight decay on convolution weights only: decayed norms and biases do nothing but harm."""
    kernels = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": kernels, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=(0.9, 0.99))


@torch.no_grad()
def update_ema(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Exponential moving average of the parameters; buffers (batch norm statistics) likewise, counters copied."""
    for kept, now in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(now, 1 - decay)
        else:
            kept.copy_(now)


@torch.no_grad()
def validate(network: nn.Module, cache: PairCache, device: torch.device, size_px: int, limit: int) -> dict[str, float]:
    """Quick figures for the log, on the first `limit` pairs: MAE and the maximum F (beta^2 = .3) of the mean curve."""
    network.eval()
    thresholds = torch.linspace(0, 1, 52)[1:-1, None]
    mae = 0.0
    precision, recall = torch.zeros(len(thresholds)), torch.zeros(len(thresholds))
    count = min(limit, len(cache))
    for row in range(count):
        height, width = cache.sizes[row]
        picture = torch.from_numpy(cache.pictures[row, :height, :width].copy()).to(device)
        truth = torch.from_numpy(cache.masks[row, :height, :width].copy()) > 127
        scale = size_px / max(height, width)
        shape = [32 * max(2, round(side * scale / 32)) for side in (height, width)]
        rgb = picture.permute(2, 0, 1)[None].float() / 255
        rgb = nn.functional.interpolate(rgb, shape, mode="bilinear", antialias=True)
        matte = torch.sigmoid(network(rgb)[0].float())
        matte = nn.functional.interpolate(matte, truth.shape, mode="bilinear")[0, 0].cpu()
        mae += float((matte - truth.float()).abs().mean())
        positive = matte.reshape(1, -1) >= thresholds
        hit = (positive & truth.reshape(1, -1)).sum(1)
        precision += hit / positive.sum(1).clamp(min=1)
        recall += hit / truth.sum().clamp(min=1)
    f_measure = 1.3 * precision * recall / (0.3 * precision + recall).clamp(min=1e-6) / count
    return {"mae": round(mae / count, 4), "max_f": round(float(f_measure.max()), 4)}


def save(path: Path, state: dict[str, Any]) -> None:
    """Write beside, then rename: a killed run keeps its last whole checkpoint."""
    beside = path.with_suffix(".part")
    torch.save(state, beside)
    beside.replace(path)


def batches_of(config: dict[str, Any], options: argparse.Namespace, batch: int, device: torch.device) -> Batches:
    """The stream that a configuration describes: its sets by their shares, and composites of their objects."""
    folder, shares = options.run.parent / "cache", dict(config["shares"])
    caches = {name: build_cache(options.data, folder, split="train", sets=(name,)) for name in shares}
    if options.studio:
        caches["studio"] = build_folder_cache(options.studio, options.run, "studio")
        shares["studio"] = config["studio_share"] * sum(shares.values())
    if composites := config["composite_share"]:
        caches["cutouts"] = build_cutout_cache(options.data / "cutouts-00.zip", folder)
    excluded = frozenset(read_excluded(Path(config["excluded"])))
    pool = Pool(caches, shares, device, excluded)
    generator = torch.Generator().manual_seed(config["seed"])
    grounds = load_backgrounds(options.data / "backgrounds-00.zip") if composites else []
    compositor = Compositor(pool, grounds, Recipe(), generator) if composites else None
    return Batches(
        pool, batch, Augment(**config.get("augment", {})), generator, compositor=compositor, composite_share=composites
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder with pairs.csv and the zips")
    parser.add_argument("--studio", type=Path, help="folder of rendered scenes, im/ and gt/ (see training/studio)")
    parser.add_argument("--run", type=Path, required=True, help="folder for the cache, checkpoints and log of this run")
    parser.add_argument("--minutes", type=float, help="length of the run in minutes of training time")
    parser.add_argument("--samples", type=int, help="length of the run in samples")
    parser.add_argument("--init", type=Path, help="checkpoint whose averaged weights this run starts from")
    parser.add_argument("--batch", type=int, help="batch size, when the machine suits another one")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--save-every-s", type=float, default=300)
    options = parser.parse_args()
    if not options.minutes and not options.samples:
        parser.error("give the length of the run: --minutes or --samples")
    return options


def main() -> None:
    options = arguments()
    config = tomllib.loads(options.config.read_text())
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    batch = options.batch or config["batch"]
    peak = config["learning_rate"] * math.sqrt(batch / config["batch"])
    decay = config["ema"] ** (batch / config["batch"])
    val = build_cache(options.data, options.run.parent / "cache", split="val", sets=("duts_tr",))

    torch.manual_seed(config["seed"])
    network = CoarseNetwork()
    before: dict[str, Any] = {}
    if options.init:
        first = torch.load(options.init, map_location="cpu", weights_only=True)
        network.load_state_dict(first["average"])
        before = {"progress": first["progress"], "config": first["config"]}
    network.to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval().requires_grad_(False)
    optimizer = optimizer_for(network, config["weight_decay"])
    batches = batches_of(config, options, batch, device)
    progress = Progress()
    options.run.mkdir(parents=True, exist_ok=True)
    checkpoint = options.run / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        batches.generator.set_state(state["generator"].cpu())
        progress = Progress(**state["progress"])

    def log(**figures: Any) -> None:
        line = json.dumps({**vars(progress), "elapsed_s": round(progress.elapsed_s), **figures})
        print(line, flush=True)
        with (options.run / "log.jsonl").open("a") as file:
            file.write(line + "\n")

    def keep() -> None:
        state: dict[str, Any] = {"network": network.state_dict(), "average": average.state_dict()}
        state |= {"optimizer": optimizer.state_dict(), "generator": batches.generator.get_state()}
        state |= {"sets": batches.counts(), "before": before}
        save(checkpoint, state | {"progress": vars(progress), "config": config})

    step_network = torch.compile(network) if device.type == "cuda" else network
    running, saved = 0.0, progress.elapsed_s
    while (share := progress.share(options.minutes, options.samples)) < 1:
        started = time.perf_counter()
        size_px = next(size for start, size in reversed(config["sizes"]) if share >= start)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(share, peak, config["warmup"])
        network.train()
        made = batches.next(size_px)
        with torch.autocast(device.type, torch.bfloat16):
            outputs: list[Tensor] = step_network(made.picture)
        loss = total_loss(outputs, made.target, made.fine, detail=share >= config["detail_from"])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), config["clip"])
        optimizer.step()
        # Young averages would be stuck near the random start: let the horizon grow with the run.
        update_ema(average, network, min(decay, (1 + progress.step) / (10 + progress.step)))
        progress.step += 1
        progress.samples += batch
        running += 0.01 * (float(loss.detach()) - running) if running else float(loss.detach())
        progress.elapsed_s += time.perf_counter() - started
        if progress.step % 100 == 0:
            log(loss=round(running, 4), size_px=size_px, samples_per_s=round(progress.samples / progress.elapsed_s, 1))
        if progress.elapsed_s - saved > options.save_every_s:
            saved = progress.elapsed_s
            keep()
            log(**validate(average, val, device, size_px, limit=128))
    keep()
    log(final=True, **validate(average, val, device, config["sizes"][-1][1], limit=len(val)))


if __name__ == "__main__":
    main()
