"""Memory of processes, as the Linux kernel counts it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

MEMORY_MB = """
def memory_mb(line):  # not ru_maxrss: a child begins with its parent's
    return next(int(row.split()[1]) for row in open('/proc/self/status') if row.startswith(line)) * 1024 / 1e6
"""
"""Source of a function for child processes that cannot import this module: VmRSS or VmHWM of the process, in MB."""


def held_bytes(name: str, pid: int | str = "self") -> int:
    """VmRSS (now) or VmHWM (peak) of a process; 0 if it has ended."""
    return 1024 * int(_field(pid, name) or 0)


def tree_peak_bytes(root: int) -> int:
    """The sum of the peaks of a process and its living descendants: exact for one process, else an upper limit."""
    return sum(held_bytes("VmHWM", pid) for pid in tree(root))


def tree(root: int) -> Iterator[int]:
    """A process and its living descendants."""
    parents = {int(path.name): int(_field(path.name, "PPid") or 0) for path in Path("/proc").glob("[0-9]*")}
    found = [root]
    for pid in found:
        yield pid
        found += [child for child, parent in parents.items() if parent == pid]


def _field(pid: int | str, name: str) -> str:
    try:
        rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return ""
    return next((row.split()[1] for row in rows if row.startswith(f"{name}:")), "")


class PeakMemory(threading.Thread):
    """The largest value of `read`, in bytes, while the block runs. It is read twice a second."""

    def __init__(self, read: Callable[[], int]) -> None:
        super().__init__(daemon=True)
        self._read, self._over = read, threading.Event()
        self.bytes = 0

    def run(self) -> None:
        while not self._over.wait(0.5):
            self.bytes = max(self.bytes, self._read())

    def __enter__(self) -> PeakMemory:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
