"""From a file's own colours to sRGB, by its ICC profile where it has one that makes sense."""

from __future__ import annotations

import io
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageCms

from packshot.core.picture import UInt8

# Printers' profiles reach 2 MB. Nothing real is larger.
_MAX_PROFILE_BYTES = 4 << 20
_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
_PROFILE_ERRORS = (ImageCms.PyCMSError, OSError, ValueError, TypeError)


def to_srgb(samples: UInt8, icc: bytes | None) -> UInt8:
    """Convert decoded samples to sRGB: relative colorimetric with black point compensation, by LittleCMS.

    A profile that is broken, or made for another kind of samples, is ignored: the pixels are whole, and nearly all
    such files are sRGB.

    Parameters: samples, uint8 (H, W) gray, (H, W, 3) RGB or (H, W, 4) CMYK with 255 = full ink; icc, the profile.
    Returns: uint8 (H, W, 3).
    """
    mode = "L" if samples.ndim == 2 else "RGB" if samples.shape[2] == 3 else "CMYK"
    transform = _transform(icc, mode) if icc and len(icc) <= _MAX_PROFILE_BYTES else None
    return _without_profile(samples) if transform is None else _apply(transform, samples, mode)


# Building a transform costs 19 ms (SPEED.md's machine), as much as a third of applying it; a shop's photos share one
# or two profiles. The key is the whole profile, so that no two can be confused.
@lru_cache(maxsize=16)
def _transform(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform to sRGB, or None where the profile is of no use or changes nothing."""
    try:
        profile = ImageCms.getOpenProfile(io.BytesIO(icc))
        if profile.profile.xcolor_space.strip() != _SPACES[mode]:
            return None
        transform = ImageCms.buildTransform(
            profile,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except _PROFILE_ERRORS:
        return None
    return None if _changes_nothing(transform, mode) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether it moves no colour by more than 1 of 255, as the many sRGB profiles do: 47 ms saved for most photos."""
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    channels = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    lattice = np.stack(np.meshgrid(*[levels] * channels), axis=-1).reshape(len(levels), -1, channels)
    lattice = np.ascontiguousarray(lattice[..., 0] if mode == "L" else lattice)
    moved = cv2.absdiff(_apply(transform, lattice, mode), _without_profile(lattice))
    return int(moved.max()) <= 1


def _apply(transform: ImageCms.ImageCmsTransform, samples: UInt8, mode: str) -> UInt8:
    return np.asarray(transform.apply(Image.fromarray(samples, mode)))


def _without_profile(samples: UInt8) -> UInt8:
    if samples.ndim == 2:
        return np.asarray(cv2.cvtColor(samples, cv2.COLOR_GRAY2RGB), np.uint8)
    if samples.shape[2] == 3:
        return samples
    # Ink subtracts light, and black ink from all three: R = (1-C)(1-K).
    paper = cv2.bitwise_not(samples)
    key = cv2.cvtColor(cv2.extractChannel(paper, 3), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.multiply(cv2.cvtColor(paper, cv2.COLOR_RGBA2RGB), key, scale=1 / 255), np.uint8)
