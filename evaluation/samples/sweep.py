"""Read sample files with packshot and with Pillow, and list the differences: `python -m evaluation.samples FOLDER`.

FOLDER has a folder for each project, such as checkouts of Pillow, libavif or libvips with their unusual test files.
Both read every picture file, in a child process with limits on time and memory. Pictures are compared upright, in sRGB.
Pillow is a reference, not the truth: for example, it ignores a PNG's gAMA and cICP. The output is a table for each
project and format, and every file that differs, with the reason. The exit status is 1 if packshot breaks.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import cv2

from evaluation.samples.readers import Pixels, by_packshot, by_pillow, compare
from packshot.core.codecs import BY_SUFFIX
from packshot.core.codecs.formats import sniff
from packshot.errors import PackshotError

# For one file, in both readers together. The clock limit catches waiting; a busy machine must not look like a hang.
PROCESSOR_SECONDS, SECONDS, MEMORY_BYTES = 30, 300.0, 6 << 30
SLOW_PROBE_S = 0.02
SUFFIXES = {*BY_SUFFIX, ".apng", ".avifs", ".dib", ".heics", ".hif", ".jfif"}
KINDS = {
    "broken": "packshot crashes, hangs, raises an error other than PackshotError, or its header gives another size",
    "refused": "packshot rejects a file that Pillow reads",
    "differs": "the pictures differ, the worst first",
    "alone": "Pillow rejects a file that packshot reads",
    "neither": "both refuse",
    "same": "the same picture",
}
_LISTED = ("broken", "refused", "differs", "alone")


@dataclass(frozen=True)
class Finding:
    """kind: a key of KINDS, or "" while only packshot has read the file. worst: the mean error, the sort key. probe_s:
    processor time of the header.
    """

    kind: str
    reason: str = ""
    worst: float = 0.0
    probe_s: float = 0.0


@dataclass(frozen=True)
class Row:
    """One file and its finding. path: within the folder. project: the first part of path."""

    project: str
    format: str
    path: str
    kind: str
    reason: str
    worst: float
    probe_s: float


def samples(folder: Path) -> Iterator[tuple[Path, str]]:
    """Path and format of every picture file, by first bytes or else by name; hidden folders are skipped."""
    for path in sorted(folder.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts) or not path.is_file():
            continue
        with path.open("rb") as file:
            found, suffix = sniff(file.read(64)), path.suffix.lower()
        if found or suffix in SUFFIXES:
            yield path, found.name if found else suffix[1:]


def examine(path: Path) -> Finding:
    """Read one file in its own process, forked from a server that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["evaluation.samples.loaded"])
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_work, args=(str(path), there))
    child.start()
    there.close()
    ends, found = time.monotonic() + SECONDS, None
    try:
        while (found is None or not found.kind) and here.poll(max(0.0, ends - time.monotonic())):
            found = here.recv()
        how = f"no result in {SECONDS:g} s"
        child.kill()
    except EOFError:
        child.join()
        how = f"the process ended with {child.exitcode}"
    child.join()
    if found is None:
        return Finding("broken", how)
    return found if found.kind else Finding("alone", f"Pillow: {how}", 0.0, found.probe_s)


def _work(path: str, pipe: Connection) -> None:
    """In the child: sends one finding after packshot has read the file, and a last one after Pillow has."""
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    warnings.simplefilter("ignore")
    cv2.setNumThreads(1)
    data, ours, refusal, seconds = Path(path).read_bytes(), None, "", 0.0
    try:
        ours, seconds, fault = by_packshot(data)
    except PackshotError as error:
        refusal, fault = error.message, ""
    except Exception as error:  # noqa: BLE001 - every other exception is a finding
        fault = f"{type(error).__name__}: {error}"
    pipe.send(Finding("broken" if fault else "", fault, 0.0, seconds))
    if fault:
        return
    try:
        theirs = by_pillow(data)
    except Exception as error:  # noqa: BLE001 - Pillow does not document its exceptions
        reason = f"{type(error).__name__}: {error}"
        pipe.send(Finding("alone", reason, 0.0, seconds) if ours else Finding("neither", f"{refusal} ({reason})"))
        return
    pipe.send(_judged(ours, theirs, seconds) if ours else Finding("refused", refusal))


