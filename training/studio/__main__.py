"""Render the scenes of some seeds. Run with a Python that has bpy; see README.md."""

from __future__ import annotations

import argparse
import time
import traceback
from pathlib import Path

from training.studio import shutter, stage
from training.studio.assets import SCENERY, Assets, unpack
from training.studio.develop import develop
from training.studio.plan import CLASSES, Scene
from training.studio.roll import Roll, usable, wanted


def main() -> None:
    """Render one scene after the other; a failed one is recorded and skipped."""
    options = _options()
    roll = Roll(options.out)
    assets = unpack(options.data, options.out.parent / "assets", options.scenery)
    todo = wanted(options.seeds, frozenset(options.classes), val=options.val, done=roll.done())
    for scene in todo:
        wall, cpu = time.monotonic(), time.process_time()
        try:
            facts = take(scene, assets, roll, options)
        except Exception as error:  # noqa: BLE001 - one scene must not end a night's run
            traceback.print_exc()
            facts = {"error": f"{type(error).__name__}: {error}"}
        facts |= {"seconds": round(time.monotonic() - wall, 1), "cpu_seconds": round(time.process_time() - cpu, 1)}
        roll.note(scene, **facts)
        print(f"{scene.stem} {scene.backdrop.kind} {facts}", flush=True)


def take(scene: Scene, assets: Assets, roll: Roll, options: argparse.Namespace) -> dict[str, object]:
    """Build a scene, render its matte and, if that is usable, its photo; keep both."""
    product = stage.build(scene, assets)
    aspect = scene.lens.aspect
    size = (round(options.side * min(1, aspect)), round(options.side * min(1, 1 / aspect)))
    shutter.load(size, options.threads)
    matte = shutter.coverage(product, options.alpha_samples)
    facts: dict[str, object] = {"size": size, "cover": round(float(matte.mean()), 4)}
    if not usable(matte):
        return facts | {"kept": False}
    hair = any(item.kind == "fur" for item in scene.items)  # strands below a pixel: too fine for the denoiser
    light = shutter.light(options.samples * (1 + hair))
    roll.keep(scene, develop(light, matte, scene.film, scene.backdrop, scene.seed), matte)
    return facts | {"kept": True}


def _seeds(text: str) -> range:
    first, _, end = text.partition(":")
    return range(int(first), int(end or int(first) + 1))


def _classes(text: str) -> list[str]:
    return _names(text, CLASSES)


def _scenery(text: str) -> list[str]:
    return _names(text, SCENERY)


def _names(text: str, known: tuple[str, ...]) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(known):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(known)}")
    return names


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.studio", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with models-00.zip and backgrounds-00.zip")
    parser.add_argument("--out", type=Path, required=True, help="output folder; a second run resumes the first")
    parser.add_argument("--seeds", type=_seeds, required=True, metavar="FIRST:END")
    parser.add_argument("--val", action="store_true", help="move the seeds to the held-out range")
    parser.add_argument("--classes", type=_classes, default=[], metavar="A,B", help="only scenes of these classes")
    parser.add_argument(
        "--scenery", type=_scenery, default=SCENERY, metavar="A,B", help="only these photos behind products"
    )
    parser.add_argument("--side", type=int, default=512, help="long side in px")
    parser.add_argument("--samples", type=int, default=4, help="light paths per pixel; hair takes twice as many")
    parser.add_argument("--alpha-samples", type=int, default=32, help="greatest number of rays per pixel for the matte")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
