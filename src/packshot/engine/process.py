"""Settings for a process that works on many pictures in parallel, and what its processor supports.

Importing this module sets nothing; the process calls it.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from functools import cache
from pathlib import Path

# From malloc.h. By default glibc returns each picture's planes to the system and has them zeroed again for the next
# picture: 3,000 page faults a photo of 1999 px on two threads. One arena that keeps blocks up to 32 MiB (the largest
# threshold that every glibc accepts) has 100, and two threads make a tenth more photos a second. Threads do not queue
# for the arena: frequent allocations are small and come from per-thread caches.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_MMAP_THRESHOLD_BYTES = 32 * 1024 * 1024
_KEEP_BYTES = 512 * 1024 * 1024
_HUGE_BYTES, _BLOCK_BYTES = 256 * 1024 * 1024, 16 * 1024 * 1024

_DOT_PRODUCTS = {"avx512_vnni", "avx_vnni", "asimddp"}
"""Flags of processors that multiply and add four bytes in one step: Intel and AMD (VNNI), 64-bit Arm. On other
processors eight bits gain little, and x86 saturates in between, which changes the matte."""


def tune_process() -> None:
    """Sets one thread per picture, and an allocator that keeps freed blocks for the next picture."""
    import cv2  # noqa: PLC0415 - a command that loads the network first can load it meanwhile

    cv2.setNumThreads(1)  # pictures run in parallel already; OpenCV's own threads would compete with them
    keep_memory()


def keep_memory() -> None:
    """Sets an allocator that keeps freed blocks, in huge pages. It also makes the first photo of a process faster."""
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if (mallopt := getattr(library, "mallopt", None)) is not None:
        mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)
        mallopt(_M_ARENA_MAX, 1)
        _use_huge_pages(library)


def _use_huge_pages(library: ctypes.CDLL) -> None:
    """Asks for huge pages under the heap: reserves it, marks it, and gives it back to the allocator.

    The kernel fills a page on its first use: 2 MiB a fault instead of 4 KiB. A process for one photo has 8,000 to
    12,000 faults instead of 41,000. A kernel without huge pages, or without free ones, gives small pages as before.
    """
    malloc, free, madvise = library.malloc, library.free, library.madvise
    malloc.argtypes, malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    free.argtypes = [ctypes.c_void_p]
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    blocks = [malloc(_BLOCK_BYTES) for _ in range(_HUGE_BYTES // _BLOCK_BYTES)]
    for block in filter(None, blocks):
        start = block // mmap.PAGESIZE * mmap.PAGESIZE
        madvise(start, _BLOCK_BYTES, mmap.MADV_HUGEPAGE)
    for block in blocks:
        free(block)


@cache
def computes_eight_bits(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether eight-bit networks are faster on this processor. False where the system does not say (not Linux)."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    lines = (line.partition(":") for line in text.splitlines())
    return any(key.strip() in {"flags", "Features"} and _DOT_PRODUCTS & set(value.split()) for key, _, value in lines)
