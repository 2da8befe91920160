"""PNG (W3C, third edition): chunks are checked here, pixels are decoded by Pillow from the chunks that make pixels."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from packshot.core.codecs.limits import Codec, Header, Raster, damaged
from packshot.core.codecs.pillow import opened
from packshot.core.geometry import Size
from packshot.core.picture import UInt8

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Bit depths by colour type: gray, RGB, palette, gray with alpha, RGBA (table 9 of the specification).
DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_PALETTE = 3
# What makes pixels. Text, profiles and animation never reach the decoder, so what they inflate to does not matter.
_PIXEL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_MAX_PROFILE_BYTES = 4 << 20


def header(data: bytes) -> Header:
    """Size and depth from IHDR. Raises UnreadableImage."""
    name, body = next(_chunks(data[:33]), (b"", b""))
    if name != b"IHDR" or len(body) != 13:
        raise damaged("PNG", "does not begin with its header chunk")
    width, height, bit_depth, colour_type, compression, filtering, interlace = struct.unpack(">IIBBBBB", body)
    if not (0 < width < 1 << 31 and 0 < height < 1 << 31):
        raise damaged("PNG", f"claims {width}x{height} px")
    if bit_depth not in DEPTHS.get(colour_type, ()):
        raise damaged("PNG", f"claims colour type {colour_type} with {bit_depth} bits, which does not exist")
    if compression or filtering or interlace > 1:
        raise damaged("PNG", f"claims methods {compression}, {filtering}, {interlace}, which do not exist")
    return Header("png", Size(width, height), (colour_type, bit_depth))


def pixels(data: bytes, header: Header) -> Raster:
    """Decode to 8 bits per channel, rounded from the full depth. Raises UnreadableImage."""
    chunks = list(_chunks(data))
    names = [name for name, _ in chunks]
    if names.count(b"IHDR") != 1 or names[-1] != b"IEND":
        raise damaged("PNG", "has two headers" if names.count(b"IHDR") > 1 else "ends before its end chunk")
    first = dict(reversed(chunks))
    if header.png_depth and header.png_depth[0] == _PALETTE and not first.get(b"PLTE"):
        raise damaged("PNG", "has a palette without colours")
    stream = SIGNATURE + b"".join(chunk(name, body) for name, body in chunks if name in _PIXEL_CHUNKS)
    samples, alpha = _read(stream, header, first.get(b"tRNS"))
    return Raster(samples, alpha, icc=_profile(first.get(b"iCCP")), exif=first.get(b"eXIf"))


CODEC = Codec(header, pixels)


def chunk(name: bytes, body: bytes) -> bytes:
    """One chunk, its length before it and its checksum after."""
    return b"".join([struct.pack(">I", len(body)), name, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))])


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and body of every chunk up to IEND, checksums verified (Pillow does not verify those of the pixels)."""
    position, name = len(SIGNATURE), b""
    while name != b"IEND" and position < len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        name, body = data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        end = position + 12 + length
        if end > len(data):
            raise damaged("PNG", f"is cut off: it goes on to byte {end:,} at least, and the file has {len(data):,}")
        if zlib.crc32(body, zlib.crc32(name)) != int.from_bytes(data[end - 4 : end], "big"):
            raise damaged("PNG", f"is damaged: the checksum of its chunk {name!r} at byte {position:,} is wrong")
        yield name, body
        position = end


def _profile(iccp: bytes | None) -> bytes | None:
    """The profile of an iCCP chunk: a name, 0, the method 0, and a zlib stream that may inflate to gigabytes."""
    _name, found, stream = (iccp or b"").partition(b"\0\0")
    if not found:
        return None
    inflate = zlib.decompressobj()
    try:
        profile = inflate.decompress(stream, _MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return profile if inflate.eof else None


def _read(stream: bytes, header: Header, trns: bytes | None) -> tuple[UInt8, UInt8 | None]:
    colour_type, bit_depth = header.png_depth or (2, 8)
    if colour_type == _PALETTE:
        with opened(stream, header) as image:
            rgba = np.asarray(image.convert("RGBA"))
        return _split(rgba)
    deep = _deep(stream, header) if bit_depth == 16 else _shallow(stream, header)
    samples, alpha = _split(_to_8_bits(deep))
    if alpha is None and trns is not None:
        alpha = _key(deep, trns, bit_depth)
    return samples, alpha


def _shallow(stream: bytes, header: Header) -> UInt8:
    with opened(stream, header) as image:
        return np.asarray(image.convert("L") if image.mode == "1" else image)


def _deep(stream: bytes, header: Header) -> npt.NDArray[np.uint16]:
    """All 16 bits of each sample. Pillow has no such pictures in colour, but it unpacks what it is told to.

    A gray sample and its alpha are four bytes, as an RGBA pixel's are; RGB and RGBA are read twice, once for the upper
    bytes and once for the lower, which is what "16L" (little endian) takes for the upper ones.
    """
    if header.png_depth == (0, 16):
        return np.asarray(_unpacked(stream, header, None), np.uint16)
    if header.png_depth == (4, 16):
        pairs = _unpacked(stream, header, "RGBA")
        return np.asarray(pairs.reshape(*pairs.shape[:2], 2, 2).view(">u2")[..., 0], np.uint16)
    channels = "RGB" if header.png_depth == (2, 16) else "RGBA"
    upper, lower = (_unpacked(stream, header, f"{channels};16{order}") for order in "BL")
    return upper.astype(np.uint16) << 8 | lower


def _unpacked(stream: bytes, header: Header, raw_mode: str | None) -> npt.NDArray[Any]:
    with opened(stream, header) as image:
        if raw_mode is not None:
            image.tile = [tile._replace(args=raw_mode) for tile in image.tile]
        return np.asarray(image)


def _to_8_bits(samples: npt.NDArray[Any]) -> UInt8:
    """Full scale to full scale, rounded: v / 257 for 16 bits."""
    if samples.dtype == np.uint8:
        return samples
    return np.asarray(cv2.convertScaleAbs(samples, alpha=1 / 257), np.uint8).reshape(samples.shape)


def _split(samples: UInt8) -> tuple[UInt8, UInt8 | None]:
    """Colour and alpha of (H, W), (H, W, 2), (H, W, 3) or (H, W, 4)."""
    if samples.ndim == 2 or samples.shape[2] == 3:
        return samples, None
    colour = samples[..., 0] if samples.shape[2] == 2 else samples[..., :3]
    return np.ascontiguousarray(colour), np.ascontiguousarray(samples[..., -1])


def _key(samples: npt.NDArray[Any], trns: bytes, bit_depth: int) -> UInt8 | None:
    """Alpha of a picture in which one colour, given at the file's own depth, means "transparent"."""
    channels = 1 if samples.ndim == 2 else 3
    if len(trns) < 2 * channels:
        return None
    full = (1 << bit_depth) - 1
    stretch = 255 // full if bit_depth < 8 else 1
    colour = tuple((value & full) * stretch for value in struct.unpack_from(f">{channels}H", trns))
    return np.asarray(cv2.bitwise_not(cv2.inRange(samples, colour, colour)), np.uint8)
