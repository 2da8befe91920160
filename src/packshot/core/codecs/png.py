"""PNG (W3C, third edition): chunks are checked here, pixels are decoded by Pillow from the chunks that make pixels."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from isal import isal_zlib

from packshot.core.codecs.limits import PNG_CHANNELS, Codec, Header, Raster, damaged
from packshot.core.codecs.png_pixels import PALETTE, read
from packshot.core.geometry import Size

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Bit depths by colour type: gray, RGB, palette, gray with alpha, RGBA (table 9 of the specification).
DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
# What makes pixels. Text, profiles and animation never reach the decoder, so what they inflate to does not matter.
_PIXEL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_MAX_PROFILE_BYTES = 4 << 20
_MAX_CHUNKS = 50_000  # 50 MB in the 8 kB of libpng are 6,400; four million empty ones took 1 GB and 11 s
_HEADER_END = 33
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
    if bit_depth not in DEPTHS.get(colour_type, ()):
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
    if _depth(header)[0] == PALETTE and not first.get(b"PLTE"):
        raise damaged("PNG", "has a palette without colours")
    stream = SIGNATURE + b"".join(chunk.raw for chunk in chunks if chunk.name in _PIXEL_CHUNKS)
    samples, alpha = read(stream, header, _depth(header), first.get(b"tRNS"))
    interlaced = first[b"IHDR"][-1] == 1
    # Rows that never came stay 0. Palette indices are colours by now, and interlaced rows come in another order.
    if interlaced or _depth(header)[0] == PALETTE or not samples[-1].any():
        _check_all_rows_came(b"".join(chunk.body for chunk in chunks if chunk.name == b"IDAT"), header, interlaced)
    return Raster(samples, alpha, icc=_profile(first.get(b"iCCP")), exif=first.get(b"eXIf"))


CODEC = Codec(header, pixels)


class _Chunk(NamedTuple):
    name: bytes
    raw: bytes

    @property
    def body(self) -> bytes:
        return self.raw[8:-4]


def chunk(name: bytes, body: bytes) -> bytes:
    """One chunk, its length before it and its checksum after."""
    return b"".join([struct.pack(">I", len(body)), name, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))])


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Every chunk up to IEND, checksums verified (Pillow does not verify those of the pixels)."""
    position, name, count = len(SIGNATURE), b"", 0
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
        profile = inflate.decompress(stream, _MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return profile if inflate.eof else None
