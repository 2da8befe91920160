"""packshot beside rembg, on the same pictures: `python -m bench.rembg FOLDER --python PYTHON [--model u2netp]`.

FOLDER has photos and their true mattes, as `python -m evaluation` takes them. PYTHON is the interpreter of an
environment with `pip install 'rembg[cpu]'`. Each program runs in a process of its own, on one core, with one picture to
warm up. A time is that of a call from a photo's file to a cutout in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from PIL import Image

from bench.start import MEMORY_MB
from evaluation.folders import list_pairs
from evaluation.metrics import score
from evaluation.pairs import from_folder
from packshot.core.picture import Float32

_RUN = f"""{MEMORY_MB}
import json, sys, time
from pathlib import Path
photos, out, model = json.loads(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
BEGIN
times = []
for number, photo in [(0, photos[0]), *enumerate(photos)]:
    started = time.perf_counter()
    alpha = cut(photo)
    times.append(time.perf_counter() - started)
    alpha.save(out / f"{{number}}.png")
print(json.dumps({{"times": times[1:], "peak_mb": memory_mb("VmHWM")}}))
"""
_REMBG = """
from PIL import Image, ImageOps
from rembg import new_session, remove
session = new_session(model)
def cut(photo):
    return remove(ImageOps.exif_transpose(Image.open(photo)).convert("RGB"), session=session).getchannel("A")
"""
_PACKSHOT = """
import packshot
def cut(photo):
    return packshot.remove(photo).image.getchannel("A")
"""


def run(python: str, begin: str, photos: Sequence[Path], out: Path, model: str) -> dict[str, Any]:
    """The times and the peak memory of one program; its alphas go into `out` as 0.png, 1.png, ..."""
    code = _RUN.replace("BEGIN", begin)
    arguments = [python, "-c", code, json.dumps([str(photo.resolve()) for photo in photos]), str(out), model]
    done = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def read_alpha(path: Path) -> Float32:
    """float32 (height, width) in 0..1."""
    return np.asarray(Image.open(path), np.float32) / np.float32(255)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", required=True)
    parser.add_argument("--model", default="u2netp", help="of rembg")
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    photos = [files.photo for files in list_pairs(options.folder).pairs[: options.limit]]
    truths = [pair.load().truth for pair in from_folder(options.folder).pairs[: options.limit]]
    programs = ((f"rembg, {options.model}", options.python, _REMBG), ("packshot", sys.executable, _PACKSHOT))
    print(f"{len(photos)} pictures\n")
    print("| | s, median | peak, MB | MAE | IoU | boundary IoU |\n|---|---:|---:|---:|---:|---:|")
    for name, python, begin in programs:
        with tempfile.TemporaryDirectory() as out:
            found = run(python, begin, photos, Path(out), options.model)
            figures = [score(read_alpha(Path(out) / f"{number}.png"), truth) for number, truth in enumerate(truths)]
        means = [f"{fmean(getattr(each, key) for each in figures):.3f}" for key in ("mae", "iou", "boundary_iou")]
        print(f"| {name} | {median(found['times']):.2f} | {found['peak_mb']:.0f} | {' | '.join(means)} |", flush=True)


if __name__ == "__main__":
    main()
