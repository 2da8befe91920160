"""Views of light probes: grounds for composites, from the same files that light the studio's scenes."""

from __future__ import annotations

import math

import cv2
import numpy as np

TURNS_DEGREES = (0, 60, 120, 180, 240, 300)
SPAN_DEGREES = 90  # across and down: the middle of a probe of 1024 px then gives about 256 px
DOWN_DEGREES = 8  # cameras look slightly down on a product
WHITE_PERCENTILE = 97  # lamps and windows above it are burnt out, as in photos


def views(file: bytes, side_px: int) -> list[np.ndarray]:
    """Square views uint8 (side_px, side_px, 3), RGB, from the middle of an equirectangular Radiance file (.hdr).

    Raises: ValueError for a file that OpenCV cannot read.
    """
    light = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
    if light is None:
        raise ValueError("not a Radiance file")
    light = cv2.cvtColor(light.astype(np.float32), cv2.COLOR_BGR2RGB)
    white = max(1e-6, float(np.percentile(light.max(2), WHITE_PERCENTILE)))
    photo = np.rint(255 * np.clip(light / white, 0, 1) ** (1 / 2.2)).astype(np.uint8)
    return [_view(photo, turn, side_px) for turn in TURNS_DEGREES]


def _view(photo: np.ndarray, turn_degrees: float, side_px: int) -> np.ndarray:
    """A pinhole picture in one direction."""
    height, width = photo.shape[:2]
    reach = math.tan(math.radians(SPAN_DEGREES / 2))
    across, up = np.meshgrid(np.linspace(-reach, reach, side_px), np.linspace(reach, -reach, side_px))
    tilt = math.radians(-DOWN_DEGREES)
    ahead = math.cos(tilt) - up * math.sin(tilt)
    high = math.sin(tilt) + up * math.cos(tilt)
    azimuth = np.arctan2(across, ahead) + math.radians(turn_degrees)
    elevation = np.arctan2(high, np.hypot(across, ahead))
    x = (0.5 + azimuth / (2 * math.pi)) % 1 * width - 0.5
    y = (0.5 - elevation / math.pi) * height - 0.5
    return cv2.remap(photo, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
