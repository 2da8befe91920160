"""PNG (W3C, third edition): checks the chunks; Pillow decodes only the chunks that produce pixels.

Damage outside the pixels costs only the damaged chunk. Half a picture never counts as a whole one.

This module also writes PNG, because encoding is the largest cost outside the network. One filter for all rows and
ISA-L's deflate take 22 ms for a cutout of 1999x1999 px. Pillow takes at least 120 ms (docs/decisions/0002-codecs.md).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from packshot.core.codecs import png_metadata
from packshot.core.codecs.colour import from_space
from packshot.core.codecs.exif import read_orientation
from packshot.core.codecs.formats import Header, Raster
from packshot.core.codecs.limits import PNG_CHANNELS, damaged, letters
from packshot.core.codecs.png_metadata import Colours
from packshot.core.codecs.samples import deflate, join, opened, split, to_8_bits
from packshot.core.geometry import Size
from packshot.core.picture import UInt8
from packshot.errors import UnreadableImage

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Bit depths by colour type: gray, RGB, palette, gray with alpha, RGBA (table 9 of the specification).
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
# The chunks that produce pixels. Text, profiles and animation never reach the decoder, however large they inflate.
_PIXEL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT"})
_MAX_CHUNKS = 50_000  # 50 MB in libpng's 8 kB chunks are 6,400; four million empty chunks took 1 GB and 11 s
_HEADER_END = 33
_PIECE_BYTES = 1 << 20
_SPARE_BYTES = 1 << 20  # some writers store more bytes than the rows have
_PALETTE, _FILTER_UP = 3, 2
# Left, top, and steps across and down of each pass (section 8.2).
_ONE_PASS = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def header(data: bytes) -> Header:
    """Read size and depth from IHDR, and the orientation from EXIF. Raises UnreadableImage."""
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
    return Header("png", Size(width, height), (colour_type, bit_depth)).turned(_orientation(data))


def pixels(data: bytes, header: Header) -> Raster:
    """Decode to 8 bits per channel, rounded from the full depth. Raises UnreadableImage."""
    every = list(_chunks(data))
    intact = [chunk for chunk in every if chunk.intact]
    chunks = list(_in_their_place(intact))
    first = {chunk.name: chunk.body for chunk in reversed(chunks) if chunk.name != b"IDAT"}
    if sum(chunk.name == b"IHDR" for chunk in chunks) != 1:
        raise damaged("PNG", "has two headers")
    if _depth(header)[0] == _PALETTE and not first.get(b"PLTE"):
        raise damaged("PNG", "has a palette without colours")
    interlaced = first[b"IHDR"][-1] == 1
    expected_bytes = _inflated_bytes(header, interlaced)
    if len(intact) < len(every):
        # The damage may have hit the name of a pixel chunk. The checksum of the pixels' own stream shows that.
        _check_all_rows_came(chunks, expected_bytes, by_checksum=True)
    colours = png_metadata.colours(first, gray=_depth(header)[0] in {0, 4})
    samples, alpha = _decoded(chunks, header, first.get(b"tRNS"), expected_bytes, colours)
    # Missing rows stay 0. The test cannot use palettes (already colours) or interlaced rows (in another order).
    rows_tell = not interlaced and _depth(header)[0] != _PALETTE and samples[-1].any()
    if chunks[-1].name != b"IEND" or not rows_tell:
        _check_all_rows_came(chunks, expected_bytes)
    beside = ((chunk.name, chunk.body) for chunk in chunks if chunk.name not in _PIXEL_CHUNKS)
    says_colours = not png_metadata.COLOUR_CHUNKS.isdisjoint(first)
    return Raster(samples, alpha, colours.icc, png_metadata.exif(beside), says_colours=says_colours)


def write(rgb: UInt8, alpha: UInt8 | None, *, quality: int, exif: bytes | None) -> bytes:
    """Encode as gray, RGB or straight-alpha RGBA, 8 bits per channel."""
    samples = join(rgb, alpha)
    height, width = samples.shape[:2]
    colour_type = {1: 0, 3: 2, 4: 6}[samples.size // (height * width)]
    chunks = [
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)),
        # sRGB with rendering intent 1, relative colorimetric. Without these 13 bytes, colour-managed editors ask for a
        # colour space, and wide-gamut screens guess one.
        b"" if colour_type == 0 else _chunk(b"sRGB", b"\x01"),
        _chunk(b"eXIf", exif) if exif else b"",
        _chunk(b"IDAT", deflate(_filtered(samples.reshape(height, -1)))),
        _END,
    ]
    return b"".join([_SIGNATURE, *chunks])


def _filtered(rows: UInt8) -> UInt8:
    """The difference of each row to the row above, modulo 256, with the filter's number before each row.

    Only this filter vectorises completely and never loses much on photos. The filters "average" and "Paeth" save 4 %.
    In numpy they cost more than the deflate itself.
    """
    filtered = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _FILTER_UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return filtered


class _Chunk(NamedTuple):
    """A chunk with its length and checksum. intact: whether the checksum is right."""

    name: bytes
    raw: bytes
    intact: bool

    @property
    def body(self) -> bytes:
        return self.raw[8:-4]


def _chunk(name: bytes, body: bytes) -> bytes:
    """The bytes of a chunk, with its length and checksum."""
    return b"".join([struct.pack(">I", len(body)), name, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))])


_END = _chunk(b"IEND", b"")


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Every chunk up to IEND, with its checksum verified (Pillow does not verify those of the pixels).

    Behind the first pixels the file may end anywhere: the pixels show whether they are complete. A chunk with a wrong
    checksum is yielded as not intact if it holds no pixels. Any other raises UnreadableImage.
    """
    position, name, count, pixels_begun = len(_SIGNATURE), b"", 0, False
    while name != b"IEND" and position < len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        raw, name = data[position:end], data[position + 4 : position + 8]
        intact = end <= len(data) and zlib.crc32(memoryview(raw)[4:-4]) == int.from_bytes(raw[-4:], "big")
        if not intact:
            is_chunk, is_ancillary = len(name) == 4 and name.isalpha(), name[:1].islower() and name != b"tRNS"
            if pixels_begun and (not is_chunk or name == b"IEND" or (end > len(data) and name != b"IDAT")):
                return
            if end > len(data):
                raise damaged("PNG", f"is cut off: it needs at least {end:,} bytes, and the file has {len(data):,}")
            if not (is_chunk and is_ancillary):
                raise damaged(
                    "PNG", f"is damaged: the checksum of its chunk {letters(name)} at byte {position:,} is wrong"
                )
        yield _Chunk(name, raw, intact)
        position, count, pixels_begun = end, count + 1, pixels_begun or name == b"IDAT"
        if count > _MAX_CHUNKS:
            raise damaged("PNG", f"has more than {_MAX_CHUNKS:,} chunks")