def _judged(ours: Pixels, theirs: Pixels, probe_s: float) -> Finding:
    if ours.rgb.shape != theirs.rgb.shape:
        sizes = ["{1}x{0}".format(*each.rgb.shape) for each in (ours, theirs)]
        return Finding("differs", f"{sizes[0]} px, and {sizes[1]} in Pillow", 255.0, probe_s)
    found = compare(ours, theirs)
    worst = max(found.mean, found.alpha_mean)
    return Finding("same" if found.is_small else "differs", str(found), worst, probe_s)


def sweep(folder: Path, formats: Sequence[str] = (), kept: Path | None = None, jobs: int = 1) -> list[Row]:
    """Examine all files of `formats`, or of any format, `jobs` in parallel.

    kept: a file of rows. Files with a row are skipped; new rows are appended.
    """

    def row_of(path: Path, name: str) -> Row:
        within = path.relative_to(folder)
        project = within.parts[0] if len(within.parts) > 1 else folder.resolve().name
        return Row(project, name, within.as_posix(), **asdict(examine(path)))

    lines = kept.read_text(encoding="utf-8").splitlines() if kept and kept.exists() else []
    rows = {row.path: row for row in (Row(**json.loads(line)) for line in lines)}
    todo = [
        (path, name)
        for path, name in samples(folder)
        if path.relative_to(folder).as_posix() not in rows and (not formats or name in formats)
    ]
    with ThreadPoolExecutor(jobs) as pool, kept.open("a", encoding="utf-8") if kept else nullcontext() as out:
        for row in pool.map(row_of, *zip(*todo, strict=True)) if todo else ():
            rows[row.path] = row
            if out:
                print(json.dumps(asdict(row)), file=out, flush=True)
    return [row for row in rows.values() if not formats or row.format in formats]


def report(rows: Sequence[Row]) -> str:
    """The table, slow headers, and every file that differs."""
    lines = [f"{'project':28} {'format':6}" + "".join(f"{kind:>9}" for kind in KINDS)]
    for project in sorted({row.project for row in rows}):
        lines += _counted(project, [row for row in rows if row.project == project])
    lines += [*_counted("all", rows), *_line("all", "all", rows)]
    for kind in _LISTED:
        found = sorted((row for row in rows if row.kind == kind), key=lambda row: (-row.worst, row.reason, row.path))
        lines += ["", f"{kind}: {KINDS[kind]} ({len(found)})", *(f"  {row.path}: {row.reason}" for row in found)]
    slow = sorted((row for row in rows if row.probe_s > SLOW_PROBE_S), key=lambda row: -row.probe_s)
    lines += ["", f"slow: headers over {1000 * SLOW_PROBE_S:.0f} ms ({len(slow)})"]
    return "\n".join([*lines, *(f"  {row.path}: {1000 * row.probe_s:.0f} ms" for row in slow)])


def _counted(project: str, rows: Iterable[Row]) -> list[str]:
    by_format: dict[str, list[Row]] = {}
    for row in rows:
        by_format.setdefault(row.format, []).append(row)
    return [line for name in sorted(by_format) for line in _line(project, name, by_format[name])]


def _line(project: str, name: str, rows: Iterable[Row]) -> list[str]:
    counts = Counter(row.kind for row in rows)
    return [f"{project:28} {name:6}" + "".join(f"{counts[kind] or '-':>9}" for kind in KINDS)]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--format", nargs="+", default=[], help="only these, as packshot names them: jpeg png tiff ...")
    parser.add_argument("--rows", type=Path, help="file of rows as JSON lines; a later run resumes from it")
    parser.add_argument("--jobs", type=int, default=1, help="files in parallel, by default 1")
    chosen = parser.parse_args(arguments)
    rows = sweep(chosen.folder, chosen.format, chosen.rows, chosen.jobs)
    print(report(rows))
    return 1 if any(row.kind == "broken" for row in rows) else 0
