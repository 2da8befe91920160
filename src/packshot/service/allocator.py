"""glibc's malloc, told to keep the large blocks that every picture needs again."""

from __future__ import annotations

import ctypes
import sys

# From malloc.h. By default glibc maps and unmaps each block over 128 KiB to 32 MiB, which costs page faults for
# each of a picture's planes: a quarter of the time outside the network. Two arenas bound what threads hoard.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_KEEP_BYTES = 256 * 1024 * 1024


def tune_allocator() -> None:
    """Set the thresholds for this process; does nothing where malloc is not glibc's."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_M_MMAP_THRESHOLD, _KEEP_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)
    mallopt(_M_ARENA_MAX, 2)
