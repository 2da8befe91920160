"""The worst pictures of a run, as small panels: a contact sheet shows these, never the best."""

from __future__ import annotations

import heapq
import threading
from math import inf

from evaluation.pairs import Example
from evaluation.sheet import cutout_over, gray, panel
from packshot.core.picture import Float32, UInt8, to_uint8

WORST = 24


class Worst:
    """The pictures with the lowest IoU so far: photo, truth, matte and cutout on gray. Thread-safe."""

    def __init__(self, count: int = WORST) -> None:
        self._count = count
        self._heap: list[tuple[float, str, tuple[UInt8, ...]]] = []
        self._lock = threading.Lock()

    def add(self, example: Example, matte: Float32, iou: float) -> None:
        if -iou <= self._bar():
            return
        cut = cutout_over(example.picture, matte, gray(example.picture))
        images = (example.picture.rgb, to_uint8(example.truth), to_uint8(matte), cut)
        entry = (-iou, example.name, tuple(panel(image) for image in images))
        with self._lock:
            heapq.heappush(self._heap, entry)
            if len(self._heap) > self._count:
                heapq.heappop(self._heap)

    def rows(self) -> list[tuple[str, tuple[UInt8, ...]]]:
        """Captions and panels, the worst first."""
        worst = sorted(self._heap, key=lambda entry: (-entry[0], entry[1]))
        return [(f"IoU {-negative:.3f}  {name}", panels) for negative, name, panels in worst]

    def _bar(self) -> float:
        """The -IoU that a picture must exceed."""
        with self._lock:
            return self._heap[0][0] if len(self._heap) == self._count else -inf
