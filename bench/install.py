"""`python -m bench.install`: measures the first minute of a new user, from wheel to cutout. Needs uv and the registry.

Each kind of installation gets its own environment. Its size excludes compiled files. Imports and processes are measured
in processor time, as the median of several runs after Python has compiled everything. The first cutout is measured in
wall time, from a command that has never run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
PHOTO = ROOT / "examples/bear.jpg"
KINDS = ("packshot", "packshot[service]")
_IMPORT = "from packshot import Options, Result, remove"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, help="an existing wheel; by default one built from this checkout")
    parser.add_argument("--kind", action="append", help=f"by default {' and '.join(KINDS)}")
    parser.add_argument("--repeats", type=int, default=9)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = asked.wheel or _built(Path(folder))
        print("| installed | packages | MB | import, ms | first cutout, s | `remove`, ms | `--help`, ms |")
        print("|---|---:|---:|---:|---:|---:|---:|")
        for kind in asked.kind or KINDS:
            print(measure(kind, wheel, Path(folder) / kind, asked.repeats), flush=True)


def measure(kind: str, wheel: Path, folder: Path, repeats: int) -> str:
    """One row of the table."""
    run(uv(), "venv", "--quiet", "--python", sys.executable, str(folder))
    python = str(folder / "bin/python")
    extra = kind.removeprefix("packshot")
    run(uv(), "pip", "install", "--quiet", "--python", python, f"packshot{extra} @ {wheel.as_uri()}")
    packages = list(folder.glob("lib/python*/site-packages/*.dist-info"))
    size = sum(path.stat().st_size for path in folder.glob("lib/**/*") if path.is_file() and path.suffix != ".pyc")
    cutout, packshot = folder / "cutout.png", str(folder / "bin/packshot")
    remove = [packshot, "remove", str(PHOTO), "--out", str(cutout)]
    began = time.perf_counter()
    run(*remove)
    first_s = time.perf_counter() - began

    def again() -> float:
        cutout.unlink()
        return processor_ms(*remove)

    def median(measured: Callable[[], float]) -> float:
        return statistics.median(measured() for _ in range(repeats))

    importing = median(lambda: processor_ms(python, "-c", _IMPORT)) - median(lambda: processor_ms(python, "-c", "pass"))
    helping = median(lambda: processor_ms(packshot, "--help"))
    times = f"{importing:.0f} | {first_s:.1f} | {median(again):.0f} | {helping:.0f}"
    return f"| {kind} | {len(packages)} | {size / 1e6:.0f} | {times} |"


def processor_ms(*command: str) -> float:
    """User and system time of a process."""
    before = os.times()
    run(*command)
    after = os.times()
    return 1e3 * (after.children_user - before.children_user + after.children_system - before.children_system)


def _built(folder: Path) -> Path:
    run(uv(), "build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT))
    return next(folder.glob("*.whl"))


def uv() -> str:
    """The path of uv, or the end of the program with a message."""
    beside = Path(sys.executable).with_name("uv")
    found = shutil.which("uv") or (str(beside) if beside.exists() else None)
    if found is None:
        raise SystemExit("This needs uv: pip install uv")
    return found


def run(*command: str) -> None:
    """Run a command as in a new shell; its failure ends the program with its messages."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")


if __name__ == "__main__":
    main()
