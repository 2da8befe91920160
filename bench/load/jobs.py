"""Jobs beside the direct requests of a phase: enough of them that the service never runs out, cancelled at its end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from bench.load.client import Traffic

PHOTOS = 60
"""Of one job: about 15 MB."""


@dataclass
class Beside:
    """What jobs did while the phase ran. photos: that were done."""

    photos: int = 0


@contextmanager
def jobs_beside(traffic: Traffic, photos: int) -> Iterator[Beside]:
    """Jobs of at least so many photos in the background. The same photo costs nothing twice, but is made each time."""
    beside, ids = Beside(), list[str]()
    sizes = list(traffic.weights)
    with httpx.Client(
        base_url=traffic.address, headers={"authorization": f"Bearer {traffic.key}"}, timeout=60, trust_env=False
    ) as http:
        for _ in range(math.ceil(photos / PHOTOS)):
            mix = [size for size in sizes for _ in range(round(traffic.weights[size] * PHOTOS))]
            parts = [("image", (f"{size}.jpg", traffic.photos[size])) for size in mix]
            answer = http.post("/v1/jobs", files=parts)
            answer.raise_for_status()
            ids.append(answer.json()["id"])
        yield beside
        for each in ids:
            beside.photos += http.get(f"/v1/jobs/{each}").raise_for_status().json()["counts"]["done"]
            http.post(f"/v1/jobs/{each}/cancel").raise_for_status()
