"""TIFF files written tag by tag, as truthful as the arguments."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

SHORT, LONG = 3, 4
WHITE_IS_ZERO, GRAY, RGB, PALETTE, CMYK = 0, 1, 2, 3, 5
NONE, DEFLATE = 1, 8
STRUCTURE = frozenset({256, 257, 258, 259, 262, 273, 277, 278, 279, 317, 338, 34675})
"""Tags that every TIFF has for its pixels: Pillow lists them among the EXIF tags."""


def packed(samples: npt.NDArray[np.integer], bits: int, order: str) -> bytes:
    """Rows of samples (H, W, channels) at this bit depth, each row padded to a whole byte."""
    rows = samples.reshape(len(samples), -1)
    if bits == 16:
        return rows.astype(f"{order}u2").tobytes()
    unpacked = np.unpackbits(rows.astype(np.uint8)[..., None], axis=-1)[..., 8 - bits :]
    return np.packbits(unpacked.reshape(len(rows), -1), axis=1).tobytes()


def raw_tiff(
    samples: npt.NDArray[np.integer],
    kind: int = RGB,
    bits: int = 8,
    *,
    order: str = "<",
    extras: Sequence[int] = (),
    compression: int = NONE,
    rows: int | None = None,
    tile: int | None = None,
    planar: bool = False,
    tags: Mapping[int, tuple[int, Sequence[int] | bytes]] | None = None,
) -> bytes:
    """A TIFF of samples (H, W, channels). tags: kind and values of more tags; without values, that tag is left out."""
    height, width, channels = samples.shape
    planes = [samples[..., i : i + 1] for i in range(channels)] if planar else [samples]
    pieces = [packed(part, bits, order) for plane in planes for part in _parts(plane, rows or height, tile)]
    pieces = [zlib.compress(piece) for piece in pieces] if compression == DEFLATE else pieces
    offsets = np.cumsum([8, *map(len, pieces)]).tolist()[:-1]
    values: dict[int, tuple[int, Sequence[int] | bytes]] = {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [bits] * channels),
        259: (SHORT, [compression]),
        262: (SHORT, [kind]),
        324 if tile else 273: (LONG, offsets),
        277: (SHORT, [channels]),
        325 if tile else 279: (LONG, list(map(len, pieces))),
        284: (SHORT, [2 if planar else 1]),
        338: (SHORT, list(extras)),
        **({322: (LONG, [tile]), 323: (LONG, [tile])} if tile else {278: (LONG, [rows or height])}),
        **(tags or {}),
    }
    return _file(b"".join(pieces), {tag: each for tag, each in values.items() if len(each[1])}, order)


def as_tiff(image: npt.NDArray[np.uint8], **options: Any) -> bytes:
    """Written by Pillow and libtiff."""
    out = io.BytesIO()
    Image.fromarray(image).save(out, "TIFF", **options)
    return out.getvalue()


def _parts(plane: npt.NDArray[np.integer], rows: int, tile: int | None) -> list[npt.NDArray[Any]]:
    height, width = plane.shape[:2]
    if tile is None:
        return [plane[top : top + rows] for top in range(0, height, rows)]
    padded = np.pad(plane, ((0, -height % tile), (0, -width % tile), (0, 0)))
    return [
        padded[top : top + tile, left : left + tile] for top in range(0, height, tile) for left in range(0, width, tile)
    ]


def _file(body: bytes, values: Mapping[int, tuple[int, Sequence[int] | bytes]], order: str) -> bytes:
    start = 8 + len(body) + len(body) % 2
    heap, table = start + 2 + 12 * len(values) + 4, struct.pack(f"{order}H", len(values))
    behind = b""
    for tag in sorted(values):
        kind, value = values[tag]
        letter = "H" if kind == SHORT else "I"
        raw = value if isinstance(value, bytes) else struct.pack(f"{order}{len(value)}{letter}", *value)
        inside = raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack(f"{order}I", heap + len(behind))
        behind += b"" if len(raw) <= 4 else raw + bytes(len(raw) % 2)
        table += struct.pack(f"{order}HHI", tag, kind, len(value)) + inside
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    return head + body + bytes(len(body) % 2) + table + bytes(4) + behind
