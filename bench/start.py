"""Cold start and memory of whole processes, as the operating system counts them."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.photos import photo
from bench.processes import MEMORY_MB

REPEATS = 5
_RESTING = f"""{MEMORY_MB}
import json, time
started = time.perf_counter()
import packshot
from packshot.engine.network import default_network
default_network()
loaded = time.perf_counter() - started
resting = memory_mb('VmRSS')
data = open(PHOTO, 'rb').read()
started = time.perf_counter()
packshot.remove_background(data)
first = time.perf_counter() - started
for _ in range(5):
    packshot.remove_background(data)
peak = memory_mb('VmHWM')
print(json.dumps(dict(load_ms=1000 * loaded, first_ms=1000 * first, resting_mb=resting, peak_mb=peak)))
"""


def command_ms(*command: str) -> float:
    """Median wall time of a whole process, after one run that warms the disk cache."""
    times = []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times[1:])


def report() -> str:
    """The table as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder) / "photo.jpg", Path(folder) / "small.jpg"
        path.write_bytes(photo("mug", 1999))
        small.write_bytes(photo("bottle", 1000))
        code = _RESTING.replace("PHOTO", repr(str(path)))
        output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
        library = json.loads(output)
        packshot = (sys.executable, "-m", "packshot")
        rows = {
            "`python -c pass`, ms": command_ms(sys.executable, "-c", "pass"),
            "`packshot --help`, ms": command_ms(*packshot, "--help"),
            "`packshot remove photo.jpg`, 1000 px, ms": command_ms(*packshot, "remove", str(small), "--force"),
            "the same, 1999 px, ms": command_ms(*packshot, "remove", str(path), "--force"),
            "import and load the network, ms": library["load_ms"],
            "first photo, ms": library["first_ms"],
            "resting memory, network loaded, MB": library["resting_mb"],
            "peak memory, 1999 px, MB": library["peak_mb"],
        }
    return "| start and memory | |\n|---|---:|\n" + "\n".join(
        f"| {name} | {value:.0f} |" for name, value in rows.items()
    )
