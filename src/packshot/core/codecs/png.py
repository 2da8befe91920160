"""PNG (W3C, third edition): chunks are checked here, pixels are decoded by Pillow from the chunks that make pixels.

PNG is written here, because encoding is the largest cost outside the network: one filter for all rows and ISA-L's
deflate take 22 ms for a cutout of 1999x1999 px where Pillow takes 120 at its fastest (docs/decisions/0002-codecs.md).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from packshot.core.codecs.colour import MAX_PROFILE_BYTES
from packshot.core.codecs.formats import Header, Raster
from packshot.core.codecs.limits import PNG_CHANNELS, damaged
from packshot.core.codecs.samples import deflate, join, opened, split, to_8_bits
from packshot.core.geometry import Size
from packshot.core.picture import UInt8

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Bit depths by colour type: gray, RGB, palette, gray with alpha, RGBA (table 9 of the specification).
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
# The chunks that make pixels. Text, profiles and animation never reach the decoder, whatever they inflate to.
_PIXEL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_MAX_CHUNKS = 50_000  # 50 MB in the 8 kB of libpng are 6,400; four million empty ones took 1 GB and 11 s
_HEADER_END = 33
_PALETTE, _FILTER_UP = 3, 2
# Left, top, and steps across and down of each pass (section 8.2).
_ONE_PASS = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def header(data: bytes) -> Header:
    """Size and depth from IHDR. Raises UnreadableImage."""
    first = next(_chunks(data[:_HEADER_END]), None)
    if first is None or first.name != b"IHDR" or len(first.body) != 13:
        raise damaged("PNG", "does not begin with its header chunk")
    width, height, bit_depth, colour_type, compression, filtering, interlace = struct.unpack(">IIBBBBB", first.body)
    if not (0 < width < 1 << 31 and 0 < height < 1 << 31):
        raise damaged("PNG", f"claims {width}x{height} px")
    if bit_depth not in _DEPTHS.get(colour_type, ()):
        raise damaged("PNG", f"claims colour type {colour_type} with {bit_depth} bits, which does not exist")
    if compression or filtering or interlace > 1:
        raise damaged("PNG", f"claims methods {compression}, {filtering}, {interlace}, which do not exist")
    return Header("png", Size(width, height), (colour_type, bit_depth))


def pixels(data: bytes, header: Header) -> Raster:
    """Decode to 8 bits per channel, rounded from the full depth. Raises UnreadableImage."""
    chunks = list(_chunks(data))
    first = {chunk.name: chunk.body for chunk in reversed(chunks) if chunk.name != b"IDAT"}
    if chunks[-1].name != b"IEND":
        raise damaged("PNG", f"ends after {len(data):,} bytes, before its end chunk")
    if sum(chunk.name == b"IHDR" for chunk in chunks) != 1:
        raise damaged("PNG", "has two headers")
    if _depth(header)[0] == _PALETTE and not first.get(b"PLTE"):
        raise damaged("PNG", "has a palette without colours")
    stream = _SIGNATURE + b"".join(chunk.raw for chunk in chunks if chunk.name in _PIXEL_CHUNKS)
    samples, alpha = _samples(stream, header, first.get(b"tRNS"))
    interlaced = first[b"IHDR"][-1] == 1
    # Rows that never came stay 0. Palette indices are colours by now, and interlaced rows come in another order.
    if interlaced or _depth(header)[0] == _PALETTE or not samples[-1].any():
        _check_all_rows_came(b"".join(chunk.body for chunk in chunks if chunk.name == b"IDAT"), header, interlaced)
    return Raster(samples, alpha, icc=_profile(first.get(b"iCCP")), exif=first.get(b"eXIf"))


def write(rgb: UInt8, alpha: UInt8 | None, *, quality: int, exif: bytes | None) -> bytes:
    """Encode as gray, RGB or RGBA of straight alpha, 8 bits per channel."""
    samples = join(rgb, alpha)
    height, width = samples.shape[:2]
    colour_type = {1: 0, 3: 2, 4: 6}[samples.size // (height * width)]
    chunks = [
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)),
        # sRGB with rendering intent 1, relative colorimetric: 13 bytes which keep colour-managed editors from asking,
        # and shops with wide-gamut screens from guessing.
        b"" if colour_type == 0 else _chunk(b"sRGB", b"\x01"),
        _chunk(b"eXIf", exif) if exif else b"",
        _chunk(b"IDAT", deflate(_filtered(samples.reshape(height, -1)))),
        _chunk(b"IEND", b""),
    ]
    return b"".join([_SIGNATURE, *chunks])


def _filtered(rows: UInt8) -> UInt8:
    """Each row as its difference, modulo 256, to the one above; the filter's number before each row.

    The one filter that vectorises whole and never loses by much on photos: "average" and "Paeth" save 4 % and cost
    more than the deflate itself in numpy.
    """
    filtered = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _FILTER_UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return filtered


class _Chunk(NamedTuple):
    name: bytes
    raw: bytes

    @property
    def body(self) -> bytes:
        return self.raw[8:-4]


def _chunk(name: bytes, body: bytes) -> bytes:
    """One chunk, its length before it and its checksum after."""
    return b"".join([struct.pack(">I", len(body)), name, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))])


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Every chunk up to IEND, checksums verified (Pillow does not verify those of the pixels)."""
    position, name, count = len(_SIGNATURE), b"", 0
    while name != b"IEND" and position < len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        raw, name = data[position:end], data[position + 4 : position + 8]
        if end > len(data):
            raise damaged("PNG", f"is cut off: it goes on to byte {end:,} at least, and the file has {len(data):,}")
        if zlib.crc32(memoryview(raw)[4:-4]) != int.from_bytes(raw[-4:], "big"):
            raise damaged("PNG", f"is damaged: the checksum of its chunk {name!r} at byte {position:,} is wrong")
        yield _Chunk(name, raw)
        position, count = end, count + 1
        if count > _MAX_CHUNKS:
            raise damaged("PNG", f"has more than {_MAX_CHUNKS:,} chunks")


