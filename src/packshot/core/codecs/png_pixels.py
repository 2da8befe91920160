"""A PNG's samples, of every colour type and bit depth, to 8 bits per channel."""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from packshot.core.codecs.limits import Header
from packshot.core.codecs.pillow import opened
from packshot.core.codecs.samples import split, to_8_bits
from packshot.core.picture import UInt8

PALETTE = 3


def read(stream: bytes, header: Header, depth: tuple[int, int], trns: bytes | None) -> tuple[UInt8, UInt8 | None]:
    """Samples, uint8 (H, W) or (H, W, 3), and alpha, uint8 (H, W) or None, of a PNG that holds only pixels.

    depth: its (colour type, bit depth); trns: the body of its tRNS chunk, which makes one colour transparent.
    Raises: UnreadableImage.
    """
    colour_type, bit_depth = depth
    if colour_type == PALETTE:
        with opened(stream, header) as image:
            rgba = np.asarray(image.convert("RGBA"))
        return split(rgba)
    deep = _deep(stream, header, depth) if bit_depth == 16 else _shallow(stream, header)
    samples, alpha = split(to_8_bits(deep))
    if alpha is None and trns is not None:
        alpha = _key(deep, trns, bit_depth)
    return samples, alpha


def _shallow(stream: bytes, header: Header) -> UInt8:
    with opened(stream, header) as image:
        return np.asarray(image.convert("L") if image.mode == "1" else image)


def _deep(stream: bytes, header: Header, depth: tuple[int, int]) -> npt.NDArray[np.uint16]:
    """All 16 bits of each sample. Pillow has no such pictures in colour, but it unpacks what it is told to.

    A gray sample and its alpha are four bytes, as an RGBA pixel's are; RGB and RGBA are read twice, once for the upper
    bytes and once for the lower, which is what "16L" (little endian) takes for the upper ones.
    """
    if depth == (0, 16):
        return np.asarray(_unpacked(stream, header, None), np.uint16)
    if depth == (4, 16):
        pairs = _unpacked(stream, header, "RGBA")
        return np.asarray(pairs.reshape(*pairs.shape[:2], 2, 2).view(">u2")[..., 0], np.uint16)
    channels = "RGB" if depth == (2, 16) else "RGBA"
    upper, lower = (_unpacked(stream, header, f"{channels};16{order}") for order in "BL")
    return np.asarray(upper.astype(np.uint16) << 8 | lower, np.uint16)


def _unpacked(stream: bytes, header: Header, raw_mode: str | None) -> npt.NDArray[Any]:
    with opened(stream, header) as image:
        if raw_mode is not None:
            image.tile = [tile._replace(args=raw_mode) for tile in image.tile]
        return np.asarray(image)


def _key(samples: npt.NDArray[Any], trns: bytes, bit_depth: int) -> UInt8 | None:
    """Alpha of a picture in which one colour, given at the file's own depth, means "transparent"."""
    channels = 1 if samples.ndim == 2 else 3
    if len(trns) < 2 * channels:
        return None
    full = (1 << bit_depth) - 1
    stretch = 255 // full if bit_depth < 8 else 1
    colour = tuple((value & full) * stretch for value in struct.unpack_from(f">{channels}H", trns))
    return np.asarray(cv2.bitwise_not(cv2.inRange(samples, colour, colour)), np.uint8)
