"""Converts a file's colours to sRGB, by ICC profile or by numbers (ITU-T H.273); and makes ICC profiles."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from packshot.core.picture import UInt8
from packshot.errors import UnsupportedFormat

MAX_PROFILE_BYTES = 4 << 20
"""The size limit for an ICC profile. Printers' profiles, the largest real ones, reach 2 MB."""
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
_PQ, _HLG = 16, 18
_STRIP_PX = 1 << 20  # floating-point colours take 12 bytes a pixel
_LEVELS = 65_535  # of linear light; one level is at most 0.05 of 255 sRGB values, in the dark


class Space(NamedTuple):
    """A colour space that a file gives by numbers. gamma: exponent from stored to linear values; None: sRGB's curve."""

    name: str = "sRGB"
    primaries: Primaries = SRGB
    white: tuple[float, float] = D65
    gamma: float | None = None

    @property
    def has_srgb_primaries(self) -> bool:
        """Whether primaries and white are sRGB's; the curve may differ."""
        return (self.primaries, self.white) == (SRGB, D65)

    def profile(self) -> bytes | None:
        """The ICC profile for this space; None for sRGB."""
        if self.has_srgb_primaries and self.gamma is None:
            return None
        return make_profile(self.primaries, self.name, white=self.white, gamma=self.gamma)

    def is_sensible(self) -> bool:
        """Whether the primaries' triangle has more than a tenth of the area of sRGB's, and white is inside."""
        (red, green, blue), white = self.primaries, self.white
        if any(y <= 0 or x + y > 1 + 1e-9 for x, y in (red, green, blue, white)):
            return False
        whole = _twice_the_area(red, green, blue)
        parts = (_twice_the_area(*side, white) for side in ((red, green), (green, blue), (blue, red)))
        return abs(whole) > 0.1 * abs(_twice_the_area(*SRGB)) and all(part * whole > 0 for part in parts)


# H.273, table 2. The numbers 0, 2 and 3 have no meaning, and 10 is XYZ itself.
_BT_601: Primaries = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))
_ILLUMINANT_C = (0.310, 0.316)
_DCI_P3: Primaries = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
_BY_NUMBER: Mapping[int, Space] = {
    1: Space(),
    4: Space("BT.470 M", ((0.670, 0.330), (0.210, 0.710), (0.140, 0.080)), _ILLUMINANT_C),
    5: Space("BT.601, 625 lines", ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060))),
    6: Space("BT.601, 525 lines", _BT_601),
    7: Space("SMPTE 240M", _BT_601),
    8: Space("Film", ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049)), _ILLUMINANT_C),
    9: Space("BT.2020", ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))),
    11: Space("DCI-P3", _DCI_P3, (0.314, 0.351)),
    12: Space("Display P3", _DCI_P3),
    22: Space("EBU 3213", ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077))),
}
# H.273, table 3. All other curves count as sRGB's: BT.709's is the curve that cameras use for such displays.
_GAMMAS: Mapping[int, float] = {4: 2.2, 5: 2.8, 8: 1.0, 17: 2.6}


def by_number(primaries: int, transfer: int) -> Space | None:
    """The colour space for H.273's numbers; None if the number of the primaries has no meaning.

    Raises UnsupportedFormat for high dynamic range: such pictures look gray when shown as sRGB.
    """
    if transfer in {_PQ, _HLG}:
        raise UnsupportedFormat(
            "This picture has high dynamic range (PQ or HLG), which is not supported.",
            hint="Save it with standard dynamic range, or as a JPEG.",
        )
    space = _BY_NUMBER.get(primaries)
    return space and space._replace(gamma=_GAMMAS.get(transfer))


