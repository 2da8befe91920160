"""Make the tiles: `python -m training.refiner.tiles --data DATA --run runs/refiner --scenes 500`.

Each scene has its own seed, so an interrupted run resumes where it stopped. A scene gives up to PER_SCENE tiles along
undecided pixels, stored as uint8: the picture, the guided matte, the coarse matte, the truth.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np

from packshot.core.matte import refine
from packshot.core.picture import Picture
from packshot.core.resample import resample, size_of
from packshot.engine.edges import enlarge
from packshot.engine.network import Network, load_network
from packshot.engine.weights import DEFAULT_MODEL
from training.refiner.coarse import coarse_matte
from training.refiner.material import Material, load_material
from training.refiner.scenes import Scene, make_scene
from training.refiner.shapes import Rng
from training.refiner.studio import studio_scenes

TILE_PX = 96  # side of the trained part: the middle of a tile
HALO_PX = 24  # margin that the network sees around it
SIDE_PX = TILE_PX + 2 * HALO_PX
PER_SCENE = 16
SIDES = (256, 320, 384, 512)
SIDE_SHARES = (0.15, 0.5, 0.25, 0.1)
HALVED_FROM_PX = 1400  # the engine refines most pictures from this longest side on at half their size
HALVED_SHARE = 0.75  # of those scenes
WRONG_SHARE = 0.03  # above this share of decided but wrong pixels, a tile teaches nothing about edges


def tiles_of(rng: Rng, scene: Scene, coarse: np.ndarray) -> np.ndarray:
    """Up to PER_SCENE tiles, uint8 (n, SIDE_PX, SIDE_PX, 6); tiles with more undecided pixels are more likely."""
    soft = enlarge(coarse, size_of(scene.truth))
    guided, rgb, truth = refine(Picture(scene.rgb), coarse), scene.rgb, scene.truth
    if max(soft.shape) >= HALVED_FROM_PX and rng.random() < HALVED_SHARE:
        less = size_of(soft).reduced(max(soft.shape) // 2)
        rgb, guided, soft, truth = (resample(plane, less) for plane in (rgb, guided, soft, truth))
    layers = np.dstack([rgb, *(np.rint(255 * np.clip(m, 0, 1)).astype(np.uint8) for m in (guided, soft, truth))])
    shift = rng.integers(0, TILE_PX, 2)
    height, width = ((length - step) // TILE_PX for length, step in zip(soft.shape, shift, strict=True))
    if min(height, width) < 1:
        return np.zeros((0, SIDE_PX, SIDE_PX, 6), np.uint8)

    def per_tile(plane: np.ndarray) -> np.ndarray:
        area = plane[shift[0] : shift[0] + height * TILE_PX, shift[1] : shift[1] + width * TILE_PX]
        return cv2.resize(area.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)

    undecided = per_tile((soft > 0) & (soft < 1))
    wrong = per_tile(((soft == 0) & (truth > 0.5)) | ((soft == 1) & (truth < 0.5)))
    lost = per_tile(np.abs(soft - truth)) > 0.4 * undecided  # all of the band is on the wrong side
    weight = np.where((wrong < WRONG_SHARE) & ~lost & (undecided > 0.03), undecided, 0).reshape(-1)
    count = min(PER_SCENE, int((weight > 0).sum()))
    if not count:
        return np.zeros((0, SIDE_PX, SIDE_PX, 6), np.uint8)
    chosen = rng.choice(weight.size, count, replace=False, p=weight / weight.sum())
    padded = cv2.copyMakeBorder(layers[..., :3], *[HALO_PX] * 4, cv2.BORDER_REPLICATE)
    padded = np.dstack([padded, cv2.copyMakeBorder(layers[..., 3:], *[HALO_PX] * 4, cv2.BORDER_REPLICATE)])
    starts = [(shift[0] + c // width * TILE_PX, shift[1] + c % width * TILE_PX) for c in chosen]
    return np.stack([padded[top : top + SIDE_PX, left : left + SIDE_PX] for top, left in starts])


def seeded_scene(seed: int, index: int, material: Material, studio: list[Path]) -> tuple[Rng, Scene]:
    """The scene of a number; every third one is rendered, if there are renderings."""
    rng = np.random.default_rng([seed, index])
    if studio and index % 3 == 2:
        return rng, studio_scenes(rng, studio)
    return rng, make_scene(rng, material)


def make(folder: Path, count: int, material: Material, studio: list[Path], network: Network, *, seed: int = 1) -> None:
    """Write the missing files among folder/NNNNN.npy, one per scene."""
    folder.mkdir(parents=True, exist_ok=True)
    own = made = 0
    started = time.perf_counter()
    for index in range(count):
        path = folder / f"{index:05d}.npy"
        if path.exists():
            continue
        rng, scene = seeded_scene(seed, index, material, studio)
        coarse, by_network = coarse_matte(rng, scene, network, int(rng.choice(SIDES, p=SIDE_SHARES)))
        tiles = tiles_of(rng, scene, coarse)
        with path.with_suffix(".part").open("wb") as file:
            np.save(file, tiles)
        path.with_suffix(".part").replace(path)
        own, made = own + by_network, made + 1
        if made % 20 == 0:
            figures = {"scenes": index + 1, "by_network": own / made, "s": round(time.perf_counter() - started)}
            print(json.dumps(figures | {"cpu_s": round(time.process_time())}), flush=True)


def read_tiles(folder: Path) -> np.ndarray:
    """All tiles of a folder, uint8 (n, SIDE_PX, SIDE_PX, 6)."""
    return np.concatenate([np.load(path) for path in sorted(folder.glob("*.npy"))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the zips and pairs.csv")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=500)
    parser.add_argument("--studio", type=Path, action="append", default=[], help="folder of im/ and gt/, exact mattes")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="the coarse network whose mattes are refined")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    material = load_material(options.data, "train")
    network = load_network(options.model)
    make(options.run / "tiles", options.scenes, material, options.studio, network, seed=options.seed)


if __name__ == "__main__":
    main()
