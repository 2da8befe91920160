"""From a file's own colours to sRGB, by its ICC profile where it has one that makes sense; and profiles made here."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from functools import cache, lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from packshot.core.picture import UInt8

MAX_PROFILE_BYTES = 4 << 20
"""Printers' profiles reach 2 MB. Nothing real is larger."""
_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}

Primaries = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
"""x and y of red, green and blue."""
SRGB: Primaries = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
D65 = (0.3127, 0.3290)
_D50 = np.array([0.9642, 1.0, 0.8249])
# Bradford's cone responses (ICC.1:2010, annex E).
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
# sRGB's curve (IEC 61966-2-1): exponent, then a, b, c, d of ICC's function 3.
_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def to_srgb(samples: UInt8, icc: bytes | None) -> UInt8:
    """Convert decoded samples to sRGB: relative colorimetric with black point compensation, by LittleCMS.

    A profile that is broken, larger than MAX_PROFILE_BYTES, or made for another kind of samples, is ignored: the pixels
    are whole, and nearly all such files are sRGB.

    Parameters: samples, uint8 (H, W) gray, (H, W, 3) RGB or (H, W, 4) CMYK with 255 = full ink; icc, the profile.
    Returns: uint8 (H, W, 3).
    """
    mode = "L" if samples.ndim == 2 else "RGB" if samples.shape[2] == 3 else "CMYK"
    transform = _transform(icc, mode) if icc and len(icc) <= MAX_PROFILE_BYTES else None
    return _without_profile(samples) if transform is None else _apply(transform, samples, mode)


# Building a transform costs 19 ms (docs/benchmarks.md's machine), as much as a third of applying it; a shop's photos
# share one or two profiles. The key is the whole profile, so that no two can be confused.
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
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
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


@cache
def make_profile(
    primaries: Primaries, name: str, *, white: tuple[float, float] = D65, gamma: float | None = None
) -> bytes:
    """An ICC profile of version 4 for RGB. The same bytes on every machine.

    name: for people, in ASCII. white: its x and y. gamma: the exponent from stored to linear values; None for sRGB's
    curve. Without a date, so that it does not depend on the day.
    """
    matrix, adaptation = _to_d50(primaries, white)
    function, parameters = (3, _CURVE) if gamma is None else (0, (gamma,))
    curve = b"para" + bytes(4) + struct.pack(">HH", function, 0) + _fixed(parameters)
    tags = {b"desc": _text(name), b"cprt": _text("No copyright"), b"wtpt": b"XYZ " + bytes(4) + _fixed(_D50)}
    tags[b"chad"] = b"sf32" + bytes(4) + _fixed(adaptation.ravel())
    for letter, column in zip("rgb", matrix.T, strict=True):
        tags[f"{letter}XYZ".encode()] = b"XYZ " + bytes(4) + _fixed(column)
        tags[f"{letter}TRC".encode()] = curve
    start = 128 + 4 + 12 * len(tags)
    table, bodies = struct.pack(">I", len(tags)), b""
    for tag, body in tags.items():
        table += tag + struct.pack(">II", start + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(bodies), b"\0" * 4, 0x04200000, b"mntr", b"RGB ", b"XYZ ")
    return (head + bytes(12) + b"acsp" + bytes(28) + _fixed(_D50)).ljust(128, b"\0") + table + bodies


def _to_d50(
    primaries: Primaries, white_xy: tuple[float, float]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The matrix from linear RGB to XYZ under D50, where white stays white; and the one of white to D50 alone."""
    white = _xyz(white_xy)
    columns = np.stack([_xyz(each) for each in primaries], axis=1)
    adaptation = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD
    return adaptation @ (columns * np.linalg.solve(columns, white)), adaptation


def _xyz(xy: tuple[float, float]) -> npt.NDArray[np.float64]:
    return np.array([xy[0] / xy[1], 1.0, (1 - xy[0] - xy[1]) / xy[1]])


def _fixed(values: Iterable[float]) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _text(words: str) -> bytes:
    """A text as ICC.1:2010, 10.13 has it, in one language."""
    text = words.encode("utf-16-be")
    return struct.pack(">4s4xII4sII", b"mluc", 1, 12, b"enUS", len(text), 28) + text
