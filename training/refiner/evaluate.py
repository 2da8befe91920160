"""Measure a refiner on held-out scenes: `python -m training.refiner.evaluate --data DATA --refiner NAME_OR_PATH`.

The scenes have 2000 px and come from cutouts, photos and seeds outside the training. The figure is the mean absolute
error x1000 in a band of 20 px along the true edge. It covers the enlarged coarse matte, the guided filter, the refiner
on either; the milliseconds are CPU time.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from packshot.core.matte import refine
from packshot.core.picture import Picture
from packshot.engine import edges
from packshot.engine.edges import EdgeRefiner, load_edge_refiner
from packshot.engine.network import load_network
from training.refiner.coarse import coarse_matte
from training.refiner.material import load_material
from training.refiner.scenes import Scene, make_scene
from training.refiner.shapes import STRANDS
from training.refiner.studio import studio_scenes

HELD_OUT_SEED = 10**6
KINDS = ("cutout", "blob", "cutout", "fur", "box", "wires", "cutout", "mesh", "polygon", "plush")
BAND_PX = 20


def edge_band(truth: np.ndarray) -> np.ndarray:
    """Pixels within BAND_PX / 2 of the true edge, bool (H, W)."""
    solid = (truth > 0.5).astype(np.uint8)
    edge = cv2.morphologyEx(solid, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return cv2.dilate(edge, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (BAND_PX + 1, BAND_PX + 1))) > 0


def group(scene: Scene) -> str:
    """A scene's kind of edge: rendered, strands, defocused, or hard."""
    if scene.kind == "studio":
        return "studio"
    if scene.kind in STRANDS:
        return "strands"
    inner = (scene.truth > 0.05) & (scene.truth < 0.95)
    edge = cv2.morphologyEx((scene.truth > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return "soft" if inner.sum() > 3 * edge.sum() else "hard"


def mattes(
    picture: Picture, coarse: np.ndarray, refiner: EdgeRefiner
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Each method's matte, and its CPU time in ms."""
    found, taken = {}, {}

    def add(name: str, compute: Callable[..., np.ndarray], *inputs: object) -> None:
        started = time.process_time()
        found[name] = compute(*inputs)
        taken[name] = 1000 * (time.process_time() - started)

    add("enlarged", edges.enlarge, coarse, picture.size)
    add("guided", refine, picture, coarse)
    add("as shipped", refiner.refine, picture, coarse, found["guided"])
    at_full_size = partial(refiner.refine, working_px=max(picture.size), most_tiles=10**6)
    add("full size", at_full_size, picture, coarse, found["guided"])
    add("refiner alone", at_full_size, picture, coarse, found["enlarged"])
    return found, taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--refiner", default="packshot-edges-1-int8")
    parser.add_argument("--model", default=None, help="the coarse network")
    parser.add_argument("--studio", type=Path, action="append", default=[])
    parser.add_argument("--scenes", type=int, default=30)
    parser.add_argument("--out", type=Path, help="folder for the crops of the scenes")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    material, network = load_material(options.data, "val"), load_network(options.model)
    refiner = load_edge_refiner(options.refiner)
    errors, times = defaultdict(lambda: defaultdict(list)), defaultdict(list)
    for index in range(options.scenes):
        rng = np.random.default_rng([HELD_OUT_SEED, index])
        if options.studio:
            scene = studio_scenes(rng, options.studio)
        else:
            scene = make_scene(rng, material, kind=KINDS[index % len(KINDS)], longest_px=2000)
        coarse, _ = coarse_matte(rng, scene, network, network.card.input.side_px)
        found, taken = mattes(Picture(scene.rgb), coarse, refiner)
        band = edge_band(scene.truth)
        for name, matte in found.items():
            errors[group(scene)][name].append(1000 * float(np.abs(matte - scene.truth)[band].mean()))
        for name, ms in taken.items():
            times[name].append(ms)
        times["tiles"].append(len(edges.undecided_tiles(found["enlarged"])))
        if options.out:
            save_crop(options.out / f"{index:03d}-{scene.kind}.png", scene, found)
    for name, rows in sorted(errors.items()):
        print(
            name, len(rows["guided"]), json.dumps({method: round(float(np.mean(v)), 1) for method, v in rows.items()})
        )
    print(
        "CPU ms, and tiles at full size",
        json.dumps({name: round(float(np.median(values))) for name, values in times.items()}),
    )


def save_crop(path: Path, scene: Scene, found: dict[str, np.ndarray], side: int = 320) -> None:
    """Picture, truth and mattes side by side at 100 %, at the shipped matte's largest error."""
    error = cv2.boxFilter(np.abs(found["as shipped"] - scene.truth), -1, (side, side))
    y, x = np.unravel_index(error.argmax(), error.shape)
    top, left = (int(np.clip(c - side // 2, 0, n - side)) for c, n in zip((y, x), error.shape, strict=True))
    area = np.s_[top : top + side, left : left + side]
    grays = [scene.truth, found["enlarged"], found["guided"], found["as shipped"]]
    panels = [scene.rgb[area], *(np.repeat(np.uint8(255 * g[area])[..., None], 3, 2) for g in grays)]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(panels, 1)).save(path)


if __name__ == "__main__":
    main()
