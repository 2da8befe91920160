"""Train the network: `python -m training.train CONFIG --data DATA --run RUN --samples 30000` or `--minutes 120`.

Resumes from RUN/checkpoint.pt if it exists; SIGTERM writes one and ends. The schedule follows the finished share of the
run, measured in samples (the run is then repeatable) or in training time (--minutes; the run then fits the available
time).
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import shutil
import signal
import threading
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.data import Folders
from training.losses import total_loss
from training.network import MatteNetwork, Shape, load_pretrained
from training.stream import Batches, batches_of
from training.validation import Validation


@dataclass
class Progress:
    """The progress of a run; besides the tensors, a resumed run needs nothing else."""

    step: int = 0
    samples: int = 0
    elapsed_s: float = 0.0

    def share(self, minutes: float | None, samples: int | None) -> float:
        done = self.elapsed_s / (60 * minutes) if minutes else self.samples / (samples or 1)
        return min(done, 1.0)


class Stopwatch:
    """Seconds for each part of a step, for the log."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._device = device

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        self.seconds[name] += time.perf_counter() - started

    def shares(self) -> dict[str, float]:
        total = sum(self.seconds.values()) or 1
        found = {name: round(seconds / total, 3) for name, seconds in self.seconds.items()}
        self.seconds.clear()
        return found


def learning_rate(share: float, config: dict[str, Any]) -> float:
    """Share of the peak rate: linear warm-up, constant, then linear to zero from `decay_from` to the end of the run."""
    if share < config["warmup"]:
        return max(share / config["warmup"], 0.01)
    return min(1.0, (1 - share) / (1 - config["decay_from"]))


def parameter_groups(module: nn.Module, peak: float, weight_decay: float) -> list[dict[str, Any]]:
    """Groups for an optimizer, with their peak rates; weight decay on kernels only, because it harms norms."""
    learns = [p for p in module.parameters() if p.requires_grad]
    kernels, others = [p for p in learns if p.ndim > 1], [p for p in learns if p.ndim <= 1]
    return [
        {"params": parameters, "weight_decay": decay, "peak": peak, "lr": 0.0}
        for parameters, decay in ((kernels, weight_decay), (others, 0.0))
        if parameters
    ]


def optimizer_for(network: MatteNetwork, config: dict[str, Any], batch: int) -> torch.optim.Optimizer:
    """AdamW: the encoder has its own, lower rate."""
    factor = math.sqrt(batch / 16)
    groups = []
    for name, module in network.named_children():
        peak = factor * config["encoder_rate" if name == "encoder" else "decoder_rate"]
        groups += parameter_groups(module, peak, config["weight_decay"])
    return torch.optim.AdamW(groups, betas=(0.9, 0.99), fused=True)