def from_space(samples: npt.NDArray[np.uint8 | np.uint16], space: Space, *, narrow: bool = False) -> UInt8:
    """Convert samples of a colour space to sRGB, clipped, and rounded once to 8 bits.

    samples: uint8 or uint16, (H, W) gray or (H, W, 3). narrow: black and white are 16 and 235 of 256. Returns uint8 of
    the same shape.
    """
    steps = np.iinfo(samples.dtype).max + 1
    signal = np.arange(steps) / (steps - 1)
    if narrow:
        signal = np.clip((np.arange(steps) * 256 / steps - 16) / 219, 0, 1)
    linear = signal**space.gamma if space.gamma else _linear(signal)
    if samples.ndim == 2 or space.has_srgb_primaries:
        return np.asarray(np.rint(255 * _curved(linear)).astype(np.uint8)[samples])
    matrix = np.linalg.inv(_to_d50(SRGB, D65)[0]) @ _to_d50(space.primaries, space.white)[0]
    # From linear light in 0.._LEVELS to sRGB.
    levels, back = (_LEVELS * linear).astype(np.float32), _from_linear()
    converted = np.empty(samples.shape, np.uint8)
    rows = max(1, _STRIP_PX // samples.shape[1])
    for top in range(0, len(samples), rows):
        moved = cv2.transform(levels[samples[top : top + rows]], matrix)
        converted[top : top + rows] = back[np.rint(np.clip(moved, 0, _LEVELS)).astype(np.uint16)]
    return converted


def fits(icc: bytes, mode: str) -> bool:
    """Whether `to_srgb` would use the profile. mode: the kind of samples, "L" (gray), "RGB" or "CMYK"."""
    return len(icc) <= MAX_PROFILE_BYTES and _transform(icc, mode)[0]


def to_srgb(samples: UInt8, icc: bytes | None) -> UInt8:
    """Convert decoded samples to sRGB: relative colorimetric with black point compensation, by LittleCMS.

    Ignores a profile that is broken, larger than MAX_PROFILE_BYTES, or made for another kind of samples. The pixels of
    such files are whole, and nearly always sRGB.

    samples: uint8 (H, W) gray, (H, W, 3) RGB or (H, W, 4) CMYK with 255 = full ink. icc: the profile. Returns uint8
    (H, W, 3).
    """
    mode = "L" if samples.ndim == 2 else "RGB" if samples.shape[2] == 3 else "CMYK"
    _, transform = _transform(icc, mode) if icc and len(icc) <= MAX_PROFILE_BYTES else (False, None)
    return _without_profile(samples) if transform is None else _apply(transform, samples, mode)


# Building a transform costs 19 ms (machine: docs/explanation/speed.md), a third of the time to apply it. A shop's
# photos share one or two profiles. The key is the whole profile, so that two profiles are never confused.
@lru_cache(maxsize=16)
def _transform(icc: bytes, mode: str) -> tuple[bool, ImageCms.ImageCmsTransform | None]:
    """Whether the profile is whole and fits the samples; its transform to sRGB, or None if it changes nothing."""
    try:
        profile = ImageCms.getOpenProfile(io.BytesIO(icc))
        if profile.profile.xcolor_space.strip() != _SPACES[mode]:
            return False, None
        transform = ImageCms.buildTransform(
            profile,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return False, None
    return True, None if _changes_nothing(transform, mode) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether no colour moves by more than 1 of 255, as with sRGB profiles. This saves 47 ms for most photos."""
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    channels = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    lattice = np.stack(np.meshgrid(*[levels] * channels), axis=-1).reshape(len(levels), -1, channels)
    lattice = np.ascontiguousarray(lattice[..., 0] if mode == "L" else lattice)
    moved = cv2.absdiff(_apply(transform, lattice, mode), _without_profile(lattice))
    return int(moved.max()) <= 1


def _linear(signal: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """From sRGB's values to linear light, both in [0,1]."""
    exponent, scale, offset, slope, knee = _CURVE
    return np.where(signal < knee, slope * signal, (scale * signal + offset) ** exponent)


def _curved(linear: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """From linear light to sRGB's values, both in [0,1]."""
    exponent, scale, offset, slope, knee = _CURVE
    return np.where(linear < slope * knee, linear / slope, (linear ** (1 / exponent) - offset) / scale)


@cache
def _from_linear() -> UInt8:
    return np.rint(255 * _curved(np.arange(_LEVELS + 1) / _LEVELS)).astype(np.uint8)


def _twice_the_area(first: tuple[float, float], second: tuple[float, float], third: tuple[float, float]) -> float:
    return (second[0] - first[0]) * (third[1] - first[1]) - (second[1] - first[1]) * (third[0] - first[0])


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
    """An ICC profile of version 4 for RGB: the same bytes on every machine and, without a date, on every day.

    name: for people, in ASCII. white: its x and y. gamma: the exponent from stored to linear values; None for sRGB's
    curve.
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
    """The matrix from linear RGB to XYZ under D50, with white kept white; and the adaptation from white to D50."""
    white = _xyz(white_xy)
    columns = np.stack([_xyz(each) for each in primaries], axis=1)
    adaptation = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD
    return adaptation @ (columns * np.linalg.solve(columns, white)), adaptation


def _xyz(xy: tuple[float, float]) -> npt.NDArray[np.float64]:
    return np.array([xy[0] / xy[1], 1.0, (1 - xy[0] - xy[1]) / xy[1]])


def _fixed(values: Iterable[float]) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _text(words: str) -> bytes:
    """A text in one language, in the form of ICC.1:2010, 10.13."""
    text = words.encode("utf-16-be")
    return struct.pack(">4s4xII4sII", b"mluc", 1, 12, b"enUS", len(text), 28) + text


# Adobe RGB (1998) Color Image Encoding, section 4.3.1; its exponent is 563 / 256. Placed after the functions it needs.
ADOBE_RGB = make_profile(((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), "Adobe RGB", gamma=563 / 256)
"""The profile for pictures that declare Adobe RGB only in EXIF."""
