"""Samples of any depth and layout, as decoders give them, to 8 bits of colour and of straight alpha."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from packshot.core.picture import UInt8


def to_8_bits(samples: npt.NDArray[Any]) -> UInt8:
    """Full scale to full scale, rounded: v / 257 for 16 bits. samples: uint8, or uint16 in native byte order."""
    if samples.dtype == np.uint8:
        return samples
    return np.asarray(cv2.convertScaleAbs(samples, alpha=1 / 257), np.uint8).reshape(samples.shape)


def split(samples: UInt8) -> tuple[UInt8, UInt8 | None]:
    """Colour and alpha of (H, W), (H, W, 2), (H, W, 3) or (H, W, 4)."""
    if samples.ndim == 2 or samples.shape[2] == 3:
        return samples, None
    colour = samples[..., 0] if samples.shape[2] == 2 else samples[..., :3]
    return np.ascontiguousarray(colour), np.ascontiguousarray(samples[..., -1])


def straight(premultiplied: npt.NDArray[Any]) -> UInt8:
    """Colours that were multiplied by alpha, (H, W, 2) or (H, W, 4) of 8 or 16 bits, to straight ones of 8 bits."""
    alpha = premultiplied[..., -1:]
    scale = np.divide(255, alpha, out=np.zeros(alpha.shape, np.float32), where=alpha > 0)
    colour = np.minimum(np.rint(premultiplied[..., :-1] * scale), 255).astype(np.uint8)
    return np.concatenate([colour, to_8_bits(np.ascontiguousarray(alpha))], axis=-1)
