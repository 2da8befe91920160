"""The figures beside another program: ratios the right way round, and memory of all of a program's processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.peers.__main__ import Row
from bench.peers.programs import Calls
from bench.processes import held_bytes, tree_peak_bytes

HOLDS_80_MB = "data = b'x' * 80_000_000; print(flush=True); input()"


@pytest.mark.parametrize(
    ("row", "ratio"),
    [
        (Row("photos a second", 2.0, 8.0, more=True), "4.0"),
        (Row("memory", 900, 300), "3.0"),
        (Row("slower here", 1.0, 2.0), "0.5"),
        (Row("asked to wait", 0, 7, more=None), ""),
    ],
    ids=lambda value: value.name if isinstance(value, Row) else "",
)
def test_a_ratio_over_one_always_says_that_packshot_is_better(row: Row, ratio: str) -> None:
    assert row.ratio == ratio


def test_the_rate_of_calls_is_that_of_all_threads_together() -> None:
    assert Calls(times_s=[1.0, 1.0, 1.0, 1.0], wall_s=2.0, peak_mb=0).a_second == 2.0


def test_memory_counts_the_processes_that_a_program_started() -> None:
    before = tree_peak_bytes(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", HOLDS_80_MB], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin
    assert child.stdout
    child.stdout.readline()
    assert tree_peak_bytes(os.getpid()) - before > 80_000_000
    child.communicate(b"\n")
    assert held_bytes("VmRSS", child.pid) == 0
