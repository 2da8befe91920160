"""Trying again: storage that is away for a moment does not fail a photo."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from packshot.errors import StoreUnavailable

T = TypeVar("T")

# Each a quarter more or less, so that a thousand workers do not come back in step.
WAITS_S = (0.5, 2.0, 8.0, 30.0)


def patiently(call: Callable[[], T]) -> T:
    """What the call returns; after StoreUnavailable it is called again, once for each wait."""
    for wait_s in WAITS_S:
        try:
            return call()
        except StoreUnavailable:
            time.sleep(wait_s * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
    return call()
