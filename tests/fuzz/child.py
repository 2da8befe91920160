"""One process of a campaign: atheris around one target. `python -m tests.fuzz.child TARGET SECONDS FOLDER CORPUS`.

The process ends by libFuzzer's own clock, or by a crash. It writes its figures to FOLDER/stats.json about once a
second, so that a crash loses almost none.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import time
import traceback
import warnings
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["packshot", "PIL"], enable_loader_override=False):
    from packshot.core.codecs.formats import sniff
    from tests.fuzz.targets import TARGETS

# More than any honest input needs: above this, allocation fails, Python raises MemoryError, and that is a finding.
ADDRESS_SPACE_BYTES = 4 << 30
HANG_S = 60  # wall time, since the machine may be busy; libFuzzer then ends the process


class Probe:
    """Runs one input after the other and records their costs and failures."""

    def __init__(self, target: str, folder: Path) -> None:
        self._target = TARGETS[target]
        self._folder = folder
        self._seen: set[str] = set()
        self._written_s = 0.0
        self.counts = {"runs": 0, "slowest_s": 0.0, "largest_bytes": 0, "findings": 0}

    def __call__(self, data: bytes) -> None:
        counts = self.counts
        counts["runs"] += 1
        try:
            cost = self._target.run(data)
            counts["slowest_s"] = max(counts["slowest_s"], cost.seconds)
            counts["largest_bytes"] = max(counts["largest_bytes"], cost.peak_bytes)
            self._target.hold(cost, data)
        except Exception as error:  # noqa: BLE001 - any is a finding, and the campaign goes on
            self._note(data, error)
        if time.monotonic() - self._written_s > 1:
            self.write()

    def write(self) -> None:
        self._written_s = time.monotonic()
        (self._folder / "stats.json").write_text(json.dumps(self.counts))

    def _note(self, data: bytes, error: Exception) -> None:
        """Keep the first input of each kind: same exception, same line, same file format."""
        frame, format_ = traceback.extract_tb(error.__traceback__)[-1], sniff(data)
        kind = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno} by {format_ and format_.name}"
        if kind in self._seen:
            return
        self._seen.add(kind)
        self.counts["findings"] += 1
        name = hashlib.sha256(data).hexdigest()[:12]
        (self._folder / f"{name}.input").write_bytes(data)
        (self._folder / f"{name}.txt").write_text("".join(traceback.format_exception(error)))


def main() -> None:
    name, seconds, folder, corpus = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    warnings.simplefilter("ignore")
    target, probe = TARGETS[name], Probe(name, folder)

    def mutated(data: bytes, max_size: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.2:
            return bytes(atheris.Mutate(data, max_size))
        return target.mutate(data, random)[:max_size]

    arguments = [
        "fuzz",
        f"-max_total_time={max(1, round(seconds))}",
        f"-timeout={HANG_S}",
        "-rss_limit_mb=2048",
        f"-max_len={target.longest}",
        "-print_final_stats=1",
        f"-artifact_prefix={folder}{os.sep}",
        corpus,
    ]
    atheris.Setup(arguments, probe, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