def _in_their_place(chunks: Iterable[_Chunk]) -> Iterator[_Chunk]:
    """Drop chunks of colours behind the palette or pixels, and a key colour behind the pixels (section 5.6).

    They have no effect there: most programs have shown the pixels by then.
    """
    too_late: frozenset[bytes] = frozenset()
    for chunk in chunks:
        if chunk.name == b"PLTE":
            too_late |= png_metadata.COLOUR_CHUNKS
        elif chunk.name == b"IDAT":
            too_late = png_metadata.COLOUR_CHUNKS | {b"tRNS"}
        if chunk.name not in too_late:
            yield chunk


def _orientation(data: bytes) -> int:
    """EXIF's orientation, from chunks with a correct checksum. Skips chunks of pixels unread."""
    position, found = len(_SIGNATURE), []
    for _ in range(_MAX_CHUNKS):
        name = data[position + 4 : position + 8]
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        if name == b"IEND" or end > len(data):
            break
        if name in png_metadata.EXIF_CHUNKS:
            found += [(each.name, each.body) for each in _chunks(_SIGNATURE + data[position:end]) if each.intact]
        position = end
    return read_orientation(png_metadata.exif(found))


def _depth(header: Header) -> tuple[int, int]:
    assert header.png_depth is not None  # noqa: S101 - for the type checker: header() above always gives it
    return header.png_depth


def _zlib_stream(chunks: list[_Chunk]) -> bytes:
    return b"".join(chunk.body for chunk in chunks if chunk.name == b"IDAT")


def _check_all_rows_came(chunks: list[_Chunk], expected: int, *, by_checksum: bool = False) -> None:
    """Check that no row is missing: inflate the zlib stream of the pixels in pieces, and count the bytes.

    by_checksum: inflate to the stream's end and verify its checksum. Pillow accepts a stream that ends early between
    two rows. The count costs 27 ms at 1999x1999 px, next to 110 ms for decoding, so it runs only if rows may be
    missing. Raises UnreadableImage.
    """
    found, stream, most = 0, _zlib_stream(chunks), expected + (_SPARE_BYTES if by_checksum else 0)
    # Behind zlib's two-byte header comes raw deflate, which has no checksum.
    inflate = isal_zlib.decompressobj() if by_checksum else isal_zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    stream = stream if by_checksum else stream[2:]
    try:
        for start in range(0, len(stream), _PIECE_BYTES):
            piece, came = stream[start : start + _PIECE_BYTES], 0
            # A full output piece may leave more bytes to come, even without any input left.
            while found < most and (piece or came == _PIECE_BYTES) and not inflate.eof:
                came = len(inflate.decompress(piece, _PIECE_BYTES))
                found, piece = found + came, inflate.unconsumed_tail
    except isal_zlib.error as error:  # type: ignore[misc]  # the stub declares an instance, not the class
        raise damaged("PNG", f"is damaged ({error})") from error
    if found < expected or (by_checksum and not inflate.eof):
        raise damaged("PNG", f"is cut off: {found:,} of {expected:,} bytes of its pixels are present")


