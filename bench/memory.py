"""`python -m bench.memory`: peak bytes per pixel of a photo, for the kinds of work that need most.

Linux only: the peak is the kernel's, for the whole process, above its memory before. Each kind has its own process.
`Job.memory_bytes` uses these figures for its estimates, and the service allots memory by these estimates.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from bench.processes import held_bytes
from packshot.core import codecs
from packshot.core.options import Options
from packshot.core.picture import UInt8
from packshot.engine.job import Work, follow, make_job
from packshot.engine.network import default_network
from packshot.engine.pipeline import PIPELINE
from packshot.engine.presets import recipe_for
from packshot.engine.process import tune_process

WIDTH, HEIGHT = 6000, 4000
_RESET = Path("/proc/self/clear_refs")


def product() -> UInt8:
    """A red disc on light gray."""
    rgb = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    y, x = np.ogrid[:HEIGHT, :WIDTH]
    rgb[((x - WIDTH / 2) / WIDTH) ** 2 + ((y - HEIGHT / 2) / HEIGHT) ** 2 < 0.12] = (160, 40, 30)
    return rgb


def kinds() -> dict[str, tuple[bool, dict[str, object]]]:
    """By name: whether the photo is a veil (half transparent everywhere), and the options."""
    frame = {"canvas": f"{WIDTH}x{HEIGHT}"}
    picture = codecs.encode(product(), format="jpeg")
    half = codecs.encode(np.full((16, 16), 192, np.uint8), format="png")
    return {
        "JPEG to a cutout": (False, {}),
        "JPEG on white": (False, {"background": "white", "format": "jpeg"}),
        "JPEG on a picture, soft shadow": (False, {"background_picture": picture, "shadow": "soft", **frame}),
        "JPEG enlarged to 50 megapixels": (False, {"canvas": "7070x7070", "fill": "90%", "max_upscale": 4.0}),
        "JPEG turned by 12 degrees": (False, {"rotate": 12, "background": "white", "shadow": "soft"}),
        "JPEG to AVIF": (False, {"format": "avif"}),
        "veil to a cutout": (True, {}),
        "veil with a touch-up": (True, {"touch_up": half}),
        "veil, soft shadow, blurred background": (True, {"shadow": "soft", "background": "blur"}),
        "veil on a picture, soft shadow, AVIF": (
            True,
            {"background_picture": picture, "shadow": "soft", "format": "avif", **frame},
        ),
    }


def measure(name: str) -> str:
    """One row: the peak, the estimate, and the processor's seconds."""
    veiled, fields = kinds()[name]
    rgb = product()
    alpha = np.full((HEIGHT, WIDTH), 128, np.uint8) if veiled else None
    data = codecs.encode(rgb, alpha, format="png" if veiled else "jpeg")
    del rgb, alpha
    recipe, network = recipe_for(Options.from_fields(fields)), default_network()
    network.predict(np.zeros((1, 3, 64, 64), np.float32))
    work = Work(recipe, network)
    work.job = make_job(data, recipe)
    _RESET.write_text("5")
    before = held_bytes("VmRSS")
    follow(PIPELINE, work)
    peak = held_bytes("VmHWM") - before
    pixels = max(WIDTH * HEIGHT, work.frame.size.width * work.frame.size.height)
    estimate, took_s = work.job.memory_bytes() / pixels, sum(work.laps_ms.values()) / 1000
    return f"{name:40} {peak / pixels:5.1f} {estimate:10.1f} {took_s:8.1f}"


def main() -> None:
    if len(sys.argv) > 1:
        tune_process()
        print(measure(sys.argv[1]))
        return
    print(f"{'bytes for each pixel':40} {'peak':>5} {'estimate':>10} {'seconds':>8}")
    for name in kinds():
        subprocess.run([sys.executable, "-m", "bench.memory", name], check=True)


if __name__ == "__main__":
    main()
