"""Fuzzes a target for some time, in consecutive processes, because crashing decoders end theirs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.corpus import inputs
from tests.fuzz.targets import TARGETS

# libFuzzer's file names for inputs that ended a process.
FATAL = ("crash-*", "timeout-*", "oom-*", "leak-*")


@dataclass(frozen=True)
class Row:
    """The result of one target. kept: inputs that reached new code; for the pipeline, inputs that gave a picture.
    largest_bytes: memory of the most expensive input.
    """

    target: str
    seconds: float
    runs: int
    kept: int
    slowest_s: float
    largest_bytes: int
    findings: int


def run(target: str, seconds: float, corpus: Path, findings: Path) -> Row:
    """Fuzz one target, starting from its seeds and the committed corpus; `corpus` receives new inputs."""
    for number, seed in enumerate(TARGETS[target].seeds.values()):
        (corpus / f"seed-{number}").write_bytes(seed())
    for path in inputs(target):
        (corpus / path.name).write_bytes(path.read_bytes())
    started, total = time.monotonic(), {"runs": 0, "slowest_s": 0.0, "largest_bytes": 0, "findings": 0}
    generation = 0
    while (left := seconds - (time.monotonic() - started)) > 1:
        folder = findings / f"{target}-{int(time.time())}-{generation}"
        folder.mkdir(parents=True)
        _one_process(target, left, folder, corpus)
        counts = _counts(folder)
        total = {
            "runs": total["runs"] + counts["runs"],
            "slowest_s": max(total["slowest_s"], counts["slowest_s"]),
            "largest_bytes": max(total["largest_bytes"], counts["largest_bytes"]),
            "findings": total["findings"] + counts["findings"],
        }
        generation += 1
        if not counts["runs"]:
            raise RuntimeError(f"{target} does not run: {(folder / 'log').read_text()[-2000:]}")
    return Row(target, time.monotonic() - started, kept=len(list(corpus.iterdir())), **total)  # type: ignore[arg-type]


def _one_process(target: str, seconds: float, folder: Path, corpus: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz.child", target, str(seconds), str(folder), str(corpus)]
    with (folder / "log").open("wb") as log:
        subprocess.run(command, stdout=log, stderr=log, check=False, timeout=seconds + 300)


def _counts(folder: Path) -> dict[str, float]:
    """The figures of the process, plus one finding per input that ended it."""
    stats = folder / "stats.json"
    empty = {"runs": 0, "slowest_s": 0.0, "largest_bytes": 0, "findings": 0}
    counts: dict[str, float] = json.loads(stats.read_text()) if stats.exists() else empty
    fatal = sum(len(list(folder.glob(pattern))) for pattern in FATAL)
    return {**counts, "findings": counts["findings"] + fatal}


def table(rows: Sequence[Row]) -> str:
    """The rows as a printed table."""
    names = ("inputs", "a second", "kept", "slowest", "memory", "findings")
    head = "{:8} {:>8} {:>10} {:>9} {:>6} {:>9} {:>8} {:>9}".format("target", "seconds", *names)
    lines = [
        f"{row.target:8} {row.seconds:8.0f} {row.runs:10,} {row.runs / row.seconds:9.0f} {row.kept:6,} "
        f"{1000 * row.slowest_s:6.0f} ms {row.largest_bytes / 1e6:5.0f} MB {row.findings:9}"
        for row in rows
    ]
    return "\n".join([head, *lines])
