"""What a process that works on many pictures at once sets for itself. Never done on import: it is the process's own."""

from __future__ import annotations

import ctypes
import sys

import cv2

# From malloc.h. By default glibc maps and unmaps each block over 128 KiB to 32 MiB, which costs page faults for
# each of a picture's planes: a quarter of the time outside the network. Two arenas bound what threads hoard.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_KEEP_BYTES = 256 * 1024 * 1024


def tune_process() -> None:
    """One thread per picture, and an allocator that keeps the blocks that every picture needs again."""
    cv2.setNumThreads(1)  # the pictures are the parallel work; OpenCV's own threads would only get in their way
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(_M_MMAP_THRESHOLD, _KEEP_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)
        mallopt(_M_ARENA_MAX, 2)
