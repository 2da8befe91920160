"""What better foreground colours could gain: `python -m training.refiner.colours --data DATA`.

Held-out scenes of 2000 px, without noise, so that the product's own colours are known. Each figure is the mean absolute
error of matte times colour, 0..255, in a band of 20 px along the true edge: with the pipeline's matte and with the true
one; with the true colours, those of blur fusion, and the picture's own. A network for colours can at best be as good as
the true colours.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from packshot.core.foreground import estimate_foreground
from packshot.core.matte import refine
from packshot.core.picture import Picture
from packshot.engine.edges import load_edge_refiner
from packshot.engine.network import load_network
from training.refiner.coarse import coarse_matte
from training.refiner.evaluate import HELD_OUT_SEED, KINDS, edge_band, group
from training.refiner.material import load_material
from training.refiner.scenes import make_scene


def fused(picture: Picture, matte: np.ndarray) -> np.ndarray:
    """The foreground colours of blur fusion, float32 (H, W, 3) in 0..255."""
    foreground = estimate_foreground(picture, matte)
    colours = foreground.rgb.astype(np.float32)
    colours.reshape(-1, 3)[foreground.transition] = foreground.colours
    return colours


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=30)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    material, network = load_material(options.data, "val"), load_network(None)
    refiner = load_edge_refiner(network.card.edges or "packshot-edges-1-int8")
    errors: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for index in range(options.scenes):
        rng = np.random.default_rng([HELD_OUT_SEED, index])
        kind = KINDS[index % len(KINDS)]
        scene = make_scene(rng, material, kind=kind, longest_px=2000, through_camera=False)
        coarse, _ = coarse_matte(rng, scene, network, network.card.input.side_px)
        picture, band = Picture(scene.rgb), edge_band(scene.truth)
        product = scene.truth[..., None] * scene.colours
        mattes = {"our matte": refiner.refine(picture, coarse, refine(picture, coarse)), "true matte": scene.truth}
        for name, matte in mattes.items():
            ways = {"true colours": scene.colours, "blur fusion": fused(picture, matte), "picture's": scene.rgb}
            for way, colours in ways.items():
                error = np.abs(matte[..., None] * colours - product)[band].mean()
                errors[group(scene)][f"{name}, {way}"].append(float(error))
    for name, rows in sorted(errors.items()):
        print(
            name,
            len(rows["our matte, blur fusion"]),
            json.dumps({k: round(float(np.mean(v)), 2) for k, v in rows.items()}),
        )


if __name__ == "__main__":
    main()
