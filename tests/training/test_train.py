"""The trainer's command, on a data folder of two discs."""

from __future__ import annotations

import csv
import json
import os
import shutil
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
backbone = "lite0"
widths = [8, 8, 8, 8, 16]
encoder_rate = 1e-4
decoder_rate = 1e-3
weight_decay = 0.02
warmup = 0.1
decay_from = 0.5
sharp_from = 0.5
ema = 0.9
clip = 1.0
sizes = [[0.0, [64]], [0.5, [64, 96]]]
composite_share = 0.5
excluded = "excluded.txt"

[cpu]
batch = 2
frozen_blocks = 3

[cuda]
batch = 2
frozen_blocks = 0

[shares]
duts_tr = 1.0
studio = 0.5
white-00 = 0.5

[recipe]
photo_share = 0.5

[objects]
duts_tr = 1.0
cutouts-00 = 1.0
studio = 1.0
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with all inputs of a run; each set has two discs: one for training, one held out."""
    y, x = np.mgrid[:96, :128]
    disc = (np.hypot(x - 64, y - 48) < 40).astype(np.uint8) * 255
    rgba = np.dstack([np.full((96, 128, 3), 90, np.uint8), disc])
    white = np.where(disc[..., None] > 0, rgba[..., :3], 255)
    for name, pixels in {"cutout": rgba, "photo": rgba[..., :3], "mask": disc, "white": white}.items():
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{name}.png")
    files: dict[str, list[tuple[str, str]]] = {"one": [], "validation-00": []}
    for name, picture in {"cutouts-00": "cutout", "cutouts-01": "cutout", "white-00": "white"}.items():
        files[name] = [(f"{picture}.png", f"{name}/{number}.png") for number in ("0001", "0009")]
    for name in ("backgrounds-00", "rooms-00"):
        files[name] = [("photo.png", "photo.webp")]
    for name in ("pascal_s", "alexpppp_kp_noise"):
        files["validation-00"] += [("photo.png", f"im/{name}/a.webp"), ("mask.png", f"gt/{name}/a.png")]
    rows = []
    for stem, split in (("a", "train"), ("b", "train"), ("c", "val")):
        files["one"] += [("photo.png", f"im/duts_tr/{stem}.webp"), ("mask.png", f"gt/duts_tr/{stem}.png")]
        rows.append(("one", "duts_tr", stem, 128, 96, split, 0.4, 0, "A"))
    for archive, names in files.items():
        with zipfile.ZipFile(tmp_path / f"{archive}.zip", "w") as file:
            for name, inside in names:
                file.write(tmp_path / name, inside)
    with (tmp_path / "pairs.csv").open("w", newline="") as file:
        header = ["shard", "set", "stem", "width", "height", "split", "foreground_fraction", "touches_border", "grade"]
        csv.writer(file).writerows([header, *rows])
    for kind in ("im", "gt"):
        (tmp_path / "studio" / kind).mkdir(parents=True)
    (tmp_path / "photo.png").rename(tmp_path / "studio" / "im" / "s.png")
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
def test_the_script_for_a_lent_gpu_brings_the_average_back(place: Path) -> None:
    root = Path(__file__).parents[2]
    env = {"PATH": os.environ["PATH"], "PYTHON": sys.executable, "KEPT": str(place / "kept"), "CONFIG": "run.toml"}
    (place / "carried").mkdir()
    with zipfile.ZipFile(place / "scenes.zip", "w") as archive:
        for path in (place / "studio").rglob("*.png"):
            archive.write(path, path.relative_to(place / "studio"))
    for file in (*place.glob("*.zip"), place / "pairs.csv"):
        file.rename(place / "carried" / file.name)
    for name in ("run.toml", "excluded.txt"):
        (place / name).rename(place / "carried" / name)
    shutil.copytree(root / "training", place / "training", ignore=shutil.ignore_patterns("__pycache__"))
    (place / "src").symlink_to(root / "src")

    def script(*words: str) -> None:
        subprocess.run(["training/gpu.sh", *words], cwd=place, env=env, check=True, capture_output=True)

    script("keep", "carried")
    for name in ("run.toml", "excluded.txt"):
        (place / "carried" / name).rename(place / name)
    script("train", "out", "0.05")
    state = torch.load(place / "out" / "average.pt", weights_only=True)
    assert state["progress"]["samples"] > 0
    assert state["sets"]["studio"] == 1
    assert json.loads((place / "out" / "log.jsonl").read_text().splitlines()[-1])["final"]


@pytest.mark.timeout(300)
def test_a_seed_is_a_run_and_a_run_can_start_from_another(place: Path) -> None:
    first, again = train(place, "first", 6), train(place, "again", 6)
    for name, values in first["average"].items():
        torch.testing.assert_close(values, again["average"][name], rtol=1e-3, atol=1e-4)
    assert first["progress"]["samples"] == 6
    assert first["sets"] == {"duts_tr": 2, "white-00": 1, "studio": 1, "cutouts-00": 1, "grounds": 2}
    figures = json.loads((place / "runs" / "first" / "log.jsonl").read_text().splitlines()[-1])
    for name in ("pascal_s", "alexpppp_kp_noise", "composites", "duts_tr"):
        assert 0 <= figures[name]["mae"] <= 1
    # The same command with a longer run resumes from the checkpoint; another run starts from its weights.
    assert train(place, "first", 8)["progress"]["step"] == 4
    later = train(place, "later", 2, "--init", "runs/again/average.pt")
    assert later["before"]["progress"]["samples"] == 6
    assert later["progress"]["samples"] == 2
