"""Write held-out composites as pairs: `python -m training.testset --data DATA --cache runs/cache --out FOLDER`.

Objects of the val split, mostly product cutouts and furniture, on solid and graded grounds, which are half of a
shop's photos. With --photos the grounds are rooms and textures. Shadows and reflections are not foreground, and some
grounds have the object's own colour. `python -m evaluation FOLDER` scores a network on them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from training.augment import jpeg
from training.composites import Compositor, Recipe, object_pool
from training.data import Folders, load_grounds
from training.pool import ASPECTS, batch_shape

SEED = 9
SHARES = {"duts_tr": 0.4, "cutouts-01": 0.3, "white-00": 0.3}
SOLID = Recipe(photo_share=0, several_share=0.3)
PHOTOS = Recipe(photo_share=1, several_share=0.3)


def composites(folders: Folders, side_px: int, *, photos: bool = False) -> Iterator[tuple[Tensor, Tensor]]:
    """Pictures (3, h, w) and mattes (1, h, w), float32 in 0..1, with side_px as the longer side; always the same."""
    pool = object_pool(folders, "val", SHARES, torch.device("cpu"))
    grounds, recipe = (load_grounds(folders.data), PHOTOS) if photos else ([], SOLID)
    maker = Compositor(pool, grounds, recipe, torch.Generator().manual_seed(SEED))
    number = 0
    while True:
        picture, matte = maker.make(1, batch_shape(side_px, number % len(ASPECTS)))
        noise = 0.01 * torch.randn(picture.shape, generator=maker.generator)
        yield jpeg((picture + noise)[0].clamp(0, 1), 90), matte[0]
        number += 1


def write(folder: Path, stem: str, picture: Tensor, matte: Tensor) -> None:
    """folder/im/STEM.jpg and folder/gt/STEM.png of (3, h, w) and (1, h, w) in 0..1."""
    for name, planes, kind in (("im", picture, ".jpg"), ("gt", matte, ".png")):
        path = folder / name / (stem + kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = (planes.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(np.ascontiguousarray(pixels.squeeze())).save(path, quality=95)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--cache", type=Path, required=True, help="folder of decoded pairs, as written by training/train.py"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--photos", action="store_true", help="rooms and textures as grounds, instead of plain grounds")
    options = parser.parse_args()
    torch.set_num_threads(1)
    made = composites(Folders(options.data, options.cache), options.side, photos=options.photos)
    for number in range(options.count):
        write(options.out, f"{number:04d}", *next(made))


if __name__ == "__main__":
    main()
