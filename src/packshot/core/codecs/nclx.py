"""Colours that a file gives by numbers (ITU-T H.273) instead of a profile: the profile that they mean."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import cache

import numpy as np
import numpy.typing as npt

# x and y of red, green and blue, by their number: BT.2020, Display P3. What else there is, is near sRGB.
_PRIMARIES = {
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_PQ, _HLG = 16, 18
_D65_XY, _D50 = (0.3127, 0.3290), np.array([0.9642, 1.0, 0.8249])
# Bradford's cone responses (ICC.1:2010, annex E).
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
# sRGB's curve (IEC 61966-2-1): exponent, then a, b, c, d of ICC's function 3.
_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def is_hdr(numbers: bytes) -> bool:
    """Whether the body of a colr box of the kind nclx asks for a screen brighter than white (PQ or HLG)."""
    return len(numbers) >= 8 and struct.unpack_from(">H", numbers, 6)[0] in {_PQ, _HLG}


def profile(numbers: bytes) -> bytes | None:
    """The ICC profile that the body of a colr box of the kind nclx means; None for sRGB and what is unknown."""
    primaries = _PRIMARIES.get(struct.unpack_from(">H", numbers, 4)[0]) if len(numbers) >= 8 else None
    return _profile(primaries) if primaries else None


@cache
def _profile(primaries: tuple[tuple[float, float], ...]) -> bytes:
    """A matrix profile of version 4 with sRGB's curve."""
    curve = b"para" + bytes(4) + struct.pack(">HH", 3, 0) + _fixed(_CURVE)
    tags = {b"wtpt": b"XYZ " + bytes(4) + _fixed(_D50)}
    for letter, column in zip("rgb", _to_d50(primaries).T, strict=True):
        tags[f"{letter}XYZ".encode()] = b"XYZ " + bytes(4) + _fixed(column)
        tags[f"{letter}TRC".encode()] = curve
    start = 128 + 4 + 12 * len(tags)
    table, bodies = struct.pack(">I", len(tags)), b""
    for name, body in tags.items():
        table += name + struct.pack(">II", start + len(bodies), len(body))
        bodies += body
    head = struct.pack(">I4sI4s4s4s", start + len(bodies), b"\0" * 4, 0x04200000, b"mntr", b"RGB ", b"XYZ ")
    return (head + bytes(12) + b"acsp" + bytes(28) + _fixed(_D50)).ljust(128, b"\0") + table + bodies


def _to_d50(primaries: tuple[tuple[float, float], ...]) -> npt.NDArray[np.float64]:
    """The matrix from linear RGB to XYZ under D50: white stays white."""
    white = _xyz(_D65_XY)
    columns = np.stack([_xyz(each) for each in primaries], axis=1)
    matrix = columns * np.linalg.solve(columns, white)
    adapted = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD
    return np.asarray(adapted @ matrix)


def _xyz(xy: tuple[float, float]) -> npt.NDArray[np.float64]:
    return np.array([xy[0] / xy[1], 1.0, (1 - xy[0] - xy[1]) / xy[1]])


def _fixed(values: Iterable[float]) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)
