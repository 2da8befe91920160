from __future__ import annotations

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
