"""Find wrong labels: `python -m training.contradictions --data DATA --cache runs/cache --out sheet.png`.

Prints the training pairs that a trained network contradicts most, and shows picture, label and matte. Most of these are
errors of the network or open to debate; clearly wrong labels go into training/excluded.txt.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from packshot.core.geometry import Size
from packshot.core.matte import network_input
from packshot.core.picture import Picture
from packshot.core.resample import resample
from packshot.engine.network import Network, load_network
from packshot.engine.weights import DEFAULT_MODEL
from training.data import PairCache, build_cache

SIDE_PX = 256  # this size is enough to see a wrong label


def disagreement(cache: PairCache, network: Network) -> np.ndarray:
    """1 - soft IoU of label and matte for each pair, float32 (N,)."""
    missed = np.ones(len(cache), np.float32)
    for row in range(len(cache)):
        matte, label = look(cache, row, network)
        missed[row] = 1 - np.minimum(matte, label).sum() / max(float(np.maximum(matte, label).sum()), 1)
    return missed


def look(cache: PairCache, row: int, network: Network) -> tuple[np.ndarray, np.ndarray]:
    """The matte and the label, both float32 (h, w) in 0..1 at the network's size."""
    height, width = cache.sizes[row]
    scale = SIDE_PX / max(height, width)
    size = Size(*(32 * max(2, round(side * scale / 32)) for side in (width, height)))
    picture = Picture(np.ascontiguousarray(cache.pictures[row, :height, :width]))
    label = cache.masks[row, :height, :width].astype(np.float32) / 255
    return network.predict(network_input(picture, size)), resample(label, size)


def sheet(cache: PairCache, rows: np.ndarray, network: Network, columns: int = 6) -> Image.Image:
    """Picture, label and matte of each row side by side; row numbers follow the reading order."""
    side = 128
    page = Image.new("RGB", (columns * 3 * side + 8 * columns, -(-len(rows) // columns) * side))
    for place, row in enumerate(rows):
        height, width = cache.sizes[row]
        matte, label = look(cache, row, network)
        shown = [Image.fromarray(cache.pictures[row, :height, :width])]
        shown += [Image.fromarray((255 * plane).astype(np.uint8)) for plane in (label, matte)]
        for index, image in enumerate(shown):
            image.thumbnail((side, side))
            x = place % columns * (3 * side + 8) + index * side
            page.paste(image, (x, place // columns * side))
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--cache", type=Path, required=True, help="folder of decoded pairs, as written by training/train.py"
    )
    parser.add_argument("--set", default="duts_tr")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    cache = build_cache(options.data, options.cache, split="train", name=options.set)
    network = load_network(options.model, options.threads)
    missed = disagreement(cache, network)
    worst = np.argsort(-missed)[: options.count]
    for place, row in enumerate(worst):
        print(f"{place:4d}  {missed[row]:.3f}  {cache.stems[row]}")
    sheet(cache, worst, network).save(options.out)


if __name__ == "__main__":
    main()
