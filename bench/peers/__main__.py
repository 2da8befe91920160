"""packshot beside rembg: `make bench-peers`, or `python -m bench.peers`. Run it on an idle machine with Linux.

rembg's latest release is installed into `.venv-rembg`, and its model into U2NET_HOME (by default ~/.u2net). Both
programs cut out the six examples at 1000 and 1999 px, from JPEG to PNG, with their default settings and all processors.

With FOLDER, it compares the cutouts instead: on photos and their true mattes, as `python -m evaluation` takes them, on
one processor.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bench.load.report import percentile
from bench.peers import quality, server
from bench.peers.programs import Program, call, first_photo, make_folder, packshot, rembg
from bench.photos import FOLDER, photo
from bench.start import command_ms

SIDES_PX = (1000, 1999)


@dataclass(frozen=True)
class Row:
    """A figure of both programs. more: whether more is better; None if it is only counted."""

    name: str
    theirs: float
    ours: float
    more: bool | None = False
    digits: int = 2

    @property
    def ratio(self) -> str:
        """How many times better packshot is; empty without a sense."""
        good, bad = (self.ours, self.theirs) if self.more else (self.theirs, self.ours)
        return "" if self.more is None or not bad else f"{good / bad:.1f}"

    def __str__(self) -> str:
        return f"| {self.name} | {self.theirs:.{self.digits}f} | {self.ours:.{self.digits}f} | {self.ratio} |"


def head(name: str) -> str:
    """The head of the table as Markdown; `name` is that of the other program."""
    return f"| | {name} | packshot | times better |\n|---|---:|---:|---:|"


def start(peer: Program, photos: Sequence[Path], _: argparse.Namespace, __: Path) -> Iterator[Row]:
    largest = max(photos, key=lambda path: path.stat().st_size)
    theirs, ours = (command_ms(*first_photo(program, largest)) / 1000 for program in (peer, packshot()))
    yield Row("process: import and first photo, s", theirs, ours)


def library(peer: Program, photos: Sequence[Path], asked: argparse.Namespace, _: Path) -> Iterator[Row]:
    cores = os.cpu_count() or 1
    for threads, name in ((1, "library"), (cores, f"library, {cores} threads"))[: 2 if cores > 1 else 1]:
        one, two = (call(program, photos, repeats=asked.repeats, threads=threads) for program in (peer, packshot()))
        yield Row(f"{name}: photos a second", one.a_second, two.a_second, more=True)
        yield Row(f"{name}: p95, s", percentile(one.times_s, 0.95), percentile(two.times_s, 0.95))
        yield Row(f"{name}: peak memory, MB", one.peak_mb, two.peak_mb, digits=0)


def folder(peer: Program, photos: Sequence[Path], asked: argparse.Namespace, scratch: Path) -> Iterator[Row]:
    source = scratch / "in"
    source.mkdir()
    for path in photos:
        for number in range(asked.copies):
            (source / f"{path.stem}-{number}.jpg").hardlink_to(path)
    (theirs, their_mb), (ours, our_mb) = (
        make_folder(program, source, scratch / name) for program, name in ((peer, "theirs"), (packshot(), "ours"))
    )
    total = asked.copies * len(photos)
    yield Row(f"folder of {total}: photos a second", total / theirs, total / ours, more=True)
    yield Row(f"folder of {total}: peak memory, MB", their_mb, our_mb, digits=0)


def serving(peer: Program, photos: Sequence[Path], asked: argparse.Namespace, scratch: Path) -> Iterator[Row]:
    files = [path.read_bytes() for path in photos]

    def loaded(running: AbstractContextManager[tuple[str, int]]) -> server.Load:
        with running as address_and_pid:
            return server.load(address_and_pid, files, model=asked.model, clients=asked.clients, seconds=asked.seconds)

    one = loaded(server.rembg_server(peer.folder[0], scratch))
    two = loaded(server.packshot_server(scratch))
    name = f"server, {asked.clients} clients"
    yield Row(f"{name}: photos a second", one.a_second, two.a_second, more=True)
    for words, share in (("median", 0.5), ("p95", 0.95)):
        yield Row(f"{name}: {words}, s", percentile(one.times_s, share), percentile(two.times_s, share))
    yield Row(f"{name}: peak memory, MB", one.peak_mb, two.peak_mb, digits=0)
    yield Row(f"{name}: asked to wait (503)", one.waits, two.waits, more=None, digits=0)
    yield Row(f"{name}: failed", len(one.faults), len(two.faults), more=None, digits=0)
    yield Row(f"{name}: the clients' own share of a processor", one.clients, two.clients, more=None)
    for fault in (one.faults + two.faults)[:5]:
        print(fault, file=sys.stderr)


PARTS = {"start": start, "library": library, "folder": folder, "server": serving}


def main() -> None:
    asked = _options()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else a fresh environment would compile its imports at each start
    peer = rembg(asked.python, asked.model)
    if asked.folder:
        print(quality.table(asked.folder, (peer, packshot()), asked.limit))
        return
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}\n", flush=True)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        photos = []
        for example in sorted(FOLDER.glob("*.jpg")):
            for side in SIDES_PX:
                photos.append(scratch / f"{example.stem}-{side}.jpg")
                photos[-1].write_bytes(photo(example.stem, side))
        print(head(peer.name), flush=True)
        for part in asked.parts:
            for row in PARTS[part](peer, photos, asked, scratch):
                print(row, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", help="photos in im/, true mattes in gt/")
    parser.add_argument("--limit", type=int, help="of pictures in FOLDER")
    parser.add_argument("--python", help="of an existing environment with `rembg[cpu,cli]`")
    parser.add_argument("--model", default="u2netp", help="of rembg")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="by default all")
    parser.add_argument("--repeats", type=int, default=2, help="how often the library cuts out each photo")
    parser.add_argument("--copies", type=int, default=3, help="of each photo in the folder")
    parser.add_argument("--clients", type=int, default=16, help="of each server")
    parser.add_argument("--seconds", type=float, default=20, help="of load for each server")
    return parser.parse_args()


if __name__ == "__main__":
    main()
