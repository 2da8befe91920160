"""The cutouts of both programs against true mattes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean, median

import numpy as np
from PIL import Image

from bench.peers.programs import Program, call
from evaluation.folders import list_pairs
from evaluation.metrics import score
from evaluation.pairs import from_folder
from packshot.core.picture import Float32

_MEASURES = ("mae", "iou", "boundary_iou")


def table(folder: Path, programs: Iterable[Program], limit: int | None) -> str:
    """A row for each program, on one processor: its time for a photo, its memory, and its scores."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    photos = [files.photo for files in list_pairs(folder).pairs[:limit]]
    truths = [pair.load().truth for pair in from_folder(folder).pairs[:limit]]
    lines = [
        f"| {len(photos)} pictures | s, median | peak, MB | MAE | IoU | boundary IoU |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for program in programs:
        with tempfile.TemporaryDirectory() as out:
            calls = call(program, photos, out=out)
            scores = [score(_alpha(Path(out) / f"{number}.png"), truth) for number, truth in enumerate(truths)]
        means = [f"{fmean(getattr(each, key) for each in scores):.3f}" for key in _MEASURES]
        lines.append(f"| {program.name} | {median(calls.times_s):.2f} | {calls.peak_mb:.0f} | {' | '.join(means)} |")
    return "\n".join(lines)


def _alpha(path: Path) -> Float32:
    """float32 (height, width) in 0..1."""
    with Image.open(path) as picture:
        return np.asarray(picture.getchannel("A"), np.float32) / np.float32(255)
