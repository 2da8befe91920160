"""The two programs, each in an environment of its own, as a library and on a folder.

Both have their default settings. rembg has its smallest network, U2-NetP; by default it would load one of 1 GB.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.install import ROOT, run, uv
from bench.processes import MEMORY_MB, PeakMemory, tree_peak_bytes

ENVIRONMENT = ROOT / ".venv-rembg"
_CALLS = f"""{MEMORY_MB}
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
asked = json.loads(sys.argv[1])
photos = [Path(photo).read_bytes() for photo in asked["photos"]]
BEGIN
def timed(data):
    started = time.perf_counter()
    picture = cut(data)
    return time.perf_counter() - started, picture
with ThreadPoolExecutor(asked["threads"]) as pool:
    list(pool.map(cut, photos[:asked["threads"]]))
    started = time.perf_counter()
    times = []
    for number, (took_s, picture) in enumerate(pool.map(timed, photos * asked["repeats"])):
        times.append(took_s)
        if asked["out"]:
            Path(asked["out"], f"{{number}}.png").write_bytes(picture)
    wall_s = time.perf_counter() - started
print(json.dumps(dict(times_s=times, wall_s=wall_s, peak_mb=memory_mb("VmHWM"))))
"""
_REMBG = """
from rembg import new_session, remove
session = new_session("MODEL")
def cut(data):
    return remove(data, session=session)
"""
_PACKSHOT = """
import packshot
cut = packshot.remove_background
"""


@dataclass(frozen=True)
class Program:
    """A program to measure. begin: source that defines `cut`, from a photo's bytes to those of a PNG.

    folder: the command that takes the folders IN and OUT after it.
    """

    name: str
    python: str
    begin: str
    folder: tuple[str, ...]


@dataclass(frozen=True)
class Calls:
    """Calls of a library in one process. times_s: of each call. wall_s: of all. peak_mb: of the process."""

    times_s: Sequence[float]
    wall_s: float
    peak_mb: float

    @property
    def a_second(self) -> float:
        return len(self.times_s) / self.wall_s


def rembg(python: str | None, model: str) -> Program:
    """rembg in the environment of an interpreter, by default a new one with the latest release.

    It downloads the model now if that is missing, so that no measurement waits for it.
    """
    if python is None:
        run(uv(), "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(ENVIRONMENT))
        python = str(ENVIRONMENT / "bin/python")
        run(uv(), "pip", "install", "--quiet", "--upgrade", "--python", python, "rembg[cpu,cli]")
    begin = _REMBG.replace("MODEL", model)
    run(python, "-c", begin)
    version = subprocess.check_output([python, "-c", "from importlib.metadata import *; print(version('rembg'))"])
    command = str(Path(python).with_name("rembg"))
    return Program(f"rembg {version.decode().strip()}, {model}", python, begin, (command, "p", "-m", model))


def packshot() -> Program:
    return Program("packshot", sys.executable, _PACKSHOT, (sys.executable, "-m", "packshot", "batch"))


def first_photo(program: Program, photo: Path) -> tuple[str, ...]:
    """The command of a process that imports the library, cuts one photo out and ends."""
    return (program.python, "-c", f"{program.begin}\ncut(open({str(photo)!r}, 'rb').read())")


def call(program: Program, photos: Sequence[Path], *, repeats: int = 1, threads: int = 1, out: str = "") -> Calls:
    """Cut all photos out `repeats` times, after one photo on each thread to warm up.

    out: a folder for the cutouts as 0.png, 1.png, ...
    """
    asked: dict[str, Any] = {"photos": [str(photo.resolve()) for photo in photos], "repeats": repeats}
    code = _CALLS.replace("BEGIN", program.begin)
    command = [program.python, "-c", code, json.dumps(asked | {"threads": threads, "out": out})]
    return Calls(**json.loads(subprocess.check_output(command, text=True).splitlines()[-1]))


def make_folder(program: Program, photos: Path, out: Path) -> tuple[float, float]:
    """Seconds and peak MB of a command over a folder, from its start to its end.

    Raises: RuntimeError if a cutout is missing.
    """
    with (out.parent / "folder.log").open("wb") as log:
        began = time.perf_counter()
        process = subprocess.Popen([*program.folder, str(photos), str(out)], stdout=log, stderr=log)
        with PeakMemory(lambda: tree_peak_bytes(process.pid)) as peak:
            process.wait()
        took_s = time.perf_counter() - began
    made, expected = {path.stem for path in out.glob("*.png")}, {path.stem for path in photos.iterdir()}
    if process.returncode or made != expected:
        messages = (out.parent / "folder.log").read_text(errors="replace")
        raise RuntimeError(f"{program.name} made {len(made)} of {len(expected)} cutouts:\n{messages[-2000:]}")
    return took_s, peak.bytes / 1e6