def _inflated_bytes(header: Header, interlaced: bool) -> int:
    colour_type, bit_depth = _depth(header)
    bits, total = PNG_CHANNELS[colour_type] * bit_depth, 0
    for left, top, across, down in _ADAM7 if interlaced else _ONE_PASS:
        width, height = -((left - header.size.width) // across), -((top - header.size.height) // down)
        if width > 0:
            total += max(0, height) * (1 + (width * bits + 7) // 8)
    return total


def _decoded(
    chunks: list[_Chunk], header: Header, trns: bytes | None, expected: int, colours: Colours
) -> tuple[UInt8, UInt8 | None]:
    """Decode the pixels; returns what `_samples` returns. Raises UnreadableImage."""
    parts = [chunk.raw for chunk in chunks if chunk.name in _PIXEL_CHUNKS]
    try:
        return _samples(b"".join([_SIGNATURE, *parts, _END]), header, trns, colours)
    except UnreadableImage:
        # All chunks are intact. If no row is missing, only the end of their zlib stream is wrong.
        rows = _rows(chunks, expected)
        if rows is None:
            raise
    parts = [chunk.raw for chunk in chunks if chunk.name in _PIXEL_CHUNKS - {b"IDAT"}]
    plain = _chunk(b"IDAT", zlib.compress(rows, 0))
    return _samples(b"".join([_SIGNATURE, *parts, plain, _END]), header, trns, colours)


def _rows(chunks: list[_Chunk], expected: int) -> bytes | None:
    """The filtered rows, without verifying the checksum behind them; None if some are missing."""
    try:
        rows = zlib.decompressobj(-zlib.MAX_WBITS).decompress(_zlib_stream(chunks)[2:], expected)
    except zlib.error:
        return None
    return rows if len(rows) == expected else None


def _samples(stream: bytes, header: Header, trns: bytes | None, colours: Colours) -> tuple[UInt8, UInt8 | None]:
    """Samples, uint8 (H, W) or (H, W, 3), and alpha, uint8 (H, W) or None, of a PNG that holds only pixels.

    trns: the body of its tRNS chunk, which makes one colour transparent. Raises UnreadableImage.
    """
    colour_type, bit_depth = _depth(header)
    if colour_type == _PALETTE:
        with opened(stream, header) as image:
            samples, alpha = split(np.asarray(image.convert("RGBA")))
        return _in_srgb(samples, colours), alpha
    deep: npt.NDArray[Any] = _deep(stream, header) if bit_depth == 16 else _shallow(stream, header)
    if colours.space is None:
        samples, alpha = split(to_8_bits(deep))
    elif colour_type in {4, 6}:
        last = np.ascontiguousarray(deep[..., -1])
        samples, alpha = _in_srgb(deep[..., 0] if colour_type == 4 else deep[..., :3], colours), to_8_bits(last)
    else:
        samples, alpha = _in_srgb(deep, colours), None
    if alpha is None and trns is not None:
        alpha = _key(deep, trns, bit_depth)
    return samples, alpha


def _in_srgb(samples: npt.NDArray[Any], colours: Colours) -> UInt8:
    return to_8_bits(samples) if colours.space is None else from_space(samples, colours.space, narrow=colours.narrow)


def _shallow(stream: bytes, header: Header) -> UInt8:
    with opened(stream, header) as image:
        return np.asarray(image.convert("L") if image.mode == "1" else image)


def _deep(stream: bytes, header: Header) -> npt.NDArray[np.uint16]:
    """All 16 bits of each sample. Pillow has no 16-bit colour pictures, but its raw modes can unpack them.

    A gray sample and its alpha have four bytes, like an RGBA pixel. RGB and RGBA are read twice, for the upper and for
    the lower bytes. "16L" (little endian) reads the lower bytes as the upper ones.
    """
    depth = _depth(header)
    if depth == (0, 16):
        return np.asarray(_unpacked(stream, header, None), np.uint16)
    if depth == (4, 16):
        pairs = _unpacked(stream, header, "RGBA")
        return np.asarray(pairs.reshape(*pairs.shape[:2], 2, 2).view(">u2")[..., 0], np.uint16)
    channels = "RGB" if depth == (2, 16) else "RGBA"
    pairs = np.empty((header.size.height, header.size.width, len(channels), 2), np.uint8)
    for place, order in enumerate("LB"):
        pairs[..., place] = _unpacked(stream, header, f"{channels};16{order}")
    return np.asarray(pairs.view("<u2")[..., 0], np.uint16)


def _unpacked(stream: bytes, header: Header, raw_mode: str | None) -> npt.NDArray[Any]:
    with opened(stream, header) as image:
        if raw_mode is not None:
            image.tile = [tile._replace(args=raw_mode) for tile in image.tile]
        return np.asarray(image)


def _key(samples: npt.NDArray[Any], trns: bytes, bit_depth: int) -> UInt8 | None:
    """Alpha of a picture with one transparent colour, which `trns` gives at the file's own depth."""
    channels = 1 if samples.ndim == 2 else 3
    if len(trns) < 2 * channels:
        return None
    full = (1 << bit_depth) - 1
    stretch = 255 // full if bit_depth < 8 else 1
    colour = tuple((value & full) * stretch for value in struct.unpack_from(f">{channels}H", trns))
    return np.asarray(cv2.bitwise_not(cv2.inRange(samples, colour, colour)), np.uint8)