@torch.no_grad()
def update_ema(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Exponential moving average of parameters and buffers (batch norm statistics); counters are copied."""
    for kept, now in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(now, 1 - decay)
        else:
            kept.copy_(now)


def save(path: Path, state: dict[str, Any]) -> None:
    """Write to a temporary file, then rename: a killed run keeps its last complete checkpoint."""
    beside = path.with_suffix(".part")
    torch.save(state, beside)
    beside.replace(path)


def choice(config: dict[str, Any], share: float, batches: Batches) -> int:
    """The longest side of the next batch, px: one of the configuration's sides for this part of the run."""
    sides = next(sides for start, sides in reversed(config["sizes"]) if share >= start)
    return sides[int(torch.randint(len(sides), (), generator=batches.generator))]


class Run:
    """Network, average, optimizer, stream and progress of one run, kept in its folder."""

    def __init__(self, config: dict[str, Any], options: argparse.Namespace) -> None:
        self.config, self.options = config, options
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        machine = config[self.device.type]
        self.batch = options.batch or machine["batch"]
        torch.manual_seed(config["seed"])
        self.before: dict[str, Any] = {}
        self.network = MatteNetwork(Shape(config["backbone"], config["widths"]))
        options.run.mkdir(parents=True, exist_ok=True)
        self.checkpoint = options.run / "checkpoint.pt"
        if not self.checkpoint.exists():
            self._start()
        self.network.encoder.freeze(machine["frozen_blocks"])
        self.network.to(self.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimizer = optimizer_for(self.network, config, self.batch)
        self.folders = Folders(options.data, options.run.parent / "cache", options.studio)
        self.batches = batches_of(config, self.folders, self.batch, self.device)
        self.progress = Progress()
        self.watch = Stopwatch(self.device)
        if self.checkpoint.exists():
            self._resume(torch.load(self.checkpoint, map_location=self.device, weights_only=True))

    def _start(self) -> None:
        """Start from ImageNet's weights, from a shipped network, or from another run's average."""
        first = self.options.init
        if first is None:
            load_pretrained(self.network.encoder, self.config["backbone"], self.options.weights)
        elif first.suffix == ".onnx":
            from packshot.engine.card import read_card  # noqa: PLC0415 - a borrowed GPU machine has no ONNX Runtime
            from training.export import UNSHIPPED, restored  # noqa: PLC0415

            missing = self.network.load_state_dict(restored(first), strict=False).missing_keys
            if lacking := [name for name in missing if not any(part in name for part in UNSHIPPED)]:
                raise SystemExit(f"{first} is another network: it has no {lacking[0]}")
            self.before = {"model": first.stem, **read_card(first.with_suffix(".json")).training}
        else:
            state = torch.load(first, map_location="cpu", weights_only=True)
            self.network.load_state_dict(state["average"])
            self.before = {name: state[name] for name in ("progress", "config", "mean_of", "before") if state.get(name)}

    def _resume(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.batches.generator.set_state(state["generator"].cpu())
        self.progress, self.before = Progress(**state["progress"]), state["before"]

    def share(self) -> float:
        return self.progress.share(self.options.minutes, self.options.samples)

    def step(self) -> tuple[float, int]:
        """One step of the optimizer. Returns the loss and the longest side of its pictures."""
        started, share, config, watch = time.perf_counter(), self.share(), self.config, self.watch
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * learning_rate(share, config)
        self.network.train()
        size_px = choice(config, share, self.batches)
        with watch.part("data"):
            made = self.batches.next(size_px)
        with (
            watch.part("forward"),
            torch.autocast(self.device.type, torch.bfloat16, enabled=half_is_faster(self.device)),
        ):
            outputs = self.network(made.picture)
        with watch.part("loss"):
            loss = total_loss(outputs, made.target, made.fine, sharp=share >= config["sharp_from"])
        with watch.part("backward"):
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
        with watch.part("optimizer"):
            nn.utils.clip_grad_norm_(self.network.parameters(), config["clip"])
            self.optimizer.step()
            # Early averages would stay near the start: the horizon grows with the run.
            decay = config["ema"] ** (self.batch / 16)
            update_ema(self.average, self.network, min(decay, (1 + self.progress.step) / (10 + self.progress.step)))
        self.progress.step += 1
        self.progress.samples += self.batch
        self.progress.elapsed_s += time.perf_counter() - started
        return float(loss.detach()), size_px

    def keep(self) -> None:
        """Write checkpoint.pt, to resume, and average.pt, to ship or to start from, a tenth of its size."""
        about = {"progress": vars(self.progress), "config": self.config}
        about |= {"sets": self.batches.counts(), "before": self.before}
        average = self.average.state_dict()
        state: dict[str, Any] = {"network": self.network.state_dict(), "average": average}
        state |= {"optimizer": self.optimizer.state_dict(), "generator": self.batches.generator.get_state()}
        save(self.checkpoint, state | about)
        half = {name: value.half() if value.ndim > 1 else value for name, value in average.items()}
        save(self.options.run / "average.pt", {"average": half} | about)
        if self.options.copy_to:
            shutil.copy(self.options.run / "average.pt", self.options.copy_to)
            shutil.copy(self.options.run / "log.jsonl", self.options.copy_to)

    def log(self, **figures: Any) -> None:
        line = json.dumps({**vars(self.progress), "elapsed_s": round(self.progress.elapsed_s), **figures})
        print(line, flush=True)
        with (self.options.run / "log.jsonl").open("a") as file:
            file.write(line + "\n")


def half_is_faster(device: torch.device) -> bool:
    """Whether the hardware computes bf16: true on all current GPUs, and on CPUs with AVX-512 BF16 or AMX."""
    if device.type == "cuda":
        return True
    return bool(torch.cpu._is_avx512_bf16_supported())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder with pairs.csv and the zips")
    parser.add_argument("--studio", type=Path, help="folder of rendered scenes, im/ and gt/ (see training/studio)")
    parser.add_argument("--run", type=Path, required=True, help="folder for the checkpoint and log of this run")
    parser.add_argument("--minutes", type=float, help="length of the run in minutes of training time")
    parser.add_argument("--samples", type=int, help="length of the run in samples")
    parser.add_argument("--init", type=Path, help="average.pt of a run, or NAME.onnx, to start from")
    parser.add_argument("--weights", type=Path, help="the backbone's .pth, if its package is not installed")
    parser.add_argument("--batch", type=int, help="batch size, to override the machine's")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--copy-to", type=Path, help="folder for copies of average.pt and the log, at each save")
    parser.add_argument("--save-every-s", type=float, default=300)
    parser.add_argument("--validate-every-s", type=float, default=900)
    options = parser.parse_args()
    if not options.minutes and not options.samples:
        parser.error("give the length of the run: --minutes or --samples")
    return options


def main() -> None:
    options = arguments()
    config = tomllib.loads(options.config.read_text())
    torch.backends.cudnn.benchmark = True
    if options.threads:
        torch.set_num_threads(options.threads)
    run = Run(config, options)
    validation = Validation(run.folders, run.device)
    run.log(begun=str(run.device), threads=torch.get_num_threads())
    running, saved, validated = 0.0, run.progress.elapsed_s, run.progress.elapsed_s
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    while run.share() < 1 and not stopped.is_set():
        loss, size_px = run.step()
        running += 0.01 * (loss - running) if running else loss
        progress = run.progress
        if progress.step % 50 == 0:
            speed = round(progress.samples / progress.elapsed_s, 2)
            run.log(loss=round(running, 4), size_px=size_px, samples_per_s=speed, time=run.watch.shares())
        if progress.elapsed_s - saved > options.save_every_s:
            saved = progress.elapsed_s
            run.keep()
        if progress.elapsed_s - validated > options.validate_every_s:
            validated = progress.elapsed_s
            run.log(**validation.figures(run.average))
    run.keep()
    if not stopped.is_set():
        run.log(final=True, **validation.figures(run.average))
        run.keep()  # includes the last line of the log


if __name__ == "__main__":
    main()
