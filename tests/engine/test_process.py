from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from packshot.engine.process import computes_eight_bits


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu sse4_2 avx2 avx512_vnni\n", True),
        ("flags : fpu avx2 avx_vnni amx_int8\n", True),
        ("Features\t: fp asimd asimddp\n", True),
        ("flags\t\t: fpu sse4_2 avx2 avx512f\n", False),
        ("model name\t: an avx512_vnni look-alike\nflags\t: fpu\n", False),
        ("", False),
    ],
)
def test_eight_bits_are_used_where_the_processor_gains(tmp_path: Path, text: str, expected: bool) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert computes_eight_bits(tmp_path / "cpuinfo") is expected


def test_a_system_that_does_not_say_keeps_the_exact_network(tmp_path: Path) -> None:
    assert computes_eight_bits(tmp_path / "none") is False


PAGES = """
import sys
import numpy, resource
from packshot.engine.process import keep_memory
if sys.argv[1] == "kept":
    keep_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    planes = [numpy.ones((1 << 20) * 3 // 4, numpy.float32) for _ in range(16)]  # 48 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults(), faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_planes_take_their_memory_from_the_last_photo() -> None:
    def again(how: str) -> int:
        command = [sys.executable, "-c", PAGES, how]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[1])

    assert again("usual") > 10_000  # pages of 4 KiB
    assert again("kept") < 100
