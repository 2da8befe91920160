"""Realistic coarse mattes: the shipped network's own if it finds the object, else a degraded truth."""

from __future__ import annotations

import cv2
import numpy as np

from packshot.core.geometry import Size, network_size
from packshot.core.matte import network_input
from packshot.core.picture import Picture
from packshot.core.postprocess import postprocess
from packshot.core.resample import resample
from packshot.engine.network import Network
from training.refiner.scenes import Scene
from training.refiner.shapes import Rng

EXACT_SHARE = 0.5
LEAST_IOU = 0.85  # below it the network has found another object, and its edges are useless for training


def coarse_matte(rng: Rng, scene: Scene, network: Network, side_px: int) -> tuple[np.ndarray, bool]:
    """A coarse matte float32 (h, w) of the given side, and whether it comes from the network."""
    rule = network.card.input
    size = network_size(
        Size(scene.truth.shape[1], scene.truth.shape[0]), side_px=side_px, multiple=rule.multiple, fit=rule.fit
    )
    small = np.clip(resample(scene.truth, size), 0, 1)
    found = postprocess(network.predict(network_input(Picture(scene.rgb), size)))
    ours, theirs = found > 0.5, small > 0.5
    if (ours & theirs).sum() >= LEAST_IOU * max(1, (ours | theirs).sum()):
        return found, True
    return degraded(rng, small), False


def degraded(rng: Rng, small: np.ndarray) -> np.ndarray:
    """Simulates a network's errors at the edge: moved by about a pixel, softened, thin parts half lost.

    Half the time the truth is only softened, as by a correct network. Without such examples a refiner learns to
    distrust every soft edge, and cuts fur and defocused edges hard (decision 0017).
    """
    if rng.random() < EXACT_SHARE:
        return np.clip(cv2.GaussianBlur(small, (0, 0), rng.uniform(0.3, 1.2)), 0, 1)
    height, width = small.shape
    waves = [cv2.GaussianBlur(rng.standard_normal((height, width), np.float32), (0, 0), 5) for _ in range(3)]
    waves = [wave / (wave.std() + 1e-6) for wave in waves]
    reach = rng.uniform(0, 0.9)
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    moved = cv2.remap(small, columns + reach * waves[0], rows + reach * waves[1], cv2.INTER_LINEAR)
    if rng.random() < 0.3:
        grow = cv2.dilate if rng.random() < 0.5 else cv2.erode
        moved += rng.uniform(0, 1) * (grow(moved, np.ones((3, 3), np.uint8)) - moved)
    soft = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.5, 2.0))
    logit = np.log((soft + 0.01) / (1.01 - soft)) * rng.uniform(1, 1.8) + rng.uniform(-0.7, 0.7) + 0.4 * waves[2]
    # A network is certain far from the edge: noise of the logits is below its decision limits there.
    return np.where((soft > 0.003) & (soft < 0.997), 1 / (1 + np.exp(-logit)), soft).astype(np.float32)
