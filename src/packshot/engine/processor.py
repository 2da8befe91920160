"""What this machine's processor is good at."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_DOT_PRODUCTS = {"avx512_vnni", "avx_vnni", "asimddp"}
"""Flags of processors that multiply and add four bytes in one step: Intel and AMD (VNNI), 64-bit Arm. Without them
eight bits gain little, and x86 saturates in between, which changes the matte."""


@cache
def computes_eight_bits(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether eight-bit networks are faster here. Where the system does not say (anything but Linux): no."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    lines = (line.partition(":") for line in text.splitlines())
    return any(key.strip() in {"flags", "Features"} and _DOT_PRODUCTS & set(value.split()) for key, _, value in lines)
