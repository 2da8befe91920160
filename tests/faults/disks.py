"""Real full disks: a small tmpfs under the results, and one under the whole state."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from tests.contract.envelope import success_path, success_url
from tests.faults.proof import Place, proof
from tests.kit.images import as_jpeg, good, photo
from tests.kit.server import serving


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """Mount a file system of this size over a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, leave: int = 0) -> Path:
    """Use up all free space except `leave` bytes."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(max(0, file.tell() - leave))
    return ballast


@proof("fault", "the disk of the results is full", "502 and the credit back; nothing half-written; then as before")
def results_full(place: Place) -> str:
    with small_disk(place.folder / "results", 2048) as results, serving(place.folder, workers=1) as running:
        key = running.new_key(9)
        path = success_path(running.send(good("jpeg"), key=key))
        ballast = fill(results, leave=8192)
        for _ in range(3):
            assert running.send(as_jpeg(photo(800, 600)), key=key).status_code == 502
        assert running.credits_of(key) == 8
        assert running.http.get(path).status_code == 200
        files = [file for file in results.rglob("*") if file.is_file() and file != ballast]
        assert len(files) == 1, files
        Image.open(files[0]).load()
        ballast.unlink()
        began = time.monotonic()
        success_url(running.send(as_jpeg(photo(800, 600)), key=key))
        recovered_s = time.monotonic() - began
        assert running.credits_of(key) == 7
    return f"3 x 502, no credit, one whole file; recovered with the next photo ({recovered_s:.2f} s), no restart"


@proof("fault", "the disk of accounts and results is full", "no photo for nothing, no credit lost, no restart needed")
def state_full(place: Place) -> str:
    with small_disk(place.folder / "state", 4096) as state, serving(state, workers=1, deadline_s=1) as running:
        key = running.new_key(50)
        paths = [success_path(running.send(good("jpeg"), key=key))]
        ballast, seen = fill(state), []
        for _ in range(6):
            answer = running.send(as_jpeg(photo(400, 300)), key=key)
            seen.append(answer.status_code)
            if answer.status_code == 200:
                paths.append(success_path(answer))
        assert set(seen) <= {200, 502, 503}, seen
        assert seen[-1] != 200
        ballast.unlink()
        began = time.monotonic()
        paths.append(success_path(running.send(good("jpeg"), key=key)))
        recovered_s = time.monotonic() - began
        running.service.ledger.give_back_lost(0)  # the full disk delayed this refund
        assert running.credits_of(key) == 50 - len(paths)
        assert all(running.http.get(path).status_code == 200 for path in paths)
    return f"{seen}; recovered in {recovered_s:.2f} s; {len(paths)} results, {len(paths)} credits"