def _depth(header: Header) -> tuple[int, int]:
    assert header.png_depth is not None  # noqa: S101 - for the type checker: header() above always gives it
    return header.png_depth


def _check_all_rows_came(stream: bytes, header: Header, interlaced: bool) -> None:
    """Count what the pixels' zlib stream inflates to, 1 MB at a time.

    Pillow takes a stream that ends early for a whole picture, if it ends between two rows. The count costs 27 ms at
    1999x1999 px beside 110 for decoding, so it is made only where rows may be missing.
    """
    expected, found = _inflated_bytes(header, interlaced), 0
    inflate = isal_zlib.decompressobj()
    try:
        while found < expected and stream and not inflate.eof:
            found += len(inflate.decompress(stream, 1 << 20))
            stream = inflate.unconsumed_tail
    except isal_zlib.error as error:  # type: ignore[misc]  # the stub has an instance where the class is meant
        raise damaged("PNG", f"is damaged ({error})") from error
    if found < expected:
        raise damaged("PNG", f"is cut off: {found:,} of {expected:,} bytes of its pixels are there")


def _inflated_bytes(header: Header, interlaced: bool) -> int:
    colour_type, bit_depth = _depth(header)
    bits, total = PNG_CHANNELS[colour_type] * bit_depth, 0
    for left, top, across, down in _ADAM7 if interlaced else _ONE_PASS:
        width, height = -((left - header.size.width) // across), -((top - header.size.height) // down)
        if width > 0:
            total += max(0, height) * (1 + (width * bits + 7) // 8)
    return total


def _profile(iccp: bytes | None) -> bytes | None:
    """The profile of an iCCP chunk: a name, 0, the method 0, and a zlib stream that may inflate to gigabytes."""
    _name, found, stream = (iccp or b"").partition(b"\0\0")
    if not found:
        return None
    inflate = zlib.decompressobj()
    try:
        profile = inflate.decompress(stream, MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return profile if inflate.eof else None


def _samples(stream: bytes, header: Header, trns: bytes | None) -> tuple[UInt8, UInt8 | None]:
    """Samples, uint8 (H, W) or (H, W, 3), and alpha, uint8 (H, W) or None, of a PNG that holds only pixels.

    trns: the body of its tRNS chunk, which makes one colour transparent. Raises: UnreadableImage.
    """
    colour_type, bit_depth = _depth(header)
    if colour_type == _PALETTE:
        with opened(stream, header) as image:
            return split(np.asarray(image.convert("RGBA")))
    deep = _deep(stream, header) if bit_depth == 16 else _shallow(stream, header)
    samples, alpha = split(to_8_bits(deep))
    if alpha is None and trns is not None:
        alpha = _key(deep, trns, bit_depth)
    return samples, alpha


def _shallow(stream: bytes, header: Header) -> UInt8:
    with opened(stream, header) as image:
        return np.asarray(image.convert("L") if image.mode == "1" else image)


def _deep(stream: bytes, header: Header) -> npt.NDArray[np.uint16]:
    """All 16 bits of each sample. Pillow has no such pictures in colour, but it unpacks what it is told to.

    A gray sample and its alpha are four bytes, as an RGBA pixel's are; RGB and RGBA are read twice, once for the upper
    bytes and once for the lower, which "16L" (little endian) takes for the upper ones.
    """
    depth = _depth(header)
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
