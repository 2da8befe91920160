"""What a process that works on many pictures at once sets for itself, and what its processor is good at.

Nothing is set on import: it is the process's own.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from pathlib import Path

# From malloc.h. By default glibc gives each of a picture's planes back to the system and has it zeroed again for the
# next: 3,000 page faults a photo of 1999 px on two threads. In one arena that keeps blocks up to 32 MiB (the largest
# threshold that every glibc takes) it is 100, and two threads make a tenth more photos a second. Threads do not queue
# for the arena: what is allocated often is small and comes from their own caches.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_MMAP_THRESHOLD_BYTES = 32 * 1024 * 1024
_KEEP_BYTES = 512 * 1024 * 1024

_DOT_PRODUCTS = {"avx512_vnni", "avx_vnni", "asimddp"}
"""Flags of processors that multiply and add four bytes in one step: Intel and AMD (VNNI), 64-bit Arm. Without them
eight bits gain little, and x86 saturates in between, which changes the matte."""


def tune_process() -> None:
    """One thread per picture, and an allocator that keeps the blocks that every picture needs again."""
    import cv2  # noqa: PLC0415 - the network can be loaded meanwhile, where a command begins with it

    cv2.setNumThreads(1)  # the pictures are the parallel work; OpenCV's own threads would only get in their way
    keep_memory()


def keep_memory() -> None:
    """An allocator that keeps blocks for the next need. It makes the first photo of a process faster, too."""
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)
        mallopt(_M_ARENA_MAX, 1)


@cache
def computes_eight_bits(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether eight-bit networks are faster here. Where the system does not say (anything but Linux): no."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    lines = (line.partition(":") for line in text.splitlines())
    return any(key.strip() in {"flags", "Features"} and _DOT_PRODUCTS & set(value.split()) for key, _, value in lines)
