"""A small catalogue, and `packshot batch` as a user runs it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packshot.batch.catalogue import Summary
from packshot.batch.executors import LocalExecutor
from packshot.batch.journal import NAME
from packshot.batch.listing import make_naming, make_namings
from packshot.batch.process import BatchSettings
from packshot.batch.progress import Progress
from packshot.batch.run import Task, run
from packshot.core.options import Options
from packshot.engine.presets import recipes_for
from packshot.engine.weights import embedded_model
from tests.kit.images import as_jpeg, photo


def fill(folder: Path, names: Iterable[str]) -> Path:
    """Small photos under these names, each with a different product."""
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_jpeg(photo(96, 72, seed)))
    return folder


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "packshot", "batch", *map(str, arguments)]


def batch(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, **options)


def make(
    photos: Path | str,
    out: Path | str,
    options: Options | None = None,
    *,
    jobs: int = 2,
    stop: threading.Event | None = None,
    progress: Progress | None = None,
    **task: Any,
) -> Summary:
    """The same in this process, on one network for all tests."""
    wanted = options or Options(background="white")
    recipes = recipes_for(wanted)
    settings = BatchSettings(str(photos), str(out), wanted, embedded_model(), thumbnails=task.get("report"))
    one = len(recipes) == 1
    namings = (make_naming(recipes[0], "a network", ""),) if one else make_namings(recipes, "a network")
    task_of = Task(settings, namings, **task)
    return run(task_of, LocalExecutor(jobs), stop or threading.Event(), progress or Progress(io.StringIO()))


def journal(out: Path) -> list[dict[str, Any]]:
    """The journal's outcomes, without its lines about runs and without an incomplete last line."""
    rows = []
    for line in (out / NAME).read_bytes().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if "source" in row:
            rows.append(row)
    return rows


def made_of(out: Path) -> Counter[str]:
    """The number of journal lines with a success, by photo."""
    return Counter(row["source"] for row in journal(out) if row["ok"])


def outputs(out: Path) -> set[str]:
    """The files in OUT, without journal and report."""
    return {
        str(path.relative_to(out))
        for path in out.rglob("*")
        if path.is_file() and path.relative_to(out).parts[0] not in {".packshot", "packshot-report"}
    }
