"""Train the edge refiner: `python -m training.refiner.train CONFIG --run runs/refiner --steps 2500`.

Resumes from RUN/edges/checkpoint.pt. The tiles are those of `python -m training.refiner.tiles`.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from packshot.engine.card import read_card
from training.refiner.losses import edge_loss
from training.refiner.network import EdgeRefiner, changed, fade, restored
from training.refiner.tiles import read_tiles
from training.train import learning_rate, parameter_groups, save, update_ema


def layers_of(tiles: np.ndarray) -> Tensor:
    """uint8 (n, side, side, 6) -> float32 (n, 6, side, side) in 0..1: RGB, guided, coarse, truth."""
    return torch.from_numpy(tiles).permute(0, 3, 1, 2).float() / 255


def augmented(layers: Tensor, config: dict[str, Any], generator: torch.Generator) -> Tensor:
    """Mirror and rotate the batch; shift each tile's colours, and randomly exchange layers."""
    count = len(layers)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    turn = int(torch.randint(8, (1,), generator=generator))
    layers = layers.transpose(2, 3) if turn & 1 else layers
    layers = layers.flip([axis for axis, bit in ((2, 2), (3, 4)) if turn & bit]).clone()
    gain = (1 + 0.2 * (uniform(count, 1, 1, 1) - 0.5)) * (1 + 0.1 * (uniform(count, 3, 1, 1) - 0.5))
    offset = 0.1 * (uniform(count, 3, 1, 1) - 0.5)
    layers[:, :3] = (layers[:, :3] * gain + offset).clamp(0, 1)
    coarse_only = uniform(count) < config["coarse_only"]
    layers[coarse_only, 3] = layers[coarse_only, 4]
    inverted = uniform(count) < config["inverted"]
    layers[inverted, 3:] = 1 - layers[inverted, 3:]
    return layers


def step_loss(network: nn.Module, layers: Tensor, halo: int) -> Tensor:
    guided, coarse, truth = layers[..., halo:-halo, halo:-halo][:, 3:].split(1, 1)
    share = fade(coarse)
    change = network(layers[:, :5].contiguous(memory_format=torch.channels_last))
    return edge_loss(changed(guided, share * change), truth, (share > 0).float())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--run", type=Path, required=True, help="folder with tiles/")
    parser.add_argument("--name", default="edges", help="folder of the checkpoint, within the run's")
    parser.add_argument("--steps", type=int, default=3600, help="length of the run, including the steps done so far")
    parser.add_argument("--init", type=Path, help="checkpoint.pt of a run, or NAME.onnx, to start from")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    config = tomllib.loads(options.config.read_text())
    torch.set_num_threads(options.threads)
    tiles = read_tiles(options.run / "tiles")
    folder = options.run / options.name
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "checkpoint.pt"

    torch.manual_seed(config["seed"])
    network = EdgeRefiner(**config["network"])
    samples_before, keeps_norms = 0, False
    if options.init and options.init.suffix == ".onnx":
        found = restored(options.init)  # a network with fewer layers takes the first ones
        network.load_state_dict({name: found[name] for name in network.state_dict()})
        samples_before = read_card(options.init.with_suffix(".json")).training["samples"]
        keeps_norms = True
    elif options.init:
        before = torch.load(options.init, weights_only=True)
        network.load_state_dict(before["average"])
        samples_before = before["progress"]["samples"]
        keeps_norms = before.get("keeps_norms", False)
    network.to(memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval().requires_grad_(False)
    groups = parameter_groups(network, config["learning_rate"], config["weight_decay"])
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), fused=True)
    generator = torch.Generator().manual_seed(config["seed"])
    first, elapsed_s = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        generator.set_state(state["generator"])
        first, elapsed_s = state["progress"]["step"], state["progress"]["elapsed_s"]
        keeps_norms = state.get("keeps_norms", False)
        samples_before = state["progress"]["samples"] - first * config["batch"]

    def keep(step: int) -> None:
        samples = samples_before + step * config["batch"]
        progress = {"step": step, "samples": samples, "elapsed_s": elapsed_s, "tiles": len(tiles)}
        state = {"network": network.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict()}
        state |= {"generator": generator.get_state(), "keeps_norms": keeps_norms}
        save(checkpoint, state | {"progress": progress, "config": config})

    print(f"{len(tiles)} tiles, {sum(p.numel() for p in network.parameters())} parameters", flush=True)
    running = 0.0
    network.train()
    if keeps_norms:
        network.keep_norms()
    for step in range(first, options.steps):
        started = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * learning_rate(step / options.steps, config)
        chosen = torch.randint(len(tiles), (config["batch"],), generator=generator).numpy()
        loss = step_loss(network, augmented(layers_of(tiles[chosen]), config, generator), network.halo)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        update_ema(average, network, min(config["ema"], (1 + step) / (10 + step)))
        running += 0.02 * (float(loss.detach()) - running) if running else float(loss.detach())
        elapsed_s += time.perf_counter() - started
        if (step + 1) % 100 == 0:
            figures = {"step": step + 1, "loss": round(running, 4), "elapsed_s": round(elapsed_s)}
            print(json.dumps(figures | {"cpu_s": round(time.process_time())}), flush=True)
        if (step + 1) % 500 == 0:
            keep(step + 1)
    keep(options.steps)


if __name__ == "__main__":
    main()
