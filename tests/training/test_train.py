"""The trainer as it is started, on a data folder of two discs."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="training has an environment of its own: see training/README.md")

CONFIG = """
seed = 1
batch = 2
learning_rate = 1e-3
weight_decay = 0.02
warmup = 0.1
detail_from = 0.5
ema = 0.9
clip = 1.0
sizes = [[0.0, 64], [0.5, 96]]
composite_share = 0.5
studio_share = 0.5
excluded = "excluded.txt"

[shares]
duts_tr = 1.0
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with everything that a run needs: pairs, a cutout, a ground, a rendered scene, a configuration."""
    y, x = np.mgrid[:96, :128]
    disc = (np.hypot(x - 64, y - 48) < 40).astype(np.uint8) * 255
    rgba = np.dstack([np.full((96, 128, 3), 200, np.uint8), disc])
    Image.fromarray(rgba).save(tmp_path / "cutout.png")
    Image.fromarray(rgba[..., :3]).save(tmp_path / "photo.webp")
    Image.fromarray(disc).save(tmp_path / "mask.png")
    files = {"cutouts-00": [("cutout.png", "cutout.png")], "backgrounds-00": [("photo.webp", "photo.webp")], "one": []}
    rows = []
    for stem, split in (("a", "train"), ("b", "train"), ("c", "val")):
        files["one"] += [("photo.webp", f"im/duts_tr/{stem}.webp"), ("mask.png", f"gt/duts_tr/{stem}.png")]
        rows.append(("one", "duts_tr", stem, 128, 96, split, 0.4, 0, "A"))
    for shard, names in files.items():
        with zipfile.ZipFile(tmp_path / f"{shard}.zip", "w") as archive:
            for name, inside in names:
                archive.write(tmp_path / name, inside)
    with (tmp_path / "pairs.csv").open("w", newline="") as file:
        header = ["shard", "set", "stem", "width", "height", "split", "foreground_fraction", "touches_border", "grade"]
        csv.writer(file).writerows([header, *rows])
    for kind in ("im", "gt"):
        (tmp_path / "studio" / kind).mkdir(parents=True)
    (tmp_path / "photo.webp").rename(tmp_path / "studio" / "im" / "s.webp")
    (tmp_path / "mask.png").rename(tmp_path / "studio" / "gt" / "s.png")
    (tmp_path / "run.toml").write_text(CONFIG)
    (tmp_path / "excluded.txt").write_text("b  # wrong\n")
    return tmp_path


def train(place: Path, run: str, samples: int, *more: str) -> dict:
    """Run the trainer, and return its checkpoint."""
    command = [sys.executable, "-m", "training.train", "run.toml", "--data", ".", "--run", f"runs/{run}"]
    command += ["--studio", "studio", "--samples", str(samples), "--threads", "1", *more]
    root = Path(__file__).parents[2]
    subprocess.run(command, cwd=place, env={"PYTHONPATH": str(root), "PATH": ""}, check=True, capture_output=True)
    return torch.load(place / "runs" / run / "checkpoint.pt", weights_only=True)


@pytest.mark.timeout(300)
def test_a_seed_is_a_run_and_a_run_can_start_from_another(place: Path) -> None:
    first, again = train(place, "first", 6), train(place, "again", 6)
    for name, values in first["average"].items():
        torch.testing.assert_close(values, again["average"][name], rtol=1e-3, atol=1e-4)
    assert first["progress"]["samples"] == 6
    assert first["sets"] == {"duts_tr": 2, "studio": 1, "cutouts": 1, "backgrounds": 1}
    figures = json.loads((place / "runs" / "first" / "log.jsonl").read_text().splitlines()[-1])
    assert 0 <= figures["mae"] <= 1
    # The same command with a longer run goes on from the checkpoint; another run starts from its weights.
    assert train(place, "first", 8)["progress"]["step"] == 4
    later = train(place, "later", 2, "--init", "runs/again/checkpoint.pt")
    assert later["before"]["progress"]["samples"] == 6
    assert later["progress"]["samples"] == 2
