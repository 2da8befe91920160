"""Jobs in parallel with the direct requests of a phase: enough to keep the service busy, cancelled at its end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from bench.load.client import Traffic

PHOTOS = 60
"""Photos of one job: about 15 MB."""


@dataclass
class Beside:
    """The jobs of a phase. photos: number of finished photos."""

    photos: int = 0


@contextmanager
def jobs_beside(traffic: Traffic, photos: int) -> Iterator[Beside]:
    """Jobs of at least this many photos in the background. A repeated photo is not charged again, but is made again."""
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
