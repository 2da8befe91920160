"""The mean of the weights of some runs: `python -m training.mean RUN=SHARE RUN=SHARE ... --out RUN`.

Runs that began at the same weights stay close enough for this, and the mean is often better than each
(Wortsman et al. 2022, arXiv:2203.05482). OUT gets an average.pt as of a run, to export or to start from. Its
configuration, sets and progress are the first run's; it lists all runs, and so does the card.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.train import save


def mean_of(weights: Sequence[Mapping[str, Tensor]], shares: Sequence[float]) -> dict[str, Tensor]:
    """Returns the weighted mean of each tensor, in its dtype. Counters, which are whole numbers, are of the first."""
    first, *others = weights
    if any(
        {name: value.shape for name, value in each.items()} != {n: v.shape for n, v in first.items()} for each in others
    ):
        raise SystemExit("These runs are of different networks: their weights have no mean.")
    return {name: _mean([each[name] for each in weights], shares) for name in first}


def _mean(values: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    if not values[0].is_floating_point():
        return values[0]
    return sum(share * value.float() for share, value in zip(shares, values, strict=True)).to(values[0].dtype)  # type: ignore[union-attr]


def mean_of_runs(runs: Sequence[tuple[Path, float]]) -> dict[str, Any]:
    """The content of average.pt for a mean of runs: (folder, share), of which the shares add up to 1."""
    shares = [share for _, share in runs]
    if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise SystemExit(f"The shares must be over 0 and add up to 1; they are {shares}.")
    states = [torch.load(folder / "average.pt", map_location="cpu", weights_only=True) for folder, _ in runs]
    parts = [
        {"run": folder.name, "share": share, "seed": state["config"]["seed"], "samples": state["progress"]["samples"]}
        for (folder, share), state in zip(runs, states, strict=True)
    ]
    average = mean_of([state["average"] for state in states], shares)
    return {**states[0], "average": average, "mean_of": parts}


def _run(text: str) -> tuple[Path, float]:
    folder, _, share = text.rpartition("=")
    return Path(folder), float(share)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=_run, nargs="+", metavar="RUN=SHARE", help="a run's folder, and its share of 1")
    parser.add_argument("--out", type=Path, required=True, help="folder for average.pt")
    options = parser.parse_args(arguments)
    state = mean_of_runs(options.runs)
    options.out.mkdir(parents=True, exist_ok=True)
    save(options.out / "average.pt", state)
    for part in state["mean_of"]:
        print("{share:g} of {run}: {samples} samples, seed {seed}".format(**part))


if __name__ == "__main__":
    main()
